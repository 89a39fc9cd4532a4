import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.measure import label

from kit.cuts import Cuts
from kit.errors import KitError
from kit.masks import dense, table
from kit.objects import components, extraction
from kit.objects.rectangles import fit_rectangles

maps = st.tuples(st.integers(0, 14), st.integers(0, 14)).flatmap(
    lambda shape: arrays(np.uint8, shape, elements=st.sampled_from([0, 60, 100, 140, 200, 255]))
)


def find_by_hand(image, cuts):
    """Labels of the objects, by label images and loops."""
    found, number = np.zeros(image.shape, int), 0
    pieces = []
    wide = label(
        image >= (cuts.small_threshold if cuts.small_area else cuts.threshold), connectivity=1
    )
    for value in range(1, wide.max(initial=0) + 1):
        part = wide == value
        if cuts.small_area and part.sum() >= cuts.small_area:
            inner = label(part & (image >= cuts.threshold), connectivity=1)
            pieces += [inner == k for k in range(1, inner.max(initial=0) + 1)]
        else:
            pieces.append(part)
    pieces.sort(key=lambda part: np.flatnonzero(part.T.ravel())[0])
    for part in pieces:
        values = image[part].astype(int)
        if part.sum() >= cuts.min_area and values.mean() >= 255 * cuts.min_confidence:
            number += 1
            found[part] = number
    return found


@given(
    maps,
    st.sampled_from([0, 1, 3, 9]),
    st.sampled_from([60, 100, 140]),
    st.integers(1, 4),
    st.sampled_from([0.0, 0.45]),
)
def test_all_cuts_are_those_of_label_images_and_loops(
    image, small_area, small_threshold, min_area, min_confidence
):
    cuts = Cuts(140, small_area, small_threshold, min_area, min_confidence)
    found = extraction.find_objects(["a"], [image], cuts)
    wanted = find_by_hand(image, cuts) if image.size else np.zeros(image.shape, int)
    assert found == dense.from_labels(["a"], [wanted])  # order and runs too


def test_a_small_object_keeps_the_low_threshold_and_a_large_one_the_high():
    image = np.zeros((40, 40), np.uint8)
    image[2:6, 2:6] = 90  # faint and small
    image[10:30, 10:30] = 90  # a faint halo around a large object
    image[13:27, 13:27] = 220
    found = extraction.find_objects(["a"], [image], Cuts(150, small_area=50, small_threshold=77))
    assert table.areas(found).tolist() == [16, 196]


@pytest.mark.parametrize("small_area", [0, 5])
def test_an_object_that_just_reaches_a_cut_stays(small_area):
    image = np.zeros((6, 6), np.uint8)
    image[2:4, 2:4] = [[200, 102], [102, 104]]  # mean 127, 4 px
    sizes = {"small_area": small_area, "small_threshold": 100} if small_area else {}
    for name, value, above in (("min_confidence", 127 / 255, 127.5 / 255), ("min_area", 4, 5)):
        assert (
            len(extraction.find_objects(["a"], [image], Cuts(100, **sizes, **{name: value})).labels)
            == 1
        )
        assert (
            len(extraction.find_objects(["a"], [image], Cuts(100, **sizes, **{name: above})).labels)
            == 0
        )


def test_a_component_of_exactly_the_small_area_has_the_high_threshold():
    image = np.full((2, 4), 100, np.uint8)
    for small_area, number in ((8, 0), (9, 1)):
        assert (
            len(
                extraction.find_objects(
                    ["a"], [image], Cuts(150, small_area=small_area, small_threshold=90)
                ).labels
            )
            == number
        )


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


def test_rectangles_are_drawn_after_the_cuts():
    image = np.zeros((60, 60), np.uint8)
    image[10:20, 10:40] = 200
    image[12, 38:44] = 200  # a spur
    image[50, 50] = 200  # dropped by its area, so no rectangle
    found = extraction.find_objects(["a"], [image], Cuts(min_area=5, rectangles=True, min_fit=0.5))
    raw = extraction.find_objects(["a"], [image], Cuts(min_area=5))
    assert found == fit_rectangles(raw, [image], min_fit=0.5)[0]
    assert table.areas(found).tolist() == [300] and table.areas(raw).tolist() == [304]
    assert (
        extraction.find_objects(["a"], [image], Cuts(min_area=5, rectangles=True, min_fit=0.99))
        == raw
    )  # no rectangle fits so well


@given(maps, maps)
def test_parents_hold_their_children(first, second):
    wide = components.find_components(["a"], [first], 60)
    narrow = components.find_components(["a"], [first], 200)
    parents = extraction.find_parents(narrow, wide)
    for child, parent in zip(dense.to_masks(narrow, 0), parents):
        assert (dense.to_masks(wide, 0)[parent] >= child).all()
