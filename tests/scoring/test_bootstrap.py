import numpy as np
import pytest

from kit.errors import KitError
from kit.scoring import scores
from kit.scoring.bootstrap import interval


def by_hand(values, groups, statistic, draws=4000):
    rng, members = (
        np.random.default_rng(1),
        [np.flatnonzero(groups == group) for group in np.unique(groups)],
    )
    found = [
        statistic(
            np.concatenate(
                [members[place] for place in rng.integers(0, len(members), len(members))]
            )
        )
        for _ in range(draws)
    ]
    return np.nanquantile(found, [0.025, 0.975])


def test_the_interval_of_a_mean_over_scenes_is_that_of_a_plain_loop():
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 40, 300)
    values = rng.random(40)[groups] + 0.1 * rng.random(300)
    assert interval(values, groups, draws=4000) == pytest.approx(
        by_hand(values, groups, lambda index: values[index].mean()), abs=0.01
    )
    single = interval(values)
    assert np.diff(single) < 0.7 * np.diff(
        interval(values, groups)
    )  # drawing images of one scene apart is too sure of itself


def test_the_reweighted_interval_is_that_of_a_plain_loop():
    rng = np.random.default_rng(0)
    groups, empty, values = np.arange(200) // 4, rng.random(200) < 0.3, rng.random(200)
    found = interval(values, groups, empty=empty, empty_share=0.765, draws=4000)
    assert found == pytest.approx(
        by_hand(
            values, groups, lambda index: scores.f2_weighted(values[index], empty[index], 0.765)
        ),
        abs=0.01,
    )


def test_a_paired_interval_sees_a_small_sure_difference():
    rng = np.random.default_rng(0)
    a = rng.random(500)
    b = a + 0.02 + 0.01 * rng.random(500)
    low, high = interval(b - a)
    assert 0 < low < high < 0.05
    assert interval(a)[1] > interval(b)[0]  # unpaired, the two cannot be told apart


def test_one_group_or_nothing_has_no_spread():
    assert interval(np.array([0.0, 1.0]), np.zeros(2)) == (0.5, 0.5)
    assert np.isnan(interval(np.zeros(0))).all()


def test_level_and_kinds_of_flags():
    values, rng = np.random.default_rng(0).random(200), np.random.default_rng(1)
    assert np.diff(interval(values, level=0.5)) < 0.5 * np.diff(interval(values))
    empty = rng.random(200) < 0.5
    assert interval(values, empty=empty.astype(int), empty_share=0.3) == interval(
        values, empty=empty, empty_share=0.3
    )


def test_what_is_not_one_value_per_image_is_named():
    values = np.zeros(5)
    with pytest.raises(KitError, match="empty_share needs empty: for each image"):
        interval(values, empty_share=0.765)
    with pytest.raises(KitError, match=r"groups has shape \(4,\), values \(5,\); give one per"):
        interval(values, np.arange(4))
    with pytest.raises(KitError, match=r"empty has shape \(6,\), values \(5,\); give one per"):
        interval(values, empty=np.zeros(6, bool), empty_share=0.5)
    with pytest.raises(KitError, match="groups has shape"):
        interval(np.zeros(0), np.arange(4))


def test_the_same_seed_gives_the_same_interval():
    values = np.random.default_rng(0).random(50)
    assert interval(values, seed=3) == interval(values, seed=3) != interval(values, seed=4)
