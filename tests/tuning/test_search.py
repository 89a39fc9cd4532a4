import dataclasses

import numpy as np
import pytest

from kit.cuts import COMPONENT_CUTS, Cuts
from kit.masks import table as masks
from kit.objects.extraction import find_objects
from kit.scoring.counts import count
from kit.scoring.scores import f2, f2_weighted
from kit.settings import TuneSettings
from kit.tuning import search, tuning
from kit.tuning.candidates import find_candidates


@pytest.mark.parametrize(
    "cuts",
    [
        Cuts(),
        *(Cuts(102, **{name: cut["tried"][1]}) for name, cut in COMPONENT_CUTS.items()),
        Cuts(204, small_area=100, small_threshold=77),
        Cuts(153, 300, 102, min_area=30, min_confidence=0.6),
        Cuts(128, min_presence=0.5),
        Cuts(blank=True),
    ],
)
def test_a_point_scores_what_the_masks_score(noisy, candidates, cuts):
    maps, truth = noisy
    presence = np.linspace(0, 1, len(truth))
    found = find_objects(truth.ids, maps, cuts, presence=presence)
    assert np.allclose(
        search.score_point(candidates, masks.count_objects(truth), presence, cuts),
        f2(count(truth, found)),
        atol=1e-12,
    )


def test_a_rectangle_that_stands_alone_scores_what_its_mask_scores(noisy, candidates):
    maps, truth = noisy
    alone = np.flatnonzero(masks.count_objects(truth) == 1)
    cuts = Cuts(102, min_area=30, min_confidence=0.5, rectangles=True, min_fit=0.5)
    values = search.score_point(candidates, masks.count_objects(truth), None, cuts)
    found = masks.select(find_objects(truth.ids, maps, cuts), alone)
    lone = masks.count_objects(found) == 1
    exact = f2(count(masks.select(truth, alone), found))
    assert lone.sum() >= 2 and np.allclose(values[alone][lone], exact[lone], atol=1e-12)
    plain = search.score_point(
        candidates, masks.count_objects(truth), None, dataclasses.replace(cuts, rectangles=False)
    )
    assert not np.allclose(values, plain)  # rectangles do something here


@pytest.mark.parametrize("gated", [False, True])
def test_the_surface_holds_the_weighted_mean_of_each_point(noisy, candidates, gated):
    _, truth = noisy
    rng, objects = np.random.default_rng(0), masks.count_objects(truth)
    presence = (
        np.clip(rng.random(len(truth)) * 0.5 + 0.4 * (objects > 0), 0.01, 0.99) if gated else None
    )
    holdout = tuning.Evidence(candidates, objects, presence, 0.7)
    chosen = [np.ones(len(truth), bool), np.arange(len(truth)) % 2 == 0]
    weights = np.array([holdout.weights(images) for images in chosen])
    grid = search.search(
        candidates,
        objects,
        presence,
        weights,
        np.array([holdout.line(images) for images in chosen]),
    )
    assert grid.shape == (*search.SHAPE, 2)
    if not gated:
        assert np.isneginf(grid[search.index_at(gate=slice(1, None))]).all()
    closed = 0
    for _ in range(60):
        places = {name: int(rng.integers(len(values))) for name, values in search.AXES.items()}
        point = search.make_point(**places | {"gate": places["gate"] * gated})
        for place, images in enumerate(chosen):
            cuts = holdout.read(point, images)
            closed += cuts.min_presence > presence.min() if gated else 1
            assert np.isclose(
                grid[(*point, place)], weights[place] @ holdout.score(cuts), atol=1e-6
            )
    assert closed > 20


def test_sizes_divide_the_candidates_as_the_masks_do():
    image = np.full((10, 10), 90, np.uint8)  # exactly 100 px at threshold 77
    candidates = find_candidates(lambda place: image, masks.blank(["a"], (10, 10)))
    assert candidates.held_by[search.pick(candidates, (153, 77, 100))].tolist() == []
    image[0, 0] = 0
    candidates = find_candidates(lambda place: image, masks.blank(["a"], (10, 10)))
    assert candidates.columns["area"][search.pick(candidates, (153, 77, 100))].tolist() == [99]


def test_weights_are_those_of_the_weighted_mean():
    empty, chosen = (
        np.array([True, True, False, False, True]),
        np.array([True, True, True, True, False]),
    )
    assert np.allclose(search.weigh(empty, chosen, 0.8), [0.4, 0.4, 0.1, 0.1, 0])
    assert np.allclose(
        search.weigh(np.ones(4, bool), np.array([True, True, False, False]), 0.8), [0.5, 0.5, 0, 0]
    )


def test_the_gate_stands_where_a_prediction_breaks_even():
    """By hand, q = 0.4: predicting earns 0.4 * f, leaving empty 0.6; they are equal at f = 1.5."""
    cut = search.place_gate(0.6, 1.0, 1.0, 0.0, 1.0)
    assert np.isclose(cut, 1 / 1.6)  # q f = 1 - q
    assert np.isclose(
        search.place_gate(0.6, 1.0, 1.0, 0.0, 0.085), (1 / 0.6 / 0.085) / (1 + 1 / 0.6 / 0.085)
    )  # rarer objects: surer
    assert np.isclose(
        search.place_gate(0.5, 2.0, 2.0, 1.0, 1.0), 1 / (1 + np.exp(-(np.log(4) - 1) / 2))
    )
    assert (
        search.place_gate(0.5, 0.0, 1.0, 0.0, 1.0) == 0
        and search.place_gate(0.5, 1.0, 0.0, 0.0, 1.0) == 0
    )
    assert search.place_gate(0.0, 1.0, 1.0, 0.0, 1.0) == 2


def test_points_read_as_cuts():
    assert search.read_point(search.PLAIN) == Cuts()
    size = search.SIZES.index((204, 77, 100))
    point = search.make_point(size=size, min_area=2, min_confidence=3, rectangles=1)
    wanted = Cuts(204, 100, 77, min_area=30, min_confidence=0.7, rectangles=True, min_fit=0.7)
    assert search.read_point(point) == wanted
    places = [search.read_place(point, name) for name in ("size", "min_confidence", "gate")]
    assert places == [size, 3, 0]
    known = {
        search.read_point(search.make_point(size=size, rectangles=fit))
        for size in range(len(search.SIZES))
        for fit in range(4)
    }
    assert len(known) == 4 * len(search.SIZES)


def test_the_surface_is_that_of_all_images(noisy):
    maps, truth = noisy
    scenes, settings = np.arange(len(maps)) // 2, TuneSettings(empty_share=0.5)
    found = tuning.choose_cuts(maps.__getitem__, truth, scenes, None, settings)
    every = find_objects(truth.ids, maps, search.read_point(found.point))
    values, empty = f2(count(truth, every)), masks.count_objects(truth) == 0
    assert np.isclose(found.surface[found.point], f2_weighted(values, empty, 0.5), atol=1e-6)
