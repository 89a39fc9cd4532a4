"""What the tests of tuning share."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from kit.masks import dense
from kit.tuning.candidates import find_candidates

SCENES = np.arange(48) // 3  # of the images of `made`


@pytest.fixture(scope="session")
def noisy():
    """Blurred, noisy maps of twenty images with rectangles, five of them empty: (maps, truth)."""
    rng, labels, maps = np.random.default_rng(5), [], []
    for place in range(20):
        label = np.zeros((70, 80), np.int32)
        for number in range(place % 4 if place < 15 else 0):
            top, left = 4 + 22 * number, rng.integers(4, 40)
            label[top : top + rng.integers(3, 14), left : left + rng.integers(4, 30)] = number + 1
        value = (
            gaussian_filter((label > 0).astype(float), 1.2) * rng.uniform(0.5, 1.3)
            + 0.9 * gaussian_filter(rng.random((70, 80)), 1.5)
            - 0.35
        )
        labels.append(label)
        maps.append(np.rint(255 * np.clip(value, 0, 1)).astype(np.uint8))
    return maps, dense.from_labels([f"{place}.jpg" for place in range(20)], labels)


@pytest.fixture(scope="session")
def candidates(noisy):
    """The candidates of the noisy maps."""
    return find_candidates(noisy[0].__getitem__, noisy[1])


@pytest.fixture(scope="session")
def made():
    """(maps, truth): 48 maps, with ships of 0.55 on every other image.

    The empty ones have a bright false alarm of 4 px.
    """
    rng, maps, labels = np.random.default_rng(0), [], []
    for place in range(48):
        truth, image = np.zeros((64, 64), np.int32), 0.3 * rng.random((64, 64))
        top, left = rng.integers(4, 40, 2)
        if place % 2:
            truth[top : top + 12, left : left + 15] = 1
            image[truth > 0] = 0.55
        else:
            image[top : top + 2, left : left + 2] = 0.9
        labels.append(truth)
        maps.append(np.rint(255 * image).astype(np.uint8))
    return maps, dense.from_labels([f"{place}.jpg" for place in range(48)], labels)
