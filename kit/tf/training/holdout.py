"""The holdout's score: maps of whole images become masks, which the kit's own scorer rates."""

import contextlib
import csv
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from ...masks import table
from ...models.history import HOLDOUT_COLUMNS
from ...objects import extraction
from ...records.index import Index, open_index
from ...scoring import scores
from ...scoring.counts import count
from ...scoring.summary import summarize
from ...system import progress
from ..data.batches import scan
from ..inference.ensemble import collect, count_batch, forward, quantize
from ..inference.holdout_maps import keeping
from ..network.outputs import take_map, take_presence


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
    with progress.bar(len(index), text, leave=False) as bar:
        for places, images, real in scan(index, count_batch(index), numbered):
            found = run(images)
            probabilities = take_map(found)
            yield (
                places.numpy(),
                *collect([(quantize(probabilities), take_presence(found))]),
                probabilities,
                real,
            )
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
        loss: keras.losses.Loss with one value per sample.
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
    values = [np.mean(losses), scores.pixel_iou(counts), scores.pixel_f2(counts)]
    values += [figures[name] for name in ("f2", "f2_ships", "f2_empty", "f2_blank")]
    return {
        name: None if value is None else float(value)
        for name, value in zip(HOLDOUT_COLUMNS, values)
    }


class ObjectF2(keras.callbacks.Callback):
    """Scores the holdout in Keras's own `fit`: adds HOLDOUT_COLUMNS to each epoch's logs.

    The model maps uint8 images to probabilities; its loss gives one value per sample.

    Args:
        source: records or a folder, as for kit.open_index.
        folds: the folds held out, as for kit.open_index.
        csv_path: a CSV file that gets one row per epoch; None: none is written.
    """

    def __init__(self, source, folds=None, *, csv_path=None):
        super().__init__()
        self.index, self.csv_path = open_index(source, folds), csv_path

    def on_train_begin(self, logs=None):
        """Compiles the forward pass and removes an old CSV."""
        self.run = forward(self.model)
        if self.csv_path is not None:
            Path(self.csv_path).unlink(missing_ok=True)

    def on_epoch_end(self, epoch, logs=None):
        """Scores the holdout and adds the result to `logs` and the CSV."""
        logs = {} if logs is None else logs
        logs |= score_holdout(self.run, self.index, self.model.loss) or {}
        if self.csv_path is not None:
            with open(self.csv_path, "a", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, ["epoch", *logs], lineterminator="\n")
                if file.tell() == 0:
                    writer.writeheader()
                writer.writerow({"epoch": epoch + 1, **logs})
