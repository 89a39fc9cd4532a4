"""The holdout of several models: maps and truth (tests: tf/inference/test_several_models.py)."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...errors import KitError
from ...masks import table as masks
from ...masks.table import Masks
from ...models.folder import read_config
from ...objects import map_files
from ...records.index import Index
from .ensemble import average_presence
from .holdout_maps import compute_maps
from .load import pair_models


class Holdout(NamedTuple):
    """What models found in images that they were not trained on, and the truth."""

    # The uint8 map of the image at a position of `truth`: the mean of the models that hold it out.
    read: Callable[[int], np.ndarray]
    truth: Masks
    scenes: np.ndarray  # int64 (images,)
    presence: np.ndarray | None  # float32 (images,), if every fold has a model with that output


def open_holdout(models, records=None, *, networks=None, tta: int = 1, scale: int = 1) -> Holdout:
    """Opens the holdout of one or several model folders, and computes maps that are missing.

    Maps of models that hold out the same fold are averaged. Different folds follow one another.

    Args:
        models, networks: see `pair_models`.
        records: folder of the records; None: where training found them.
        tta, scale: see `make_mapper`.

    Returns:
        The holdout.

    Raises:
        KitError: if the models were trained on different records or one held out no fold.
    """
    pairs = pair_models(models, networks)
    configs = [read_config(folder) for folder, _ in pairs]
    for (folder, _), config in zip(pairs, configs):
        if config["records_sha256"] != configs[0]["records_sha256"]:
            raise KitError(
                f"{folder}: was trained on other records than {pairs[0][0]}; "
                "tune each alone, or train both on the same records"
            )
    folds: dict[int, list[Path]] = {}
    indexes: dict[int, Index] = {}
    for (folder, network), config in zip(pairs, configs):
        maps, indexes[config["fold"]] = compute_maps(
            folder, records, tta=tta, scale=scale, network=network
        )
        folds.setdefault(config["fold"], []).append(maps)
    truth = masks.concatenate([indexes[fold].truth for fold in sorted(folds)])
    sources_of = [folds[fold] for fold in sorted(folds) for _ in range(len(indexes[fold]))]

    def read(place: int) -> np.ndarray:
        name, shape = truth.ids[place], truth.shapes[place]
        return map_files.average(
            [map_files.read_map(maps, name, shape) for maps in sources_of[place]]
        )

    found = [_read_presence(folds[fold], indexes[fold].truth.ids) for fold in sorted(folds)]
    known = [presence for presence in found if presence is not None]
    if 0 < len(known) < len(found):
        print(
            "kit tune: only some folds have a model with a presence output, so it is not used; "
            "train the others with --presence"
        )
    presence = np.concatenate(known) if len(known) == len(found) else None
    return Holdout(
        read, truth, np.concatenate([indexes[fold].scenes for fold in sorted(folds)]), presence
    )


def _read_presence(folders: Sequence[Path], ids: np.ndarray) -> np.ndarray | None:
    """Presence in one fold's images, float32 (images,), averaged over its models as in `collect`.

    None if no model has that output.
    """
    found = []
    for folder in folders:
        known = map_files.read_presence(folder)
        found.append(np.array([known[name] for name in ids]) if known else None)
    return average_presence(found)
