"""Masks and decoding of one crop, each against the whole image; in a graph and eagerly."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kit.masks import dense
from kit.records.index import Index, open_index
from kit.tf.data.crops import (
    IndexTensors,
    decode_image,
    decode_mask,
)
from tests.tf.data.conftest import cut, table_of

INT = tf.TensorSpec([], tf.int64)


WINDOW = tf.TensorSpec([4], tf.int32)


def whole(fields):
    """The window that is the whole image."""
    return tf.stack([0, 0, fields["height"], fields["width"]])


# Masks of a window.


@pytest.mark.parametrize("numbered", [False, True])
def test_a_window_of_the_mask_is_that_slice_of_the_dense_mask(tmp_path, numbered):
    rng = np.random.default_rng(int(numbered))
    shapes = [
        (1, 1),
        (1, 12),
        (12, 1),
        (40, 3),
        (3, 40),
        *(tuple(rng.integers(1, 14, 2)) for _ in range(35)),
    ]
    labels = [
        rng.integers(0, 4, shape) * (rng.random(shape) < rng.choice([0.2, 0.7])) for shape in shapes
    ]
    labels += [np.ones(shape, int) for shape in shapes[:8]] + [
        np.zeros(shape, int) for shape in shapes[:8]
    ]  # a run over all columns
    labels += [
        np.repeat(np.arange(1, 6), 4).reshape(5, 4).T[:, ::-1],
        np.arange(30).reshape(5, 6) // 7,
    ]
    table = table_of(tmp_path, *labels)
    truth = dense.from_labels([str(place) for place in range(len(labels))], labels)
    traced = tf.function(
        lambda image, window: decode_mask(table(image), window, numbered),
        input_signature=[INT, WINDOW],
    )
    for image, label in enumerate(labels):
        expected = dense.to_labels(truth, image)
        expected = expected if numbered else expected > 0
        for _ in range(6):
            height, width = (int(rng.integers(1, side + 1)) for side in label.shape)
            top, left = (
                int(rng.integers(0, side - size + 1))
                for side, size in zip(label.shape, (height, width))
            )
            window = tf.constant([top, left, height, width], tf.int32)
            found = traced(tf.constant(image, tf.int64), window).numpy()
            assert found.dtype == np.uint8 and np.array_equal(found, cut(expected, window))
        fields = table(image)
        assert np.array_equal(decode_mask(fields, window, numbered), found)
        assert np.array_equal(decode_mask(fields, whole(fields), numbered), expected)
        assert np.array_equal(decode_mask(fields, None, numbered), expected)


def test_windows_at_every_border_of_an_image(tmp_path):
    label = np.arange(1, 64).reshape(9, 7) * (np.indices((9, 7)).sum(0) % 3 > 0)
    table = table_of(tmp_path, label)
    expected = dense.to_labels(dense.from_labels(["0"], [label]), 0)
    traced = tf.function(
        lambda window: decode_mask(table(0), window, True), input_signature=[WINDOW]
    )
    for top, left in ((0, 0), (0, 4), (5, 0), (5, 4), (2, 2)):
        assert np.array_equal(traced([top, left, 4, 3]), expected[top : top + 4, left : left + 3])
    for place in np.ndindex(9, 7):
        assert traced([*place, 1, 1]).numpy() == expected[place]


def test_numbers_tell_more_than_255_objects_apart(tmp_path):
    flat = np.zeros(1200, int)
    flat[::2] = np.arange(1, 601)  # down the columns, so that the k-th object has number k
    label = flat.reshape(30, 40).T
    table = table_of(tmp_path, np.zeros((5, 5), int), label)
    found = decode_mask(table(1), None, True).numpy()
    assert (
        np.array_equal(found, np.where(label > 0, (label - 1) % 255 + 1, 0)) and found.max() == 255
    )
    assert np.array_equal(
        decode_mask(table(1), [3, 20, 9, 8], True), found[3:12, 20:28]
    )  # the same numbers in every window
    assert np.array_equal(decode_mask(table(1)), label > 0)


def test_the_table_gives_every_image_its_own_fields(practice, records):
    for index in (open_index(records), open_index(practice, folds_csv=records / "folds.csv")):
        table, truth = IndexTensors(index), index.truth
        for image in range(len(index)):
            fields = table(image)
            first, last = truth.objects[image : image + 2]
            runs = slice(truth.runs[first], truth.runs[last])
            assert np.array_equal(fields["runs"], truth.runs[first : last + 1] - truth.runs[first])
            assert np.array_equal(fields["start"], truth.start[runs]) and np.array_equal(
                fields["length"], truth.length[runs]
            )
            assert np.array_equal(
                fields["number"], np.repeat(np.arange(last - first), np.diff(fields["runs"]))
            )
            assert (fields["height"], fields["width"]) == tuple(truth.shapes[image])
            assert fields["data"].numpy() == (practice / "train_v2" / truth.ids[image]).read_bytes()


def test_a_changed_byte_of_a_record_is_noticed_when_its_image_is_read(records, tmp_path):
    index = open_index(records)
    with open(index.paths[2], "rb") as file:
        data = bytearray(file.read())
    for place in (
        int(index.offsets[2]) + 5000,
        int(index.offsets[3]) - 20,
    ):  # in the image, and in a number behind it
        changed = data.copy()
        changed[place] ^= 1
        (tmp_path / "shard").write_bytes(changed)
        table = IndexTensors(
            Index(
                "test",
                index.truth,
                index.scenes,
                index.folds,
                np.array([str(tmp_path / "shard")] * 3, object),
                index.offsets,
            )
        )
        assert len(table.read(1).numpy()) > 1000
        with pytest.raises(tf.errors.DataLossError):
            table.read(2)


# Pixels of a window.


def test_a_window_of_a_jpeg_is_that_slice_of_the_whole(practice, records):
    index = open_index(records)
    rng, traced = (
        np.random.default_rng(0),
        tf.function(decode_image, input_signature=[tf.TensorSpec([], tf.string), WINDOW]),
    )
    for name in index.truth.ids[:6]:
        data = (practice / "train_v2" / name).read_bytes()
        full = tf.io.decode_jpeg(data, channels=3).numpy().astype(int)
        assert np.array_equal(traced(data, [0, 0, 768, 768]), full)
        for _ in range(8):
            size = rng.integers(1, 300, 2)
            window = [*rng.integers(0, 769 - size), *size]
            found = traced(data, window).numpy()
            off = np.abs(found - cut(full, window))
            assert found.dtype == np.uint8 and not off[:, 1:-1].any()
            # JPEG stores colors at half the resolution, so the window's outer columns lack a
            # neighbor to blend with.
            assert off.max() <= 16
            assert np.array_equal(decode_image(data, tf.constant(window, tf.int32)), found)


@pytest.mark.parametrize("shape", [(1, 1), (20, 33), (61, 7)])
def test_a_window_of_a_png_is_exactly_that_slice(tmp_path, shape):
    rng = np.random.default_rng(0)
    full = rng.integers(0, 256, (*shape, 3), np.uint8)
    Image.fromarray(full).save(tmp_path / "a.png")
    data, traced = (tmp_path / "a.png").read_bytes(), tf.function(decode_image)
    for _ in range(20):
        size = [int(rng.integers(1, side + 1)) for side in shape]
        window = tf.constant(
            [int(rng.integers(0, side - part + 1)) for side, part in zip(shape, size)] + size,
            tf.int32,
        )
        assert np.array_equal(traced(data, window), cut(full, window)) and np.array_equal(
            decode_image(data, window), cut(full, window)
        )
