import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.measure import label

from kit.cuts import Cuts
from kit.errors import KitError
from kit.masks import dense, table
from kit.objects import extraction
from kit.objects.rectangles import fit_rectangles

maps = st.tuples(st.integers(0, 14), st.integers(0, 14)).flatmap(
    lambda shape: arrays(np.uint8, shape, elements=st.sampled_from([0, 60, 100, 140, 200, 255]))
)
# Rated by their area alone: 10 px are worth one half.
BY_AREA = (-np.log(10), 1.0, *[0.0] * 19)


@given(maps, st.sampled_from([60, 100, 140]))
def test_objects_are_those_of_label_images(image, threshold):
    found = extraction.find_objects(["a"], [image], Cuts(threshold))
    wanted = label((image >= threshold).T, connectivity=1).T  # by first pixel, down the columns
    assert found == dense.from_labels(["a"], [wanted])


def test_an_object_has_the_outline_that_is_worth_the_most():
    image = np.zeros((40, 40), np.uint8)
    image[2:4, 2:6] = 90  # faint, 8 px
    image[8:14, 10:30] = 90  # a bridge between two
    image[8:14, 10:18] = image[8:14, 22:30] = 220
    # 8, 48 and 120 px are worth 0.44, 0.83 and 0.92 by their area.
    for least, areas in ((0.1, [8, 48, 48]), (0.5, [48, 48]), (0.8, [120]), (0.95, [])):
        cuts = Cuts(worth=BY_AREA, min_worth=least)
        assert table.areas(extraction.find_objects(["a"], [image], cuts)).tolist() == areas


@given(maps)
def test_presence_below_the_gate_leaves_an_image_empty(image):
    cuts = Cuts(100, min_presence=0.5)
    found = extraction.find_objects(
        ["a", "b"], [image, image], cuts, presence=np.array([0.49, 0.5], np.float32)
    )
    wanted = extraction.find_objects(["b"], [image], Cuts(100))
    assert table.count_objects(found).tolist() == [0, len(wanted.labels)]
    assert table.select(found, [1]) == wanted


def test_a_gate_compares_exactly_whatever_the_type():
    cut = (
        float(np.nextafter(np.float32(0.3), np.float32(1))) - 1e-12
    )  # a float64 just below a float32
    image = np.full((2, 2), 255, np.uint8)
    for value, number in ((np.float32(0.3), 0), (np.nextafter(np.float32(0.3), np.float32(1)), 1)):
        found = extraction.find_objects(
            ["a"], [image], Cuts(min_presence=cut), presence=np.array([value])
        )
        assert len(found.labels) == number


def test_blank_cuts_leave_all_images_empty():
    found = extraction.find_objects(
        ["a", "b"], [np.full((3, 4), 255, np.uint8)] * 2, Cuts(blank=True)
    )
    assert found == table.blank(["a", "b"], (3, 4))


def test_a_gate_without_presence_is_an_error():
    with pytest.raises(KitError, match="min_presence"):
        extraction.find_objects(["a"], [np.zeros((2, 2), np.uint8)], Cuts(min_presence=0.5))


@pytest.mark.parametrize("cuts", [Cuts(150), Cuts(worth=BY_AREA, min_worth=0.2)])
def test_rectangles_are_drawn_after_the_cuts(cuts):
    image = np.zeros((60, 60), np.uint8)
    image[10:20, 10:40] = 200
    image[12, 38:44] = 200  # a spur
    found = extraction.find_objects(["a"], [image], dataclasses.replace(cuts, rectangles=True))
    raw = extraction.find_objects(["a"], [image], cuts)
    threshold = 51 if cuts.worth else 150
    assert found == fit_rectangles(raw, [image], threshold=threshold)[0]
    assert table.areas(found).tolist() == [300] and table.areas(raw).tolist() == [304]
