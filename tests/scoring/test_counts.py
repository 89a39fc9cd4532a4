"""Counts against a dense loop in exact fractions and the IoU of pycocotools and rlemasklib.

Their symmetries, too.
"""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco
from rlemasklib import RLEMask

from kit.errors import KitError
from kit.masks import dense
from kit.masks import table as masks
from kit.scoring import scores as score
from kit.scoring.counts import align, count
from tests.oracles import count_by_hand

shapes = st.tuples(st.integers(0, 9), st.integers(0, 9))
pairs = shapes.flatmap(
    lambda shape: st.tuples(*[arrays(np.int32, shape, elements=st.integers(0, 4))] * 2)
)


def count_labels(truth, prediction):
    return count(dense.from_labels(["a"], [truth]), dense.from_labels(["a"], [prediction]))


def lists(counts):
    return counts.tp[0].tolist(), counts.fp[0].tolist(), counts.fn[0].tolist()


@given(pairs)
def test_counts_agree_with_a_dense_loop(images):
    truth, prediction = images
    counts = count_labels(truth, prediction)
    assert lists(counts) == count_by_hand(truth, prediction)
    assert counts.pixels[0].tolist() == [
        ((truth > 0) & (prediction > 0)).sum(),
        (truth > 0).sum(),
        (prediction > 0).sum(),
    ]
    assert (
        counts.truth_area.sum() == counts.pixels[0, 1]
        and counts.predicted_area.sum() == counts.pixels[0, 2]
    )
    for hits in (counts.truth_hits, counts.predicted_hits):
        assert [(hits > level).sum() for level in range(10)] == lists(counts)[0]


@given(pairs)
def test_flips_turns_and_swaps_change_nothing_that_they_should_not(images):
    plain = count_labels(*images)
    for change in (np.fliplr, np.flipud, np.rot90, np.transpose):
        other = count_labels(*map(change, images))
        assert lists(other) == lists(plain) and np.array_equal(other.pixels, plain.pixels)
    tp, fp, fn = lists(count_labels(*images[::-1]))
    assert (tp, fn, fp) == lists(plain)


@given(pairs, st.permutations([1, 2, 3, 4]), st.integers(0, 2**32 - 1))
def test_relabeling_and_the_order_of_objects_change_nothing(images, names, seed):
    plain = lists(count_labels(*images))
    other = [np.array([0, *names])[image] for image in images]
    assert lists(count_labels(*other)) == plain
    shuffled = []
    for side, image in enumerate(images):
        stack = dense.to_masks(dense.from_labels(["a"], [image]), 0)
        shuffled.append(
            dense.from_masks(
                ["a"], [stack[np.random.default_rng(seed + side).permutation(len(stack))]]
            )
        )
    assert lists(count(*shuffled)) == plain


@given(pairs)
def test_an_added_wrong_mask_never_raises_a_score(images):
    truth, prediction = images
    before = count_labels(truth, prediction)
    for column in range(truth.shape[1]):
        more = prediction.copy()
        more[:, column] = np.where(
            prediction[:, column] == 0, 9, prediction[:, column]
        )  # an object in what was background
        if (more == 9).any() and not (
            count_labels(truth, np.where(more == 9, 9, 0)).tp[0] > 0
        ).any():
            after = count_labels(truth, more)
            for scores in (
                score.f2_by_threshold,
                score.f1_by_threshold,
                score.jaccard_by_threshold,
            ):
                assert (scores(after) <= scores(before)).all()


def bars(*sizes) -> np.ndarray:
    """A label image (1, 400) of horizontal bars, one after the other with a gap."""
    image, at = np.zeros((1, 400), np.int32), 0
    for number, size in enumerate(sizes):
        image[0, at : at + size] = number + 1
        at += 40
    return image


@pytest.mark.parametrize("k", range(10, 20))
def test_iou_of_exactly_the_threshold_is_no_hit(k):
    counts = count_labels(bars(20, 40), bars(k, 2 * k))
    assert counts.tp[0].tolist() == [2 if level < k else 0 for level in range(10, 20)]


def test_hundreds_of_objects():
    rng = np.random.default_rng(0)
    image = np.arange(1, 401).reshape(20, 20).repeat(4, 0).repeat(5, 1)
    other = np.where(rng.random(image.shape) < 0.8, image, 0)
    wanted = count_by_hand(image, other)
    assert lists(count_labels(image, other)) == wanted
    assert lists(count_labels(image, image))[0] == [400] * 10
    order = rng.permutation(400)  # the rows of a CSV come in any order
    stacks = [np.stack([side == value for value in order + 1]) for side in (image, other)]
    assert lists(count(*(dense.from_masks(["a"], [stack]) for stack in stacks))) == wanted


def test_a_large_object_beside_many_small_ones():
    comb = np.zeros((300, 200), np.int32)
    comb[::2], comb[:, 0] = 1, 1  # 200 columns of 150 runs each, all one object
    teeth = np.where(comb == 0, np.arange(comb.size).reshape(comb.shape) // 40 + 2, comb)
    found = np.where(teeth == 1, 1, np.roll(teeth, 1, 1))
    found[:, 0] = 1
    assert lists(count_labels(teeth, teeth))[0] == [len(np.unique(teeth))] * 10
    quick = count_labels(teeth, found)
    shared = [(teeth == value) & (found == value) for value in np.unique(teeth)]
    assert (
        quick.pixels[0, 0] == teeth.size
        and quick.tp[0, 0] >= sum(both.any() for both in shared) * 0.5
    )


@settings(max_examples=200)
@given(shapes.flatmap(lambda s: st.tuples(*[arrays(bool, (max(s[0], 1), max(s[1], 1)))] * 2)))
def test_hits_are_those_of_pycocotools_and_rlemasklib(sides):
    if not all(side.any() for side in sides):
        return
    counts = count(*(dense.from_masks(["a"], [side[None]]) for side in sides))
    both, truth, predicted = counts.pixels[0].tolist()
    a, b = (coco.encode(np.asfortranarray(side, np.uint8)) for side in sides)
    assert both / (truth + predicted - both) == coco.iou([b], [a], [0])[0, 0]
    assert both / (truth + predicted - both) == pytest.approx(
        RLEMask.from_array(sides[0]).iou(RLEMask.from_array(sides[1]))
    )
    assert counts.tp[0, 0] == (coco.iou([b], [a], [0])[0, 0] > 0.5)


def test_empty_objects_and_images_harm_nothing():
    table = dense.from_labels(["a", "b"], [bars(5, 5), np.zeros((0, 3), int)])
    hollow = dataclasses.replace(
        table,
        objects=np.array([0, 3, 3]),
        runs=np.array([0, 1, 1, 2]),
        labels=np.zeros(3, np.int32),
    )
    counts = count(hollow, table)
    assert (
        counts.tp[0].tolist() == [2] * 10
        and counts.fn[0].tolist() == [1] * 10
        and counts.truth_hits.tolist() == [10, 0, 10]
    )


@pytest.mark.parametrize("side", [0, 1])
def test_overlap_is_an_error(side):
    image = dense.from_labels(["a"], [np.array([[1, 1, 2]])])
    bad = dataclasses.replace(
        image, start=np.array([0, 1], np.int32), length=np.array([2, 2], np.int32)
    )
    sides = [bad, image] if side == 0 else [image, bad]
    with pytest.raises(
        KitError, match=f"{('truth', 'prediction')[side]}, image a: two objects overlap"
    ):
        count(*sides)


def test_other_images_orders_and_sizes_are_errors():
    table = dense.from_labels(["a", "b"], [bars(1), bars(2)])
    with pytest.raises(KitError, match="differ in their images"):
        count(table, masks.select(table, [1, 0]))
    with pytest.raises(KitError, match="differ in the sizes"):
        count(table, dataclasses.replace(table, shapes=table.shapes[:, ::-1]))
    assert align(table, masks.select(table, [1, 0])) == table
    with pytest.raises(
        KitError,
        match="1 images of truth are missing, the first is b; give each at least a blank row",
    ):
        align(table, masks.select(table, [0]))
    with pytest.raises(
        KitError, match="1 images are not in truth, the first is b; remove their rows"
    ):
        align(masks.select(table, [0]), table)
