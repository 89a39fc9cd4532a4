"""The holdout's score: whole images through the network, maps to masks, and object F2 by the kit's own scorer."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from .. import masks, objects, progress, score, tuning
from ..counts import count
from ..history import SCORES
from ..index import Index, open_index
from .batches import scan
from .steps import find_map

BATCH = 2  # whole images a step on a CPU: more are not faster there and need more memory


def forward(network: keras.Model):
    """The network as a compiled function: uint8 (batch, height, width, 3) -> its outputs, by inference statistics."""
    return tf.function(lambda batch: network(batch, training=False), reduce_retracing=True)


def count_batch(index: Index) -> int:
    """Images a step: one where their sizes differ."""
    if len(np.unique(index.truth.shapes, axis=0)) > 1:
        return 1
    return 16 if tf.config.list_physical_devices("GPU") else BATCH


def scan_maps(run, index: Index, text: str, numbered: bool = False):
    """Batches of whole images: their places, uint8 maps (batch, height, width), probabilities and masks of the same shape.

    run: the function made by `forward`, once a network: making it anew traces the whole network again.
    """
    with progress.bar(len(index), text, leave=False) as bar:
        for places, images, real in scan(index, count_batch(index), numbered):
            probabilities = find_map(run(images))
            yield places.numpy(), objects.to_uint8(probabilities.numpy()), probabilities, real
            bar.update(len(places))


def score_holdout(run, index: Index, loss, *, keep: Path | None = None, stopped: Callable[[], object] = lambda: None) -> dict | None:
    """The columns SCORES of history.csv, at threshold 128 without cuts; None where `stopped` said so.

    run: see `scan_maps`; loss: keras.losses.Loss with one value a sample; keep: folder in which the maps are left, so that tuning needs
    no forward pass of its own.
    """
    losses, found = [], []
    for places, maps, probabilities, real in scan_maps(run, index, "holdout", getattr(loss, "numbered", False)):
        losses.extend(loss.call(real, probabilities).numpy())
        names = index.truth.ids[places]
        found.append(objects.find_objects(names, maps))
        if keep is not None:
            for name, image in zip(names, maps):
                tuning.write_map(keep, name, image)
        if stopped():
            return None
    counts = count(index.truth, masks.concatenate(found))
    summary = score.summarize(counts)
    values = [np.mean(losses), score.pixel_iou(counts), score.pixel_f2(counts)]
    values += [summary[name] for name in ("f2", "f2_ships", "f2_empty", "f2_blank")]
    return {name: None if value is None else float(value) for name, value in zip(SCORES, values)}


class ObjectF2(keras.callbacks.Callback):
    """For Keras's own `fit`: adds SCORES of the holdout to each epoch's logs, and a row to a CSV where one is named.

    source, folds: the holdout, as for kit.index.open_index. The model eats uint8 images and gives probabilities; its loss has one value
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
