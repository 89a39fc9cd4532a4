"""Folds of whole scenes, so that no ground seen in training is seen again in the holdout."""

import warnings

import numpy as np
import pandas as pd

from ..errors import KitError
from ..scoring.groups import group_counts


def assign(scenes: np.ndarray, objects: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Fold of each image, int64 (images,) in 0..folds-1: whole scenes, stratified by object count (0, 1, 2, 3-5, 6 and more).

    scenes: int64 (images,), -1 unknown; objects: int (images,). Raises KitError where there are fewer scenes than folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    groups = group(scenes)
    if groups.max(initial=-1) + 1 < folds:
        raise KitError(
            f"--folds {folds}: there are only {groups.max(initial=-1) + 1} scenes; ask for fewer folds"
        )
    strata = group_counts(objects)
    if np.bincount(strata).max() < folds:  # too few images to stratify
        strata[:] = 0
    result = np.full(len(groups), -1, np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # a stratum with fewer images than folds is no reason to stop
        splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
        for fold, (_, held_out) in enumerate(splitter.split(groups, strata, groups)):
            result[held_out] = fold
    return result


def to_csv(ids: list[str], scenes: np.ndarray, fold: np.ndarray) -> str:
    """folds.csv: `ImageId,scene,fold`, by id."""
    frame = pd.DataFrame({"ImageId": ids, "scene": scenes, "fold": fold}).sort_values("ImageId")
    return frame.to_csv(index=False, lineterminator="\n")


def group(scenes: np.ndarray) -> np.ndarray:
    """Group of each image, int64 from 0: its scene, or a group of its own where the scene is unknown (-1)."""
    scenes = np.asarray(scenes, np.int64)
    alone = scenes < 0
    labels = scenes.copy()
    labels[alone] = (scenes.max(initial=-1) + 1) + np.arange(alone.sum())
    return np.unique(labels, return_inverse=True)[1]
