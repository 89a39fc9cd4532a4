"""Batches: images as uint8 with uint8 masks, decoded from runs in the graph, only around the crop that is trained on."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import tensorflow as tf

from ...competition.conventions import AIRBUS, Competition
from ...errors import KitError
from ...records.index import Index, open_index
from . import augmentation
from .crops import IndexTensors, choose_window, decode_image, decode_mask, shrink_image, shrink_mask
from .sampling import Sampling, plan_sampling

BLOCK = 256  # crops that are drawn by one call: a call costs more than what it draws


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
    """An endless tf.data.Dataset of (uint8 image (batch, crop, crop, 3), uint8 mask (batch, crop, crop), 1 where there is an object).

    source: records or a competition folder, as for kit.open_index (folds_csv, competition: see there); folds: those to draw from, all by
    default; crop: px, None for whole images; shrink: whole images (crop None) are shrunk by this factor, and their mask holds 255 times
    the share of each area that is covered; ship_share: share of the crops around an object drawn at random, empty_share: share of those
    from images without one (None: as in the source), balance: every object count, 0 to 14 and more, equally often; augment: names from
    augmentation.NAMES, or a function (image, mask, seed) -> (image, mask) of one crop; numbered: masks tell objects apart, 1 to 255.
    An epoch has `steps` batches (by default as many as show each image once), its order depends on (seed, epoch) alone, and `start` is the
    batch to begin with, counted over epochs. Equal arguments give equal bytes. Raises KitError where there is no image for what is asked.
    """
    index = open_index(source, folds, folds_csv=folds_csv, competition=competition)
    if crop is not None and (least := int(index.truth.shapes.min(initial=crop))) < crop:
        raise KitError(f"crop {crop}: the images of {index.name} have sides from {least} px")
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
    height, width = (
        [-(-side // (1 if crop else shrink)) for side in size] if size else (None, None)
    )  # static where all are equal
    change = augment if callable(augment) else augmentation.augment(augment or ())
    paste = not callable(augment) and "copy_paste" in (augment or ())
    tensors = IndexTensors(index)

    def example(image, around, number):
        fields = tensors(image)
        seeds = tf.random.split(
            tf.stack([tf.constant(seed, tf.int64), number]), 2
        )  # numbers of its own, whatever thread makes it
        if crop is None and shrink > 1:
            picture, mask = (
                shrink_image(fields["data"], shrink),
                shrink_mask(decode_mask(fields), shrink),
            )
        else:
            window = None if crop is None else choose_window(fields, crop, around, seeds[0])
            picture, mask = (
                decode_image(fields["data"], window),
                decode_mask(fields, window, numbered or paste),
            )
        picture.set_shape([height, width, 3])
        mask.set_shape([height, width])
        return change(picture, mask, seeds[1])

    # Order and repeat: numbers without an end; which image a number stands for is computed, so nothing is shuffled in memory.
    data = (
        tf.data.Dataset.range(start * batch, np.iinfo(np.int64).max)
        .batch(BLOCK)
        .map(lambda n: (*sampling.draw(n), n))
        .unbatch()
    )
    # Decode, crop and augment in one stage: a crop that waits between two threads costs more than its decoding gains.
    data = data.map(example, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    data = data.batch(batch, drop_remainder=True)
    if paste:  # between the images of a batch, so after batching
        keys = tf.data.Dataset.range(start, np.iinfo(np.int64).max)
        data = tf.data.Dataset.zip(keys, data).map(
            lambda key, pair: augmentation.copy_paste(pair[0], pair[1], tf.stack([seed, key]))
        )
        if not numbered:
            data = data.map(lambda images, masks: (images, tf.cast(masks > 0, tf.uint8)))
    return _with_threads(
        data.prefetch(2)
    )  # a batch is ready while the network works on the last one


def sample(index: Index, batch: int, steps: int | None, **shares) -> Sampling:
    """The sampling of `batches`: crop `number` of batch `n` is number n * batch + its place."""
    steps = steps or max(1, len(index) // batch)
    return plan_sampling(np.diff(index.truth.objects), steps * batch, **shares)


def scan(
    index: Index, batch: int, numbered: bool = False, places: np.ndarray | None = None
) -> tf.data.Dataset:
    """Every image of an index once, whole, in order: (place, uint8 image, uint8 mask), batched; numbered: as for `batches`.

    places: int64, only these, in that order.
    """
    tensors = IndexTensors(index)

    def example(image):
        fields = tensors(image)
        return image, decode_image(fields["data"]), decode_mask(fields, None, numbered)

    data = tf.data.Dataset.from_tensor_slices(np.arange(len(index)) if places is None else places)
    data = data.map(example, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return _with_threads(data.batch(batch).prefetch(2))


def _with_threads(data):
    """The data set with a thread pool of its own, one thread a core: the process has a single inter-op thread (see kit.tf)."""
    options = tf.data.Options()
    options.threading.private_threadpool_size = 0
    return data.with_options(options)
