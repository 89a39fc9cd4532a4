import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kit.cuts import TERMS
from kit.masks import dense, table
from kit.objects import components, forest

maps = st.tuples(st.integers(1, 14), st.integers(1, 14)).flatmap(
    lambda shape: arrays(np.uint8, shape, elements=st.sampled_from([0, 60, 100, 140, 200, 255]))
)


@given(maps)
def test_a_forest_holds_the_components_of_every_threshold_and_what_holds_them(image):
    grown = forest.grow_forest("a", image)
    pieces = dense.to_masks(grown.masks, 0)
    for level, threshold in enumerate(forest.THRESHOLDS):
        found, _ = grown.take(grown.level == level)
        assert found == components.find_components(["a"], [image], threshold)
    for child, parent in enumerate(grown.parent):
        assert (parent < 0) == (grown.level[child] == 0)
        if parent >= 0:
            assert grown.level[parent] == grown.level[child] - 1
            assert (pieces[parent] >= pieces[child]).all()
    taken = np.arange(len(grown.level)) % 2 == 0
    chosen, thresholds = grown.take(taken)
    assert (np.diff(chosen.start[chosen.runs[:-1]]) >= 0).all()
    assert sorted(thresholds) == sorted(np.array(forest.THRESHOLDS)[grown.level[taken]])


def test_measures_are_those_of_pixels():
    image = np.zeros((40, 50), np.uint8)
    image[5:15, 10:40] = 110  # a halo of 300 px, 30 by 10
    image[8:12, 12:36] = 240  # 96 px, 24 by 4
    image[30, 30] = 60
    grown = forest.grow_forest("a", image)
    for row, piece in zip(grown.measures, dense.to_masks(grown.masks, 0)):
        area, mean = piece.sum(), image[piece].mean() / 255
        assert row[0] == pytest.approx(np.log(area))
        assert row[1] == pytest.approx(np.log(mean / (1 - mean)))
    narrow = (grown.level == 7) & (grown.measures[:, 0] > 1)
    wide = (grown.level == 0) & (grown.measures[:, 0] > 1)
    assert grown.measures[narrow, 3].tolist() == [pytest.approx(np.log(300 / 96))]
    assert grown.measures[wide, 3].tolist() == [0]
    assert grown.measures[narrow, 4].tolist() == [pytest.approx(np.log(24 / 4))]
    assert grown.measures[wide, 4].tolist() == [pytest.approx(np.log(30 / 10))]
    assert grown.measures[-1, 2] > 0 > grown.measures[0, 2]  # thresholds above and below 128
    lone = np.flatnonzero(grown.measures[:, 0] == 0)
    assert len(lone) == 1 and grown.measures[lone[0], 4] == 0


def test_a_line_of_ones_and_products_rates_them():
    measures = np.array([[1.0, 2, 0, 0, 0], [0, 0, 0, 0, 3]])
    terms = forest.expand(measures)
    assert terms.shape == (2, TERMS) and len(forest.MEASURES) == 5
    assert sorted(terms[0][terms[0] > 0]) == [1, 1, 1, 2, 2, 4] and sorted(terms[1])[-1] == 9
    line = np.zeros(TERMS)
    line[0], line[2] = -1, 2
    assert np.allclose(forest.rate(measures, line), [1 / (1 + np.exp(-3)), 1 / (1 + np.e)])


def choose_by_trial(level, parent, gain) -> float:
    """The largest sum of gains of any set in which none holds another."""
    best, number = 0.0, len(level)
    for bits in range(2**number):
        chosen = [place for place in range(number) if bits >> place & 1]
        above = {place: set() for place in chosen}
        for place in chosen:
            up = parent[place]
            while up >= 0:
                above[place].add(up)
                up = parent[up]
        if not any(above[place] & set(chosen) for place in chosen):
            best = max(best, sum(gain[place] for place in chosen))
    return best


@given(st.data())
def test_the_choice_is_the_best_of_all(data):
    number = data.draw(st.integers(0, 9))
    level, parent = np.zeros(number, int), np.full(number, -1)
    for place in range(number):
        up = data.draw(st.integers(-1, place - 1))
        if up >= 0 and level[up] < 7:
            level[place], parent[place] = level[up] + 1, up
    gain = np.array([data.draw(st.integers(-4, 9)) for _ in range(number)], float)
    taken = forest.choose(level, parent, gain)
    assert gain[taken].sum() == choose_by_trial(level, parent, gain) and (gain[taken] > 0).all()
    for place in np.flatnonzero(taken):
        up = parent[place]
        while up >= 0:
            assert not taken[up]
            up = parent[up]


@given(maps)
def test_parents_hold_their_children(image):
    wide = components.find_components(["a"], [image], 60)
    narrow = components.find_components(["a"], [image], 200)
    parents = forest.find_parents(narrow, wide)
    for child, parent in zip(dense.to_masks(narrow, 0), parents):
        assert (dense.to_masks(wide, 0)[parent] >= child).all()


def test_an_empty_map_grows_nothing():
    grown = forest.grow_forest("a", np.zeros((5, 6), np.uint8))
    assert len(grown.level) == 0 and grown.measures.shape == (0, 5)
    assert grown.take(np.zeros(0, bool))[0] == table.blank(["a"], (5, 6))
