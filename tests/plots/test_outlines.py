import re

import numpy as np
from matplotlib.path import Path
from skimage.draw import polygon

from kit.masks import dense
from kit.plots.outlines import trace


def fill(path: str, shape) -> np.ndarray:
    """The pixels whose center lies inside of an SVG path, by the even-odd rule."""
    rows, columns = np.mgrid[: shape[0], : shape[1]] + 0.5
    inside = np.zeros(rows.size, int)
    for part in re.findall("M([^Z]*)Z", path):
        corners = [tuple(map(float, point.split())) for point in part.split("L")]
        inside += Path(corners).contains_points(np.stack([columns.ravel(), rows.ravel()], 1))
    return (inside % 2).reshape(shape)


def test_a_path_covers_the_pixels_of_its_object():
    rng = np.random.default_rng(0)
    for _ in range(30):
        mask = np.zeros((120, 140), int)
        angle, length, width = rng.uniform(0, np.pi), rng.uniform(8, 60), rng.uniform(5, 14)
        along, across = (
            np.array([np.cos(turn), np.sin(turn)]) for turn in (angle, angle + np.pi / 2)
        )
        corners = np.array([length * along + width * across, length * along - width * across])
        corners = np.concatenate([corners, -corners]) / 2 + (60, 70)
        mask[polygon(*corners.T, mask.shape)] = 1
        (path,) = trace(dense.from_labels(["a"], [mask]), 0)
        found = fill(path, mask.shape)
        assert (found & mask).sum() / (found | mask).sum() > 0.9
        assert path.count("L") < 60


def test_small_border_and_ringlike_objects_keep_their_shape():
    image = np.zeros((20, 20), int)
    image[0, 0], image[5:7, 18:20] = 1, 2  # one pixel in the corner; at the right border
    image[8:16, 2:12], image[11:13, 5:9] = 3, 0  # with a hole
    masks = dense.from_labels(["a"], [image])
    paths = trace(masks, 0)
    labels = dense.to_labels(masks, 0)
    assert sorted(paths[0][1:-1].split("L")) == ["0 0", "0 1", "1 0", "1 1"] and len(paths) == 3
    for number, path in enumerate(paths, 1):
        assert (fill(path, image.shape) == (labels == number)).all(), path
    assert (
        trace(masks, 0, 2) == [path for path in paths if path != paths[0]]
        and trace(masks, 0, 9) == paths
    )
    assert trace(masks, 0, 1) == [max(paths, key=len)]  # the ring
