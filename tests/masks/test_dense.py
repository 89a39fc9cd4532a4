import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco
from rlemasklib import RLEMask

from kit.competition import csv_text
from kit.errors import KitError
from kit.masks import dense
from kit.masks import table as masks
from tests.oracles import encode_by_hand

shapes = st.tuples(st.integers(0, 9), st.integers(0, 9))
labels = shapes.flatmap(lambda shape: arrays(np.int32, shape, elements=st.integers(0, 3)))
stacks = st.tuples(st.integers(0, 4), st.integers(0, 7), st.integers(0, 7)).flatmap(
    lambda shape: arrays(bool, shape)
)


def texts(table) -> list[str]:
    """The runs of every object as Airbus's text."""
    return [line.split(",")[1] for line in csv_text.format_csv(table).decode().splitlines()[1:]]


@given(labels)
def test_labels_to_runs_and_back(image):
    table = dense.from_labels(["a"], [image])
    back = dense.to_labels(table, 0)
    values = [
        value for value in dict.fromkeys(image.T.ravel().tolist()) if value
    ]  # by first pixel, column by column
    assert back.shape == image.shape
    for number, value in enumerate(values):
        assert np.array_equal(back == number + 1, image == value)
    assert texts(table) == ([encode_by_hand(image == value) for value in values] or [""])
    assert masks.areas(table).tolist() == [(image == value).sum() for value in values]


@given(stacks)
def test_boolean_masks_to_runs_and_back(stack):
    table = dense.from_masks(["a"], [stack], [range(len(stack))])
    held = [place for place, mask in enumerate(stack) if mask.any()]
    assert (
        np.array_equal(dense.to_masks(table, 0), stack[held])
        and dense.to_masks(table, 0).shape[1:] == stack.shape[1:]
    )
    assert texts(table) == ([encode_by_hand(stack[place]) for place in held] or [""])
    assert table.labels.tolist() == held


@given(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_runs_and_areas_are_those_of_pycocotools_and_rlemasklib(mask):
    table = dense.from_masks(["a"], [mask[None]])
    counts = np.zeros(2 * len(table.start) + 1, int)  # zeros, ones, zeros ... as COCO has it
    counts[1::2] = table.length
    counts[0:-1:2] = table.start - np.concatenate([[0], (table.start + table.length)[:-1]])
    counts[-1] = mask.size - counts.sum()
    counts = counts[: len(counts) - (counts[-1] == 0)]
    theirs = {"size": list(mask.shape), "counts": counts.tolist()}
    assert (
        coco.frPyObjects(theirs, *mask.shape)["counts"]
        == coco.encode(np.asfortranarray(mask, np.uint8))["counts"]
    )
    assert masks.areas(table).sum() == coco.area(coco.encode(np.asfortranarray(mask, np.uint8)))
    assert np.array_equal(RLEMask.from_counts(counts, mask.shape).to_array(), mask)


def test_full_masks_and_corner_pixels():
    for shape in ((1, 1), (1, 5), (5, 1), (3, 7)):
        full = np.ones(shape, bool)
        assert texts(dense.from_masks(["a"], [full[None]])) == [f"1 {full.size}"]
        for place in {0, full.size - 1, max(full.size - 2, 0)}:
            one = np.zeros(full.size, bool)
            one[place] = True
            assert texts(dense.from_masks(["a"], [one.reshape(shape[::-1]).T[None]])) == [
                f"{place + 1} 1"
            ]


def test_a_position_below_zero_counts_from_the_end_and_others_are_refused():
    images = [np.eye(3, dtype=int), np.zeros((2, 2), int), np.full((1, 4), 7)]
    table = dense.from_labels(["a", "b", "c"], images)
    for place in range(3):
        for take in (dense.to_labels, dense.to_masks):
            assert np.array_equal(take(table, place), take(table, place - 3))
            assert np.array_equal(take(table, np.int64(place)), take(table, place))
    assert dense.to_labels(table, -1).tolist() == [[1, 1, 1, 1]]
    assert masks.select(table, [-1, 0]) == masks.select(table, [2, 0])
    for take in (
        dense.to_labels,
        dense.to_masks,
        lambda table, place: masks.select(table, [place]),
    ):
        for place in (3, -4, 2**40):
            with pytest.raises(KitError, match=f"position {place}: there are 3, counted from 0"):
                take(table, place)
        with pytest.raises(KitError, match="position 1.5: expected a whole number"):
            take(table, 1.5)
        with pytest.raises(KitError, match="position 0: there are 0"):
            take(masks.blank([], []), 0)
