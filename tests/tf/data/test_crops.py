"""Windows, masks and decoding of one crop, each against the whole image; in a graph and eagerly."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kit.masks import dense
from kit.records.index import Index, open_index
from kit.tf.data.crops import (
    IndexTensors,
    choose_window,
    decode_image,
    decode_mask,
    shrink_image,
    shrink_mask,
)

INT = tf.TensorSpec([], tf.int64)
WINDOW = tf.TensorSpec([4], tf.int32)


def whole(fields):
    """The window that is the whole image."""
    return tf.stack([0, 0, fields["height"], fields["width"]])


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


def windows_of(table, image, count, crop, around=True, seed=0):
    """Windows int32 (count, 4) of one image, as `count` seeds give them."""
    fields = table(image)
    seeds = tf.stack(
        [tf.fill([count], tf.constant(seed, tf.int64)), tf.range(count, dtype=tf.int64)], 1
    )

    @tf.function
    def choose(seeds):
        near = tf.constant(around)
        one = lambda seed: choose_window(fields, crop, near, seed)  # noqa: E731
        return tf.map_fn(one, seeds, fn_output_signature=tf.int32)

    return choose(seeds).numpy()


def cut(array, window):
    top, left, height, width = (int(value) for value in window)
    return array[top : top + height, left : left + width]


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


# Where a window lies.


@pytest.mark.parametrize("place", [(0, 0), (0, 69), (49, 0), (49, 69), (25, 35), (1, 60)])
def test_a_crop_around_an_object_holds_it_wherever_it_lies(tmp_path, place):
    label = np.zeros((50, 70), int)
    label[place] = 1
    table = table_of(tmp_path, label)
    for window in windows_of(table, 0, 60, 16):
        assert (
            window[2:].tolist() == [16, 16]
            and (window[:2] >= 0).all()
            and (window[:2] + 16 <= label.shape).all()
        )
        assert cut(label, window).sum() == 1
    assert np.array_equal(
        choose_window(table(0), 16, tf.constant(True), tf.constant([0, 59], tf.int64)), window
    )  # eagerly too


def test_a_crop_around_any_object_holds_a_pixel_of_one(tmp_path):
    rng = np.random.default_rng(0)
    shapes = [(30, 80), (80, 30), (16, 90), (17, 17)]
    labels = [
        (np.cumsum(rng.random(shape) < 0.01).reshape(shape) * (rng.random(shape) < 0.02))
        for shape in shapes
    ]
    labels += [
        np.pad(np.ones((30, 40), int), 8)
    ]  # runs of 30 px, and the middle far from the border
    table = table_of(tmp_path, *labels)
    for image, label in enumerate(labels):
        assert label.any()
        for window in windows_of(table, image, 40, 16):
            assert window[2:].tolist() == [16, 16] and cut(label, window).any()


def test_an_object_lies_anywhere_in_its_window_with_equal_chance(tmp_path):
    label = np.zeros((60, 90), int)
    label[30, 40] = 1
    windows = windows_of(table_of(tmp_path, label), 0, 2000, 8)
    for axis, pixel in enumerate((30, 40)):
        times = np.bincount(pixel - windows[:, axis], minlength=8)
        assert len(times) == 8 and np.abs(times - 250).max() < 60  # four sigmas


def test_a_crop_anywhere_lies_at_every_place_with_equal_chance(tmp_path):
    label = np.zeros((12, 20), int)
    label[0, 0] = 1
    for windows in (
        windows_of(table_of(tmp_path, label), 0, 2000, 8, around=False),
        windows_of(
            table_of(tmp_path, label * 0), 0, 2000, 8, around=False
        ),  # also where no object is
    ):
        for axis, places in enumerate((5, 13)):
            times = np.bincount(windows[:, axis], minlength=places)
            assert (
                len(times) == places
                and np.abs(times - 2000 / places).max() < 4 * (2000 / places) ** 0.5
            )


def test_every_object_is_drawn_about_equally_often_whatever_its_area(tmp_path):
    label = np.zeros((100, 120), int)
    label[0, 0] = 1
    label[40:90, 20:70] = 2
    label[::2, 100] = 3  # 50 runs of one pixel
    label[97, 5:9] = 4
    numbers = [
        label[window[0], window[1]] for window in windows_of(table_of(tmp_path, label), 0, 2000, 1)
    ]  # a window of the very pixel
    times = np.bincount(numbers, minlength=5)
    assert times[0] == 0 and np.abs(times[1:] - 500).max() < 80


@pytest.mark.parametrize(
    ("shape", "size"),
    [((20, 30), (20, 30)), ((20, 100), (20, 64)), ((100, 20), (64, 20)), ((64, 64), (64, 64))],
)
def test_an_image_smaller_than_the_crop_gives_what_there_is(tmp_path, shape, size):
    label = np.zeros(shape, int)
    label[-1, -1] = 1
    table = table_of(tmp_path, label)
    for around in (True, False):
        windows = windows_of(table, 0, 20, 64, around=around)
        assert (
            (windows[:, 2:] == size).all()
            and (windows[:, :2] >= 0).all()
            and (windows[:, :2] + size <= shape).all()
        )
        if around:
            assert all(cut(label, window).any() for window in windows)


def test_a_window_depends_on_its_seed_alone(tmp_path):
    label = np.pad(np.ones((9, 9), int), 40)
    table = table_of(tmp_path, label)
    one, again, other = (windows_of(table, 0, 30, 16, seed=seed) for seed in (0, 0, 1))
    assert (
        np.array_equal(one, again)
        and not np.array_equal(one, other)
        and len({tuple(window) for window in one}) > 20
    )


# Shrunk images.


def area_means(values, factor):
    """Means over equal areas of an image (height, width, ...).

    The sides of the result are those of the image over `factor`, rounded up.
    """
    for axis in (0, 1):
        old = values.shape[axis]
        new = -(-old // factor)
        edges = np.arange(new + 1) * old / new
        share = np.clip(
            np.minimum(edges[1:, None], np.arange(1, old + 1))
            - np.maximum(edges[:-1, None], np.arange(old)),
            0,
            None,
        )
        values = np.moveaxis(
            np.tensordot(share / share.sum(1, keepdims=True), values, (1, axis)), 0, axis
        )
    return values


@pytest.mark.parametrize("factor", [2, 3])
def test_a_shrunk_mask_holds_the_share_of_each_area(factor):
    rng, traced = np.random.default_rng(0), tf.function(shrink_mask)
    for shape in ((6, 6), (12, 30), (48, 6)):
        mask = (rng.integers(0, 256, shape) * (rng.random(shape) < 0.5)).astype(
            np.uint8
        )  # numbered or not
        blocks = (mask > 0).reshape(shape[0] // factor, factor, shape[1] // factor, factor)
        expected = np.round(255 * blocks.mean((1, 3)))
        for found in (shrink_mask(mask, factor), traced(mask, factor)):
            assert found.dtype == tf.uint8 and np.array_equal(found, expected)
    for shape in ((1, 1), (7, 11), (25, 10)):
        mask = (rng.random(shape) < 0.5).astype(np.uint8)
        found = shrink_mask(mask, factor).numpy().astype(int)
        assert found.shape == tuple(-(-side // factor) for side in shape)
        assert np.abs(found - 255 * area_means(mask.astype(float), factor)).max() <= 0.51


@pytest.mark.parametrize("factor", [2, 3, 4, 6, 16])
def test_a_shrunk_jpeg_is_near_the_means_of_the_whole(practice, records, factor):
    traced = tf.function(
        lambda data: shrink_image(data, factor), input_signature=[tf.TensorSpec([], tf.string)]
    )
    for name in open_index(records).truth.ids[:3]:
        data = (practice / "train_v2" / name).read_bytes()
        found = traced(data)
        assert found.dtype == tf.uint8 and found.shape == (768 // factor, 768 // factor, 3)
        off = found.numpy() - area_means(
            tf.io.decode_jpeg(data, channels=3).numpy().astype(float), factor
        )
        assert np.abs(off).mean() < 2 and abs(off.mean()) < 1
        if factor == 3:  # decoded whole, then averaged
            assert np.abs(off).max() < 0.51
        assert np.array_equal(shrink_image(data, factor), found)


@pytest.mark.parametrize("factor", [1, 2, 3, 8])
@pytest.mark.parametrize("shape", [(24, 48), (1, 1), (25, 7)])
def test_a_shrunk_png_holds_the_means_of_the_whole(tmp_path, factor, shape):
    full = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    Image.fromarray(full).save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    for found in (shrink_image(data, factor), tf.function(shrink_image)(data, factor)):
        assert found.shape == (-(-shape[0] // factor), -(-shape[1] // factor), 3)
        assert np.abs(found.numpy() - area_means(full.astype(float), factor)).max() < 0.51


@pytest.mark.parametrize("factor", [2, 3, 16])
@pytest.mark.parametrize("shape", [(50, 33), (48, 96)])
def test_a_shrunk_jpeg_and_its_mask_have_one_size(tmp_path, factor, shape):
    Image.new("RGB", shape[::-1]).save(tmp_path / "a.jpg")
    image = shrink_image((tmp_path / "a.jpg").read_bytes(), factor)
    assert (
        image.shape[:2]
        == shrink_mask(tf.zeros(shape, tf.uint8), factor).shape
        == tuple(-(-side // factor) for side in shape)
    )
