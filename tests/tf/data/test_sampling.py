import itertools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.errors import KitError
from kit.presets import STAGES
from kit.tf.data.sampling import MOST, plan_sampling

OBJECTS = np.random.default_rng(0).permutation(
    [0] * 60 + [1] * 20 + [2] * 9 + [3] * 5 + [*range(4, 14), 15, 20, 30]
)  # 107 images


def draw(sampling, numbers):
    image, around = sampling.draw(tf.constant(numbers, tf.int64))
    return image.numpy(), around.numpy()


def crops_of(sampling, epoch):
    """Images and `around` of one epoch."""
    total = int(sampling.bounds[-1])
    return draw(sampling, np.arange(epoch * total, (epoch + 1) * total))


def times(images, members):
    """How often each of some images was shown."""
    return np.bincount(images, minlength=len(OBJECTS))[members]


@pytest.mark.parametrize(
    ("ships", "empty"),
    [(0.75, 0.1), (0.5, 0.25), (0, 0.4), (1, 0), (0.3, 0.7), (0, 0), (0, 1), (1 / 3, 1 / 3)],
)
@pytest.mark.parametrize("balance", [False, True])
def test_an_epoch_has_the_asked_shares(ships, empty, balance):
    sampling = plan_sampling(OBJECTS, 400, ship_share=ships, empty_share=empty, balance=balance)
    for epoch in (0, 1, 7):
        image, around = crops_of(sampling, epoch)
        assert len(image) == 400 and abs(around.sum() - 400 * ships) < 1
        assert abs((OBJECTS[image] == 0).sum() - 400 * empty) < 1


def test_the_recipe_for_whole_images_shows_as_many_empty_ones():
    full = STAGES["kaggle-whole"]
    shares = {name: full[name] for name in ("ship_share", "empty_share")}
    image, _ = crops_of(plan_sampling(OBJECTS, 400, **shares), 0)
    assert (OBJECTS[image] == 0).sum() == 200


def test_crops_around_objects_come_from_images_with_objects():
    for empty, balance in itertools.product((None, 0.2), (False, True)):
        image, around = draw(
            plan_sampling(OBJECTS, 50, ship_share=0.6, empty_share=empty, balance=balance),
            np.arange(500),
        )
        assert around.sum() == 300 and (OBJECTS[image[around]] > 0).all()


def test_without_a_share_of_empty_images_the_others_are_drawn_from_all_alike():
    sampling = plan_sampling(OBJECTS, 2 * len(OBJECTS), ship_share=0.5)
    image, around = crops_of(sampling, 0)
    assert (times(image[~around], np.arange(len(OBJECTS))) == 1).all()


@settings(max_examples=60)
@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=12).filter(any),
    st.integers(1, 40),
    st.sampled_from([0, 0.25, 0.5, 1]),
    st.booleans(),
    st.integers(0, 2**31),
)
def test_images_of_a_group_are_shown_equally_often_after_every_epoch(
    objects, crops, ships, balance, seed
):
    sampling = plan_sampling(np.array(objects), crops, ship_share=ships, balance=balance, seed=seed)
    image, around = draw(sampling, np.arange(12 * crops))
    kind = np.minimum(objects, MOST) if balance else np.zeros(len(objects), int)
    for end, value, near in itertools.product(
        range(crops, 12 * crops + 1, crops), np.unique(kind), (True, False)
    ):
        members = np.flatnonzero((kind == value) & (np.array(objects) > 0 if near else True))
        shown = times(image[:end][around[:end] == near], members)
        assert shown.max(initial=0) - shown.min(initial=shown.max(initial=0)) <= 1


@pytest.mark.parametrize("crops", [1, 3, 4, 6, 12, 24])
def test_every_image_is_shown_once_before_any_twice_whatever_the_epoch(crops):
    sampling = plan_sampling(np.zeros(12, int), crops, ship_share=0)
    image, _ = draw(sampling, np.arange(48))
    if crops <= 12:
        passes = image.reshape(-1, 12)
        assert (np.sort(passes) == np.arange(12)).all()
        assert len({tuple(order) for order in passes.tolist()}) == 4  # every time in another order
    else:
        assert (np.sort(image.reshape(-1, 24)) == np.repeat(np.arange(12), 2)).all()


def test_a_number_gives_the_same_crop_however_it_is_drawn():
    sampling = plan_sampling(OBJECTS, 40, ship_share=0.5, empty_share=0.2, balance=True, seed=5)
    image, around = draw(sampling, np.arange(200))
    traced = tf.function(sampling.draw, input_signature=[tf.TensorSpec([None], tf.int64)])
    singles = [draw(sampling, [number]) for number in range(0, 200, 7)]
    assert [(one[0], near[0]) for one, near in singles] == list(zip(image[::7], around[::7]))
    for begin, end in ((0, 200), (37, 38), (35, 90), (199, 200), (50, 50)):
        for found in (
            draw(sampling, np.arange(begin, end)),
            [part.numpy() for part in traced(tf.range(begin, end, dtype=tf.int64))],
        ):
            assert np.array_equal(found[0], image[begin:end]) and np.array_equal(
                found[1], around[begin:end]
            )
    backward = draw(sampling, np.arange(200)[::-1])
    assert np.array_equal(backward[0][::-1], image)
    for block in (1, 64):
        data = (
            tf.data.Dataset.range(30, 200)
            .batch(block)
            .map(sampling.draw, num_parallel_calls=2)
            .unbatch()
        )
        pairs = list(data.as_numpy_iterator())
        assert [int(pair[0]) for pair in pairs] == image[30:].tolist() and [
            bool(pair[1]) for pair in pairs
        ] == around[30:].tolist()


def test_the_same_plan_made_again_gives_the_same_crops():
    twice = [
        draw(plan_sampling(OBJECTS, 40, ship_share=0.5, seed=5), np.arange(200)) for _ in range(2)
    ]
    assert np.array_equal(twice[0][0], twice[1][0]) and np.array_equal(twice[0][1], twice[1][1])


def test_another_seed_and_another_epoch_have_another_order():
    orders = set()
    for seed, epoch in itertools.product((0, 1, 2**31 - 1), (0, 1, 2, 10**6)):
        image, around = crops_of(plan_sampling(OBJECTS, 107, ship_share=0, seed=seed), epoch)
        assert sorted(image) == list(range(107)) and not around.any()
        assert image.tolist() != sorted(image)
        orders.add(tuple(image.tolist()))
    assert len(orders) == 12
    patterns = {
        crops_of(plan_sampling(OBJECTS, 50, ship_share=0.5, seed=seed), epoch)[1].tobytes()
        for seed in (0, 1)
        for epoch in range(4)
    }
    assert len(patterns) == 8  # not only which image of a group comes, also which group


def test_kinds_of_crops_are_mixed_over_an_epoch():
    _, around = crops_of(plan_sampling(OBJECTS, 1000, ship_share=0.5), 3)
    parts = around.reshape(10, 100).sum(1)
    assert parts.min() > 30 and parts.max() < 70  # 50 each, give or take four sigmas


@pytest.mark.parametrize(("ships", "kinds"), [(0, 16), (1, 15)])
def test_balanced_crops_show_every_count_of_objects_equally_often(ships, kinds):
    objects = np.array([0] * 500 + [1] * 90 + [2] * 30 + [*range(3, 15)] * 2 + [15, 16, 40])
    for epoch in (0, 3):
        image, _ = crops_of(plan_sampling(objects, 800, ship_share=ships, balance=True), epoch)
        shown = np.bincount(np.minimum(objects[image], 15), minlength=16)
        assert (np.abs(shown[16 - kinds :] - 800 / kinds) < 1).all() and shown[
            : 16 - kinds
        ].sum() == 0
        assert (
            np.ptp([(objects[image] == value).sum() for value in (15, 16, 40)]) <= 1
        )  # 15 and more are one kind


def test_balance_keeps_the_shares():
    objects = np.array([0] * 50 + [1] * 30 + [2] * 5 + [9])
    image, around = crops_of(
        plan_sampling(objects, 600, ship_share=0.5, empty_share=0.2, balance=True), 0
    )
    assert [int((objects[image[around]] == value).sum()) for value in (0, 1, 2, 9)] == [
        0,
        100,
        100,
        100,
    ]
    assert [int((objects[image[~around]] == value).sum()) for value in (0, 1, 2, 9)] == [
        120,
        60,
        60,
        60,
    ]


@pytest.mark.parametrize("objects", [0, 1, 20])
def test_one_image_alone_is_enough(objects):
    for balance in (False, True):
        sampling = plan_sampling(
            np.array([objects]), 3, ship_share=1.0 if objects else 0.0, balance=balance
        )
        image, around = draw(sampling, np.arange(10))
        assert (image == 0).all() and (around == (objects > 0)).all()


@pytest.mark.parametrize(
    ("objects", "shares", "words"),
    [
        (
            [0, 1],
            {"ship_share": 0.8, "empty_share": 0.3},
            "--ship-share 0.8 and --empty-share 0.3: .*together more than 1",
        ),
        ([0, 1], {"ship_share": 1.1}, "more than 1"),
        ([0, 1], {"ship_share": -0.1}, "less than 0"),
        ([0, 1], {"ship_share": 0.5, "empty_share": -0.1}, "less than 0"),
        ([0, 0], {"ship_share": 0.5}, "--ship-share 0.5: no image holds an object"),
        (
            [0, 0],
            {"ship_share": 0, "empty_share": 0.5},
            "--empty-share 0.5: no image holds an object",
        ),
        (
            [2, 1],
            {"ship_share": 0.5, "empty_share": 0.5},
            "--empty-share 0.5: every image holds an object",
        ),
        ([], {"ship_share": 0}, "no image"),
    ],
)
def test_shares_that_cannot_be_had_are_refused(objects, shares, words):
    for balance in (False, True):
        with pytest.raises(KitError, match=words):
            plan_sampling(np.array(objects, int), 10, balance=balance, **shares)


def test_shares_of_tenths_add_up_to_one():
    sampling = plan_sampling(
        np.array([0, 1]), 10, ship_share=0.7, empty_share=0.3
    )  # 1 - 0.7 - 0.3 is no exact zero
    assert sampling.bounds.tolist() == [0, 7, 10]
