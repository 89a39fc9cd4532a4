"""The oracle ladder: what a prediction would score if one thing after another about it were perfect, so where its next points lie."""

import numpy as np
import scipy.ndimage

from ..masks import dense, table
from ..masks.table import Masks
from .counts import Counts, count

RUNGS = ("as it is", "gate", "outlines", "splitting", "alarms")


def climb_ladder(truth: Masks, prediction: Masks) -> dict[str, Counts]:
    """Counts of a prediction as it is and after each of RUNGS, every rung on top of those before it.

    gate: images without an object are predicted empty (what a gate has emptied wrongly no oracle can refill: give a prediction made
    without one). outlines: predicted objects that share a pixel with true ones cover exactly these, a pixel belongs to the nearest of them.
    splitting: these true objects, each by itself. alarms: nothing else is predicted; what is then missing are objects that no
    predicted one touches. One pixel is a touch, so a rung may lie below the one before: a prediction that grazes a ship beside its own
    gets both. Both tables must hold the same images in the same order; KitError as for `count`.

    >>> real, found = np.zeros((2, 8, 8), int), np.zeros((2, 8, 8), int)
    >>> real[0, 1:3, 1:7], found[0, 1:3, 2:4], found[0, 1:3, 5:6], found[1, 0, 0] = 1, 1, 2, 1
    >>> from kit.masks.dense import from_labels
    >>> from kit.scoring.scores import f2
    >>> {rung: f2(counts).round(2).tolist() for rung, counts in climb_ladder(from_labels("ab", real), from_labels("ab", found)).items()}
    {'as it is': [0.0, 0.0], 'gate': [0.0, 1.0], 'outlines': [0.33, 1.0], 'splitting': [1.0, 1.0], 'alarms': [1.0, 1.0]}
    """
    first = count(truth, prediction)  # which also compares the images
    gated = table.select_objects(
        prediction, (table.count_objects(truth) > 0)[table.owners(prediction)]
    )
    steps = [
        [table.blank([name], shape) for name, shape in zip(truth.ids, truth.shapes)]
        for _ in RUNGS[2:]
    ]
    for image in np.flatnonzero(table.count_objects(gated)).tolist():
        labels = _perfect(dense.to_labels(truth, image), dense.to_labels(gated, image))
        for step, values in zip(steps, labels):
            step[image] = dense.from_labels([truth.ids[image]], [values])
    tables = [gated, *(table.concatenate(step) for step in steps)]
    return dict(zip(RUNGS, [first, *(count(truth, part) for part in tables)]))


def _perfect(real: np.ndarray, found: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Label images (height, width) of one image with perfect outlines, with perfect splitting, and of that without false alarms."""
    touching = np.isin(found, found[real > 0])
    alarms = np.where(touching, 0, found)
    outlined, single = alarms.copy(), np.zeros_like(real)
    for ship, box in enumerate(scipy.ndimage.find_objects(real), 1):
        if box is None:
            continue
        inside = real[box] == ship
        seeds = np.where(inside, found[box], 0)
        if seeds.any():
            nearest = scipy.ndimage.distance_transform_edt(
                seeds == 0, return_distances=False, return_indices=True
            )
            outlined[box][inside] = seeds[tuple(nearest)][inside]
            single[box][inside] = ship
    return outlined, np.where(single > 0, single, alarms + (alarms > 0) * real.max()), single
