"""The oracle ladder: the score of a prediction if one thing after another about it were perfect.

It shows where the next points are.
"""

import numpy as np
import scipy.ndimage

from ..masks import dense, table
from ..masks.table import Masks
from .counts import Counts, count

RUNGS = ("as it is", "gate", "outlines", "splitting", "alarms")


def climb_ladder(truth: Masks, prediction: Masks) -> dict[str, Counts]:
    """Counts of a prediction at each of RUNGS; each rung includes those before it.

    - gate: images without an object are predicted empty. No oracle can refill an image that a real
      gate has emptied by mistake, so give a prediction made without a gate.
    - outlines: predicted objects that share a pixel with true objects cover exactly these. Each
      pixel goes to the nearest predicted object.
    - splitting: those true objects are predicted one by one.
    - alarms: nothing else is predicted. What is still missing are true objects that no predicted
      object touches.

    One shared pixel is a touch. So a rung may lie below the one before it: a prediction that grazes
    a neighboring ship gets both ships.

    Both tables must hold the same images in the same order.

    Raises:
        KitError: as `count` does.

    Example:
        >>> from kit.masks.dense import from_labels
        >>> from kit.scoring.scores import f2
        >>> real, found = np.zeros((2, 8, 8), int), np.zeros((2, 8, 8), int)
        >>> real[0, 1:3, 1:7], found[0, 1:3, 2:4], found[0, 1:3, 5:6], found[1, 0, 0] = 1, 1, 2, 1
        >>> ladder = climb_ladder(from_labels("ab", real), from_labels("ab", found))
        >>> [f2(counts).round(2).tolist() for counts in ladder.values()]
        [[0.0, 0.0], [0.0, 1.0], [0.33, 1.0], [1.0, 1.0], [1.0, 1.0]]
    """
    first = count(truth, prediction)  # also checks that both hold the same images
    held = table.count_objects(truth) > 0
    gated = table.select_objects(prediction, held[table.owners(prediction)])
    steps = [
        [table.blank([name], shape) for name, shape in zip(truth.ids, truth.shapes)]
        for _ in RUNGS[2:]
    ]
    for image in np.flatnonzero(table.count_objects(gated)).tolist():
        labels = _perfect(dense.to_labels(truth, image), dense.to_labels(gated, image))
        for step, values in zip(steps, labels):
            step[image] = dense.from_labels([truth.ids[image]], [values])
    tables = [gated, *(table.concatenate(step) for step in steps)]
    return dict(zip(RUNGS, [first, *(count(truth, found) for found in tables)]))


def _perfect(real: np.ndarray, found: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Label images (height, width) of one image at the rungs outlines, splitting and alarms."""
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
