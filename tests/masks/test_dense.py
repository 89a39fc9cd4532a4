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
stacks = st.tuples(st.integers(0, 4), st.integers(0, 12), st.integers(0, 12)).flatmap(
    lambda shape: arrays(bool, shape)
)
# The same stack in memory: rows, columns, masks interleaved, and every second mask of a larger one.
ORDERS = {
    "rows": np.ascontiguousarray,
    "columns": lambda stack: np.ascontiguousarray(stack.transpose(0, 2, 1)).transpose(0, 2, 1),
    "interleaved": np.asfortranarray,
    "a slice": lambda stack: np.repeat(stack, 2, axis=0)[::2],
    "uint8": lambda stack: 255 * stack.astype(np.uint8),
    "float": lambda stack: 0.1 * stack,
    "lists": lambda stack: stack.tolist() if stack.size else stack,
}


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


@given(stacks, st.sampled_from(sorted(ORDERS)))
def test_how_masks_lie_in_memory_does_not_matter(stack, order):
    table = dense.from_masks(["a"], [ORDERS[order](stack)])
    assert texts(table) == ([encode_by_hand(mask) for mask in stack if mask.any()] or [""])
    assert table.shapes.tolist() == [list(stack.shape[1:])]


@pytest.mark.parametrize("turn", [False, True])
def test_lone_pixels_are_found_wherever_they_lie(turn):
    """In empty words of eight bytes, at their borders, and in what is left behind the last one."""
    places = (0, 7, 8, 9, 100, 511, 512, 1000, 1022, 1023, 1028)
    stack = np.zeros((len(places), 21, 49), bool)  # 1,029 bytes
    for mask, place in zip(stack, places):
        mask.ravel()[place] = True
    stack = stack.transpose(0, 2, 1) if turn else stack
    found = dense.from_masks(["a"], [stack])
    assert np.array_equal(dense.to_masks(found, 0), stack)
    assert found.length.tolist() == [1] * len(places)


def test_what_is_no_stack_or_label_image_is_named():
    with pytest.raises(KitError, match=r"a: a stack of masks is .* got shape \(3, 4\)"):
        dense.from_masks(["a"], [np.ones((3, 4), bool)])
    with pytest.raises(KitError, match="a: 1 labels for 2 masks"):
        dense.from_masks(["a"], [np.ones((2, 3, 4), bool)], [[1]])
    with pytest.raises(KitError, match=r"a: a label image is .* got shape \(1, 3, 4\)"):
        dense.from_labels(["a"], [np.ones((1, 3, 4), int)])


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
