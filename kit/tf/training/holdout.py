"""The holdout's score: whole images through the network, maps to masks, and object F2 by the kit's own scorer."""

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
from ...system import progress
from ..data.batches import scan
from ..inference.ensemble import collect, count_batch, forward, quantize
from ..inference.holdout_maps import keeping
from ..network.outputs import take_map, take_presence


def scan_maps(run, index: Index, text: str, numbered: bool = False):
    """Batches of whole images: their places, uint8 maps (batch, height, width), presence or None, probabilities and masks of that shape.

    run: the function made by `forward`, once a network: making it anew traces the whole network again.
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
    """The HOLDOUT_COLUMNS of history.csv, at threshold 128 without cuts; None where `stopped` said so.

    run: see `scan_maps`; loss: keras.losses.Loss with one value a sample; keep: folder in which the maps are left as compute_maps would,
    so that tuning needs no forward pass of its own.
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
    if stopped():  # also where that was said while the last maps were written
        return None
    counts = count(index.truth, table.concatenate(found))
    summary = scores.summarize(counts)
    values = [np.mean(losses), scores.pixel_iou(counts), scores.pixel_f2(counts)]
    values += [summary[name] for name in ("f2", "f2_ships", "f2_empty", "f2_blank")]
    return {
        name: None if value is None else float(value)
        for name, value in zip(HOLDOUT_COLUMNS, values)
    }


class ObjectF2(keras.callbacks.Callback):
    """For Keras's own `fit`: adds HOLDOUT_COLUMNS to each epoch's logs, and a row to a CSV where one is named.

    source, folds: the holdout, as for kit.open_index. The model eats uint8 images and gives probabilities; its loss has one value
    a sample.
    """

    def __init__(self, source, folds=None, *, csv_path=None):
        super().__init__()
        self.index, self.csv_path = open_index(source, folds), csv_path

    def on_train_begin(self, logs=None):
        """Compiles the forward pass, and begins the CSV anew."""
        self.run = forward(self.model)
        if self.csv_path is not None:
            Path(self.csv_path).unlink(missing_ok=True)

    def on_epoch_end(self, epoch, logs=None):
        """Scores the holdout."""
        logs = {} if logs is None else logs
        logs |= score_holdout(self.run, self.index, self.model.loss) or {}
        if self.csv_path is not None:
            with open(self.csv_path, "a", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, ["epoch", *logs], lineterminator="\n")
                if file.tell() == 0:
                    writer.writeheader()
                writer.writerow({"epoch": epoch + 1, **logs})
