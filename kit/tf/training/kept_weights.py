"""Which weights of a training stay in its folder (tests: tf/training/test_training.py)."""

import os
import shutil
from pathlib import Path

import keras

from ...models.history import name_weights, rank_epochs
from ...records.manifest import Records
from ...settings import TrainSettings
from ..inference.holdout_maps import sign_maps
from ..network.weights import copy_weights, save_weights

MAPS = ".maps.tmp"  # folder of the present epoch's maps, until they prove to be the best


def keep_weights(
    network: keras.Model, out: Path, history: list[dict], chosen: TrainSettings, source: Records
) -> None:
    """Saves the present weights as the last, as this epoch's and, if they are, as the best.

    Removes the weights of poorer epochs. The maps in `MAPS` follow the best weights.

    Args:
        network: holds the weights to save.
        out: the model folder.
        history: rows of history.csv, the present epoch's last; empty within the first epoch.
        chosen: settings; `best_by` and `keep` decide which epochs stay.
        source: the training's records, by which maps are signed.
    """
    last, best, maps = out / "last.weights.h5", out / "best.weights.h5", out / MAPS
    save_weights(network, last)
    ranked = rank_epochs(history, chosen.best_by)
    if not history or ranked[0] == len(history):
        copy_weights(last, best)
        if maps.is_dir():
            sign_maps(maps, best, source)
            shutil.rmtree(out / "maps", ignore_errors=True)
            os.replace(maps, out / "maps")
    if history:
        wanted = {
            name_weights(history[epoch - 1])
            for epoch in (*ranked[: chosen.keep], *range(1, len(history) + 1)[-2:])
        }
        copy_weights(last, out / name_weights(history[-1]))
        for path in out.glob("epoch-*.weights.h5"):
            if path.name not in wanted:
                path.unlink()
