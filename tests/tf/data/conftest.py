"""What the tests of augmentation, batches and crops share."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kit.competition.conventions import Competition
from kit.masks import dense
from kit.packing.packing import pack
from kit.records.index import Index, open_index, select
from kit.submission import csv_file
from kit.tf.data.crops import IndexTensors


def seeded(number, step=0):
    return tf.constant([number, step], tf.int64)


def run(operation, image, mask, number=0, **pinned):
    image, mask = operation(tf.constant(image), tf.constant(mask), seeded(number), **pinned)
    return image.numpy(), mask.numpy()


def same_in_tf_data(operation, images, masks, count):
    """Yields the `count` results of tf.data; fails if an eager call gives other bytes."""
    images, masks = tf.constant(images), tf.constant(masks)
    data = tf.data.Dataset.range(count).map(
        lambda index: operation(images, masks, tf.stack([tf.constant(7, tf.int64), index])),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    for place, (changed, moved) in enumerate(data):
        expected = operation(images, masks, seeded(7, place))
        assert np.array_equal(changed, expected[0]) and np.array_equal(moved, expected[1])
        yield changed, moved


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), dtype=np.uint8)


def scene(*shape, seed=0):
    """(image, mask): a smooth gray scene with a few rectangles.

    Each has a flat color of its own and a number from 1 to 255.
    """
    rng = np.random.default_rng(seed)
    mask = np.zeros(shape, np.uint8)
    for number in (1, 90, 255):
        top, left = (rng.integers(0, side // 2) for side in shape)
        mask[top : top + shape[0] // 3, left : left + shape[1] // 2] = number
    image = np.full((*shape, 3), 20, np.uint8)
    image[mask > 0] = np.stack([mask, 255 - mask, mask // 2 + 60], -1)[mask > 0]
    return image, mask


def distinct_for_seeds(operation, image, mask):
    """Fails if one seed gives two results, or if too many seeds give the same."""

    def results():
        return [
            b"".join(array.tobytes() for array in run(operation, image, mask, number))
            for number in range(20)
        ]

    first = results()
    assert first == results() and len(set(first)) >= 5


def take(data, count):
    return [tuple(part.numpy() for part in pair) for pair in data.take(count)]


def equal(a, b) -> bool:
    """Whether two lists of batches have the same bytes."""
    return len(a) == len(b) > 0 and all(
        np.array_equal(x, y) for one, two in zip(a, b) for x, y in zip(one, two)
    )


@pytest.fixture(scope="session")
def painted(tmp_path_factory):
    """A competition of oblong images, PNG and JPEG, with white ships on black.

    So the image tells what its mask must be.
    """
    folder = tmp_path_factory.mktemp("painted") / "competition"
    (folder / "train_v2").mkdir(parents=True)
    rng, labels, names = np.random.default_rng(0), [], []
    for place in range(8):
        image = np.zeros((160, 224), int)
        for value in range(1, 1 + max(1, place % 4)):
            top, left = rng.integers(0, 140), rng.integers(0, 200)
            image[top : top + 17, left : left + 23] = value
        labels.append(image)
        names.append(f"{place}.{'png' if place % 2 else 'jpg'}")
        Image.fromarray(np.repeat((image > 0)[..., None] * np.uint8(255), 3, 2)).save(
            folder / "train_v2" / names[-1], quality=98, subsampling=0
        )
    competition = Competition(height=160, width=224, scenes="")
    csv_file.write_csv(
        dense.from_labels(names, labels), folder / "train_ship_segmentations_v2.csv", competition
    )
    pack(folder, folder.parent / "records", folds=2, competition=competition)
    return folder, folder.parent / "records", competition


@pytest.fixture(scope="session")
def pair(painted):
    """The painted competition's records, and its folder with their folds, in the same order."""
    folder, packed, competition = painted
    one, two = (
        open_index(packed),
        open_index(folder, folds_csv=packed / "folds.csv", competition=competition),
    )
    place = {name: image for image, name in enumerate(two.truth.ids)}
    return one, select(two, np.array([place[name] for name in one.truth.ids]))


def index_of(folder, truth) -> Index:
    """An index of some masks whose images are one small file."""
    Image.new("RGB", (1, 1)).save(folder / "a.png")
    unknown = np.full(len(truth), -1, np.int64)
    return Index(
        "test",
        truth,
        unknown,
        unknown,
        np.array([str(folder / "a.png")] * len(truth), object),
        unknown,
    )


def table_of(folder, *labels) -> IndexTensors:
    return IndexTensors(
        index_of(folder, dense.from_labels([str(place) for place in range(len(labels))], labels))
    )


def cut(array, window):
    top, left, height, width = (int(value) for value in window)
    return array[top : top + height, left : left + width]
