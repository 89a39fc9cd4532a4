import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import KitError
from kit.masks import dense
from kit.masks import table as masks
from tests.masks.test_dense import labels


def spans(*objects, shape=(10, 10)) -> masks.Masks:
    """One image whose objects are single runs (start, length)."""
    start, length = (np.array([span[side] for span in objects], np.int32) for side in (0, 1))
    number = len(objects)
    shapes = np.array([shape], np.int32)
    return masks.Masks(
        np.array(["a"], object),
        shapes,
        np.array([0, number]),
        np.zeros(number, np.int32),
        np.arange(number + 1),
        start,
        length,
    )


@given(st.lists(labels, max_size=4))
def test_boxes_select_and_concatenate_agree_with_dense_masks(images):
    names = [f"{place}.jpg" for place in range(len(images))]
    table = dense.from_labels(names, images)
    for place in range(len(images)):
        one = masks.select(table, [place])
        drawn = dense.to_labels(one, 0)
        assert np.array_equal(drawn, dense.to_labels(table, place))
        for number, box in enumerate(masks.boxes(one)):
            where = np.where(drawn == number + 1)
            assert box.tolist() == [
                where[0].min(),
                where[1].min(),
                where[0].max() + 1,
                where[1].max() + 1,
            ]
    assert (
        masks.concatenate([masks.select(table, [place]) for place in range(len(images))]) == table
    )
    backwards = masks.select_ids(table, names[::-1])
    assert masks.select_ids(backwards, names) == table
    kept = masks.select_objects(table, masks.areas(table) >= 3)
    assert masks.areas(kept).tolist() == [area for area in masks.areas(table) if area >= 3]
    assert len(kept) == len(table)


def test_equality_looks_at_everything():
    table = spans((0, 2), (5, 1))
    assert (
        table == spans((0, 2), (5, 1))
        and table != spans((0, 2), (5, 2))
        and table != spans((0, 2))
        and table != 1
    )
    assert table != spans((0, 2), (5, 1), shape=(5, 20))


def test_an_unknown_image_is_named():
    with pytest.raises(KitError, match=r"image z\.jpg: not among these masks"):
        masks.select_ids(spans((0, 1)), ["z.jpg"])


@given(st.lists(st.tuples(st.integers(0, 29), st.integers(1, 8)), max_size=8))
def test_overlaps_are_found_whenever_two_objects_share_a_pixel(objects):
    taken = [set(range(begin, begin + size)) for begin, size in objects]
    shared = {
        frozenset((a, b)) for a in range(len(objects)) for b in range(a) if taken[a] & taken[b]
    }
    pairs = masks.overlaps(spans(*objects))
    assert bool(pairs) == bool(shared) and {frozenset(pair) for pair in pairs} <= shared


def test_overlaps_among_hundreds_of_objects():
    objects = [(3 * place, 3) for place in range(300)]
    assert masks.overlaps(spans(*objects[::-1], shape=(30, 30))) == []
    (pair,) = masks.overlaps(spans(*objects[::-1], (451, 1), shape=(30, 30)))
    assert set(pair) == {300, 299 - 150}


def test_images_are_chosen_by_position_or_flag():
    table = masks.blank(["a", "b", "c"], (2, 2))
    assert (
        masks.select(table, np.array([False, True, True])).ids.tolist()
        == masks.select(table, [1, 2]).ids.tolist()
        == ["b", "c"]
    )


@given(st.lists(st.tuples(st.integers(0, 29), st.integers(1, 8), st.integers(0, 2)), max_size=8))
def test_joined_masks_have_the_pixels_of_all(objects):
    table = dataclasses.replace(
        spans(*[span[:2] for span in objects]),
        labels=np.array([span[2] for span in objects], np.int32),
    )
    table = masks.concatenate([table, masks.blank(["b"], (3, 3)), table])
    joined = masks.join(table)
    stacks = dense.to_masks(table, 0)
    wanted = [
        stacks[table.labels[: len(objects)] == label].any(0)
        for label in sorted({span[2] for span in objects})
    ]
    for image in (0, 2):
        assert np.array_equal(dense.to_masks(joined, image), np.array(wanted).reshape(-1, 10, 10))
    assert (
        joined.labels.tolist() == 2 * sorted({span[2] for span in objects})
        and masks.join(joined) == joined
    )


def test_labels_become_images_of_their_own():
    table = dense.from_masks(
        ["a", "b"], [np.ones((2, 1, 3), bool), np.ones((1, 1, 3), bool)], [[1, 0], [2]]
    )
    split = masks.split_labels(table, 3)
    assert split.ids.tolist() == ["a_0", "a_1", "a_2", "b_0", "b_1", "b_2"] and masks.count_objects(
        split
    ).tolist() == [1, 1, 0, 0, 0, 1]
    with pytest.raises(KitError, match="labels go from 0 to 2, expected 0 to 1"):
        masks.split_labels(table, 2)
