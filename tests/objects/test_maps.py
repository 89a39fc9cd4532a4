"""One rule for maps in memory and in files."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.competition.conventions import Competition
from kit.competition.csv_text import format_csv
from kit.errors import KitError
from kit.masks import dense
from kit.objects.extraction import find_objects
from kit.objects.map_files import read_map
from kit.objects.maps import check_map, to_uint8
from kit.objects.rectangles import fit_rectangles
from kit.submission.map_folder import predict_maps
from kit.tuning.map_folder import tune_maps
from tests.conftest import write_csv

SHAPE = (5, 7)
SMALL = Competition(height=SHAPE[0], width=SHAPE[1])
ONE = dense.from_masks(["a"], [np.eye(*SHAPE, dtype=bool)[None]])


def predict(image, folder):
    write_csv(folder / "sample.csv", "a,1 1")
    np.save(folder / "a.npy", image)
    return predict_maps(folder, folder / "sample.csv", folder / "out.csv", competition=SMALL)


def tune(image, folder):
    (folder / "truth.csv").write_bytes(format_csv(ONE, SMALL))
    np.save(folder / "a.npy", image)
    settings = {"competition": SMALL, "empty_share": 0}
    return tune_maps(folder, folder / "truth.csv", folder / "out.json", **settings)


DOORS = {
    "find_objects": lambda image, _: find_objects(["a"], [image]),
    "fit_rectangles": lambda image, _: fit_rectangles(ONE, [image]),
    "predict_maps": predict,
    "tune_maps": tune,
}
BYTES, HOLE = np.where(np.eye(*SHAPE) > 0, np.float32(220), np.float32(20)), np.zeros(SHAPE)
HOLE[3, 2] = np.nan
REFUSED = {
    "logits": (np.linspace(-4, 4, 35, dtype=np.float32).reshape(SHAPE), "go from -4.0 to 4.0"),
    "bytes as floats": (
        BYTES,
        "go from 20.0 to 220.0, expected .* 0 to 255 as uint8",
    ),
    "NaN": (HOLE, r"the map is NaN at row 3, column 2 \(from 0\)"),
    "too far above": (np.full(SHAPE, 1.0000019, np.float32), "go from 1.0000019 to 1.0000019"),
    "too far below": (np.full(SHAPE, -2e-6), "go from -2e-06 to -2e-06"),
    "far above in half": (np.full(SHAPE, 1.002, np.float16), "go from 1.002 to 1.002"),
    "infinite": (np.full(SHAPE, np.inf), "go from inf to inf"),
    "int64": (np.zeros(SHAPE, np.int64), "the map is int64, expected uint8, or float in 0..1"),
    "uint16": (np.zeros(SHAPE, ">u2"), "the map is uint16, expected uint8"),
    "bool": (np.zeros(SHAPE, bool), "the map is bool, expected uint8"),
    "complex": (np.zeros(SHAPE, complex), "the map is complex128, expected uint8"),
    "a channel": (np.zeros((*SHAPE, 1), np.uint8), r"the map has shape \(5, 7, 1\), expected"),
    "flat": (np.zeros(35, np.float32), r"the map has shape \(35,\), expected"),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("kind", REFUSED)
def test_an_array_is_refused_as_the_same_array_in_a_file(kind, door, tmp_path):
    image, words = REFUSED[kind]
    where = r"a\.npy" if door in ("predict_maps", "tune_maps") else "^a"
    with pytest.raises(KitError, match=f"{where}: .*{words}"):
        DOORS[door](image, tmp_path)


@pytest.mark.parametrize("door", ["fit_rectangles", "predict_maps"])
def test_another_shape_than_the_images_is_refused(door, tmp_path):
    with pytest.raises(KitError, match=r"a.*: the map has shape \(7, 5\), expected \(5, 7\)"):
        DOORS[door](np.zeros(SHAPE[::-1], np.float32), tmp_path)


def test_blank_and_gated_images_are_looked_at_too():
    from kit.cuts import Cuts

    for cuts in (Cuts(blank=True), Cuts(min_presence=0.9)):
        with pytest.raises(KitError, match="^a: the map is int64"):
            find_objects(["a"], [np.zeros(SHAPE, np.int64)], cuts, presence=[0.1])


def test_an_average_that_leaves_0_to_1_by_a_rounding_error_is_clipped(tmp_path):
    one = np.zeros(SHAPE, np.float32)
    one[1:3, 2:4] = 1
    total = sum(np.float32(0.1) * one for _ in range(10))
    assert total.max() == np.float32(1.0000001) > 1
    for image in (total, total - np.float32(5e-7), total.astype(float), total.astype(">f4")):
        checked = check_map(image)
        assert checked.min() >= 0 and checked.max() <= 1 and checked.dtype == np.float32
        assert find_objects(["a"], [image]) == find_objects(["a"], [to_uint8(one)])
        np.save(tmp_path / "a.npy", image)
        assert np.array_equal(read_map(tmp_path, "a"), to_uint8(one))
        assert predict(image, tmp_path).start.tolist() == [11, 16]
    assert check_map(np.full(SHAPE, 1.001, np.float16)).max() == 1  # the next float16 after 1


@given(st.sampled_from(["f2", "f4", "f8"]), st.sampled_from("<>"), st.integers(0, 2**32))
def test_floats_of_every_size_and_byte_order_are_read(size, order, seed):
    values = np.random.default_rng(seed).random(SHAPE).astype(size)
    values[0, :3] = 0, 1, -0.0
    checked = check_map(values.astype(order + size)[::-1])
    assert checked.dtype == np.float32 and checked.flags.c_contiguous
    assert np.array_equal(checked, values[::-1].astype(np.float32))


def test_probabilities_are_rounded_to_255ths():
    values = [0, 0.5, 1, 1.5, -1, 127.4 / 255]
    assert to_uint8(np.array(values)).tolist() == [0, 128, 255, 255, 0, 127]


def test_a_map_without_pixels_is_one():
    assert check_map(np.zeros((0, 7), np.float32)).shape == (0, 7)
