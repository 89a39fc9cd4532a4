"""Folds of whole scenes, so that the holdout shows no ground seen in training."""

import warnings

import numpy as np
import pandas as pd

from ..errors import KitError
from ..scoring.groups import group_counts


def assign(scenes: np.ndarray, objects: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Assigns whole scenes to folds, stratified by object count (0, 1, 2, 3-5, 6 and more).

    Args:
        scenes: int64 (images,), scene of each image; -1 if unknown.
        objects: int (images,), number of objects of each image.
        folds: number of folds.
        seed: seed of the shuffling.

    Returns:
        Fold of each image, int64 (images,), in 0..folds-1.

    Raises:
        KitError: if there are fewer scenes than folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    groups = group(scenes)
    if groups.max(initial=-1) + 1 < folds:
        raise KitError(
            f"--folds {folds}: there are only {groups.max(initial=-1) + 1} scenes; "
            "ask for fewer folds"
        )
    strata = group_counts(objects)
    if np.bincount(strata).max() < folds:  # too few images to stratify
        strata[:] = 0
    result = np.full(len(groups), -1, np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a stratum may have fewer images than folds
        splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
        for fold, (_, held_out) in enumerate(splitter.split(groups, strata, groups)):
            result[held_out] = fold
    return result


def to_csv(ids: list[str], scenes: np.ndarray, fold: np.ndarray) -> str:
    """The text of folds.csv: `ImageId,scene,fold`, sorted by id."""
    frame = pd.DataFrame({"ImageId": ids, "scene": scenes, "fold": fold}).sort_values("ImageId")
    return str(frame.to_csv(index=False, lineterminator="\n"))


def group(scenes: np.ndarray) -> np.ndarray:
    """Group of each image, int64 (images,) from 0: its scene, or its own if the scene is unknown.

    >>> group(np.array([-1, -1, 7, 7])).tolist()
    [1, 2, 0, 0]
    """
    scenes = np.asarray(scenes, np.int64)
    alone = scenes < 0
    labels = scenes.copy()
    labels[alone] = (scenes.max(initial=-1) + 1) + np.arange(alone.sum())
    return np.unique(labels, return_inverse=True)[1]
