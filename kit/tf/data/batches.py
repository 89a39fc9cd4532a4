"""Batches: uint8 images with uint8 masks for training.

The graph decodes masks from runs, and only around the crop that is trained on.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import tensorflow as tf

from ...competition.conventions import AIRBUS, Competition
from ...errors import KitError
from ...records.index import Index, open_index
from . import augmentation
from .crops import IndexTensors, choose_window, decode_image, decode_mask, shrink_image, shrink_mask
from .pasting import copy_paste
from .sampling import Sampling, plan_sampling

BLOCK = 256  # crops drawn by one call: the call itself costs more than its draws


def batches(
    source,
    folds: Iterable[int] | None = None,
    *,
    batch: int = 8,
    crop: int | None = 256,
    shrink: int = 1,
    ship_share: float = 0.75,
    empty_share: float | None = None,
    balance: bool = False,
    augment: Sequence[str] | Callable | None = ("dihedral",),
    numbered: bool = False,
    steps: int | None = None,
    seed: int = 0,
    start: int = 0,
    folds_csv=None,
    competition: Competition = AIRBUS,
) -> tf.data.Dataset:
    """Opens an endless data set of training batches.

    The order of an epoch depends on (seed, epoch) alone. Equal arguments give equal bytes.

    Args:
        source: records or a competition folder, as for kit.open_index.
        folds: folds to draw from; None for all.
        batch: crops per batch.
        crop: side of a crop in px; None for whole images.
        shrink: factor by which whole images (crop None) are shrunk. Their masks then hold 255 times
            the share of each area that objects cover.
        ship_share: share of the crops that lie around an object drawn at random.
        empty_share: share of the crops from images without objects; None: as in the source.
        balance: draw each object count (0 to 14, 15 and more) equally often.
        augment: names from augmentation.NAMES, or a function (image, mask, seed) -> (image, mask)
            of one crop.
        numbered: number the objects of a mask from 1 to 255; else all are 1.
        steps: batches per epoch; None for as many as show each image once.
        seed: seed of order, crops and augmentation.
        start: the batch to begin with, counted over epochs.
        folds_csv, competition: as for kit.open_index.

    Returns:
        tf.data.Dataset of uint8 images (batch, crop, crop, 3) and uint8 masks (batch, crop, crop).

    Raises:
        KitError: if the source has no image for what is asked or one smaller than the crop, or if
            `start` is below 0.
    """
    if start < 0:
        raise KitError(f"start {start}: batches count from 0")
    index = open_index(source, folds, folds_csv=folds_csv, competition=competition)
    if crop is not None and (least := int(index.truth.shapes.min(initial=crop))) < crop:
        raise KitError(
            f"crop {crop}: {index.name} has an image side of only {least} px; choose a smaller crop"
        )
    sampling = sample(
        index,
        batch,
        steps,
        ship_share=ship_share,
        empty_share=empty_share,
        balance=balance,
        seed=seed,
    )
    size = (crop, crop) if crop else index.size
    # Static if all images have one size.
    height, width = [-(-side // (1 if crop else shrink)) for side in size] if size else (None, None)
    change = augment if callable(augment) else augmentation.augment(augment or ())
    paste = not callable(augment) and "copy_paste" in (augment or ())
    tensors = IndexTensors(index)

    def example(image, around, number):
        fields = tensors(image)
        # A crop's draws depend on its number alone, whatever thread makes it.
        seeds = tf.random.split(tf.stack([tf.constant(seed, tf.int64), number]), 2)
        if crop is None and shrink > 1:
            picture = shrink_image(fields["data"], shrink)
            mask = shrink_mask(decode_mask(fields), shrink)
        else:
            window = None if crop is None else choose_window(fields, crop, around, seeds[0])
            picture = decode_image(fields["data"], window)
            mask = decode_mask(fields, window, numbered or paste)
        picture.set_shape([height, width, 3])
        mask.set_shape([height, width])
        return change(picture, mask, seeds[1])

    # Order and repeat: endless numbers. Each one tells its image, so nothing is shuffled in memory.
    data = (
        tf.data.Dataset.range(start * batch, np.iinfo(np.int64).max)
        .batch(BLOCK)
        .map(lambda n: (*sampling.draw(n), n))
        .unbatch()
    )
    # Decode, crop and augment in one stage: handing a crop from thread to thread costs more than
    # decoding it elsewhere gains.
    data = data.map(example, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    data = data.batch(batch, drop_remainder=True)
    if paste:  # between the images of a batch, so after batching
        keys = tf.data.Dataset.range(start, np.iinfo(np.int64).max)
        data = tf.data.Dataset.zip(keys, data).map(
            lambda key, pair: copy_paste(pair[0], pair[1], tf.stack([seed, key]))
        )
        if not numbered:
            data = data.map(lambda images, masks: (images, tf.cast(masks > 0, tf.uint8)))
    # The next batch is made while the network works on this one.
    return _with_threads(data.prefetch(2))


def sample(index: Index, batch: int, steps: int | None, **shares) -> Sampling:
    """Plans the sampling of `batches`: crop `place` of batch `n` has the number n * batch + place.

    Args:
        index: the images to draw from.
        batch: crops per batch.
        steps: batches per epoch; None for as many as show each image once.
        **shares: as for `plan_sampling`.
    """
    steps = steps or max(1, len(index) // batch)
    return plan_sampling(np.diff(index.truth.objects), steps * batch, **shares)


def scan(
    index: Index, batch: int, numbered: bool = False, places: np.ndarray | None = None
) -> tf.data.Dataset:
    """Opens a data set of whole images, each once and in order.

    Args:
        index: the images.
        batch: images per batch.
        numbered: as for `batches`.
        places: int64, the images to show, in that order; None for all.

    Returns:
        tf.data.Dataset of (place, uint8 image, uint8 mask), batched.
    """
    tensors = IndexTensors(index)

    def example(image):
        fields = tensors(image)
        return image, decode_image(fields["data"]), decode_mask(fields, None, numbered)

    data = tf.data.Dataset.from_tensor_slices(np.arange(len(index)) if places is None else places)
    data = data.map(example, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return _with_threads(data.batch(batch).prefetch(2))


def _with_threads(data):
    """Gives the data set its own thread pool, one thread per core.

    The process has a single inter-op thread (see kit.tf).
    """
    options = tf.data.Options()
    options.threading.private_threadpool_size = 0
    return data.with_options(options)
