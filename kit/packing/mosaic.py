"""The tiles of one scene laid at their places, as far as the ground that they share tells these."""

from __future__ import annotations

import numpy as np

from .scenes import find_offset


def lay(thumbnails: np.ndarray) -> np.ndarray:
    """Place of each tile in blocks of 256 px below and to the right of the topmost and leftmost one, int64 (tiles, 2).

    thumbnails: uint8 (tiles, 96, 96), gray at 1/8 scale. Groups of tiles that share no ground stand one below the other.
    """
    number = len(thumbnails)
    known, places, below = np.zeros(number, bool), np.zeros((number, 2), np.int64), 0
    while not known.all():
        waiting = group = [int(np.argmin(known))]
        known[waiting] = True
        while waiting:
            one, *waiting = waiting
            found = {other: find_offset(thumbnails[one], thumbnails[other]) for other in np.flatnonzero(~known).tolist()}
            for other, offset in found.items():
                if offset is not None:
                    known[other], places[other] = True, places[one] + offset
                    waiting, group = [*waiting, other], [*group, other]
        places[group] += np.array([below, 0]) - places[group].min(axis=0)
        below = int(places[group, 0].max()) + 4
    return places
