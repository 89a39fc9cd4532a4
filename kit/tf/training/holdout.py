"""The holdout's score: maps of whole images become masks, which the kit's own scorer rates."""

import contextlib
import csv
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from ...competition.conventions import AIRBUS, Competition
from ...errors import KitError
from ...masks import table
from ...models.history import HOLDOUT_COLUMNS
from ...objects import extraction
from ...records.index import Index, open_index
from ...scoring import scores
from ...scoring.counts import count
from ...scoring.summary import summarize
from ...system import progress
from ...system.files import write_text
from ..data.batches import scan
from ..failures import explained, naming_shards
from ..inference.ensemble import collect, count_batch, forward, quantize
from ..inference.holdout_maps import keeping
from ..network.losses import LOSS_CLASSES, Sum
from ..network.outputs import check_outputs, take_map, take_presence


def scan_maps(run, index: Index, text: str, numbered: bool = False):
    """Computes the maps of all images of an index, batch by batch, and shows a progress bar.

    Args:
        run: the function that `forward` makes. Make it once per network: each new one traces the
            whole network again.
        index: the images.
        text: label of the progress bar.
        numbered: number the objects of a mask from 1 to 255; else all are 1.

    Yields:
        One tuple per batch: places in the index, uint8 maps (batch, height, width), presence
        float32 (batch,) or None, and probabilities and masks of the maps' shape.
    """
    with naming_shards(index), progress.bar(len(index), text, leave=False) as bar:
        for places, images, real in scan(index, count_batch(index), numbered):
            found = run(images)
            maps, presence = check_outputs(take_map(found), take_presence(found), images)
            yield places.numpy(), *collect([(quantize(maps), presence)]), maps, real
            bar.update(len(places))


def score_holdout(
    run,
    index: Index,
    loss,
    *,
    keep: Path | None = None,
    stopped: Callable[[], object] = lambda: None,
) -> dict | None:
    """Scores the holdout at threshold 128 without cuts.

    Args:
        run: see `scan_maps`.
        index: the holdout's images.
        loss: keras.losses.Loss with one value per sample; None: there is none.
        keep: folder for the maps, written as compute_maps writes them, so that tuning needs no
            forward pass of its own; None: maps are dropped.
        stopped: called after each batch; a true value ends the scoring.

    Returns:
        The HOLDOUT_COLUMNS of history.csv, or None if `stopped` ended the scoring.
    """
    losses, found = [], []
    with contextlib.nullcontext() if keep is None else keeping(keep, index.truth.ids) as put:
        for places, maps, presence, probabilities, real in scan_maps(
            run, index, "holdout", getattr(loss, "numbered", False)
        ):
            if loss is not None:
                losses.extend(loss.call(real, probabilities).numpy())
            found.append(extraction.find_objects(index.truth.ids[places], maps))
            if put is not None:
                put(places, maps, presence)
            if stopped():
                break
    if stopped():  # a signal may also come while the last maps are written
        return None
    counts = count(index.truth, table.concatenate(found))
    figures = summarize(counts)
    values = [None if loss is None else np.mean(losses)]
    values += [scores.pixel_iou(counts), scores.pixel_f2(counts)]
    values += [figures[name] for name in ("f2", "f2_ships", "f2_empty", "f2_blank")]
    scored = zip(HOLDOUT_COLUMNS, values)
    return {name: None if value is None else float(value) for name, value in scored}


class ObjectF2(keras.callbacks.Callback):
    """Scores the holdout in Keras's own `fit`: adds HOLDOUT_COLUMNS to each epoch's logs.

    The model maps uint8 images to probabilities; any loss that Keras accepts will do. `val_loss` is
    the mean over images of the map's loss. Callbacks that read these values, such as EarlyStopping
    and ModelCheckpoint, stand behind this one in the list. What is NaN does not exist, such as
    F2 on ship images in a holdout without any.

    Args:
        source: records or a folder, as for kit.open_index.
        folds: the folds held out, as for kit.open_index.
        csv_path: a CSV file that gets one row per epoch; None: none is written.
        folds_csv, competition: as for kit.open_index.

    Raises:
        KitError: when the training starts, if the model does not give probabilities, its loss
            cannot be computed on the holdout's masks, or the CSV cannot be written.
    """

    def __init__(
        self,
        source,
        folds=None,
        *,
        csv_path=None,
        folds_csv=None,
        competition: Competition = AIRBUS,
    ):
        super().__init__()
        self.index = open_index(source, folds, folds_csv=folds_csv, competition=competition)
        self.csv_path = csv_path

    @explained
    def on_train_begin(self, logs=None):
        """Compiles the forward pass, tries model and loss on one batch, and empties the CSV."""
        self.run = forward(self.model)
        batch = scan(self.index, count_batch(self.index)).take(1)
        with naming_shards(self.index):
            _, images, truth = next(iter(batch))
        found = self.run(images)
        check_outputs(take_map(found), take_presence(found), images)
        self.loss = pick_loss(self.model.loss, found)
        if self.loss is not None:
            try:
                self.loss.call(truth, take_map(found))
            except Exception as error:  # of any kind: the loss may be anybody's
                raise KitError(
                    f"the loss {self.model.loss!r} cannot be computed on masks and maps of "
                    f"{images.shape[1]} x {images.shape[2]} px: {str(error)[:200]}"
                ) from error
        if self.csv_path is not None:
            write_text(self.csv_path, "")

    @explained
    def on_epoch_end(self, epoch, logs=None):
        """Scores the holdout and adds the result to `logs` and the CSV."""
        logs = {} if logs is None else logs
        scored = score_holdout(self.run, self.index, self.loss) or {}
        row = {"epoch": epoch + 1, **logs, **scored}
        # Keras's progress bar and callbacks compute with these values.
        logs |= {name: np.nan if value is None else value for name, value in scored.items()}
        if self.csv_path is not None:
            with open(self.csv_path, "a", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, list(row), lineterminator="\n")
                if file.tell() == 0:
                    writer.writeheader()
                writer.writerow(row)


def pick_loss(compiled, found):
    """The loss of the maps among what a model was compiled with, as `score_holdout` takes it.

    Args:
        compiled: the model's `loss`: a name, a function, a keras.losses.Loss, or these in a list or
            a dict; None: it has none.
        found: what the model gives for a batch.

    Raises:
        KitError: if it is not clear which loss is that of the maps, or it is unknown.
    """
    if isinstance(compiled, dict):
        if "map" not in compiled and len(compiled) != 1:
            raise KitError(
                f"loss has the keys {', '.join(map(str, compiled))}; call the maps' output `map`"
            )
        loss = compiled.get("map", next(iter(compiled.values())))
    elif isinstance(compiled, list | tuple):
        names = {name: name for name in found} if isinstance(found, dict) else {}
        order = keras.tree.flatten(names)  # as Keras orders outputs
        loss = compiled[order.index("map") if len(order) == len(compiled) else 0]
    else:
        loss = compiled
    if loss is None or isinstance(loss, (Sum, *LOSS_CLASSES.values())):
        return loss
    if isinstance(loss, str) and loss.lower() in ("crossentropy", "ce"):
        loss = "binary_crossentropy"  # so does Keras
    try:
        loss = keras.losses.get(loss)
    except ValueError as error:
        raise KitError(f"loss {loss!r}: {str(error).splitlines()[0][:200]}") from None
    maps = found["map"] if isinstance(found, dict) else found
    # Keras drops the channel for functions and for its own losses.
    return EachImage(loss, isinstance(loss, keras.losses.Loss) and maps.shape.rank == 4)


class EachImage(keras.losses.Loss):
    """Any loss of Keras as it is on each image alone, by its own reduction: float32 (batch,).

    Args:
        loss: a keras.losses.Loss or a function (truth, prediction).
        channel: whether the loss expects maps with a channel of one.
    """

    def __init__(self, loss, channel: bool):
        super().__init__()
        self.loss, self.channel = loss, channel
        self.numbered = getattr(loss, "numbered", False)

    def call(self, y_true, y_pred):
        truth, maps = (tf.cast(values, tf.float32) for values in (y_true, y_pred))
        maps = maps[..., None] if self.channel else maps
        images = range(len(maps))
        values = [self.loss(truth[image : image + 1], maps[image : image + 1]) for image in images]
        return tf.stack([tf.reduce_mean(value) for value in values])
