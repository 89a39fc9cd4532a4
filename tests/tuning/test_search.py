import numpy as np
import pytest

from kit.cuts import TERMS, Cuts, from_json
from kit.masks import table as masks
from kit.objects.extraction import find_objects
from kit.objects.forest import rate
from kit.scoring.counts import count
from kit.scoring.scores import f2, f2_weighted
from kit.settings import TuneSettings
from kit.tuning import search, tuning

RATED = tuple(np.random.default_rng(3).normal(0, 0.3, TERMS).round(3).tolist())


@pytest.mark.parametrize(
    "cuts",
    [
        Cuts(),
        Cuts(204),
        Cuts(worth=RATED, min_worth=0.3),
        Cuts(worth=RATED, min_worth=0.6, min_presence=0.5),
        Cuts(128, min_presence=0.5),
        Cuts(blank=True),
    ],
)
def test_a_point_scores_what_the_masks_score(noisy, candidates, cuts):
    maps, truth = noisy
    presence = np.linspace(0, 1, len(truth))
    found = find_objects(truth.ids, maps, cuts, presence=presence)
    assert np.allclose(
        search.score_cuts(candidates, masks.count_objects(truth), presence, cuts),
        f2(count(truth, found)),
        atol=1e-12,
    )


def test_a_rectangle_that_stands_alone_scores_what_its_mask_scores(noisy, candidates):
    maps, truth = noisy
    alone = np.flatnonzero(masks.count_objects(truth) == 1)
    line = search.fit_worth(candidates, np.ones(len(truth), bool), True)
    plain, cuts = (Cuts(worth=line, min_worth=0.3, rectangles=kind) for kind in (False, True))
    objects = masks.count_objects(truth)
    values = search.score_cuts(candidates, objects, None, cuts)
    found = masks.select(find_objects(truth.ids, maps, cuts), alone)
    lone = masks.count_objects(found) == 1
    exact = f2(count(masks.select(truth, alone), found))
    assert lone.sum() >= 2 and np.allclose(values[alone][lone], exact[lone], atol=1e-12)
    # rectangles do something here
    assert not np.allclose(values, search.score_cuts(candidates, objects, None, plain))


@pytest.mark.parametrize("gated", [False, True])
def test_the_surface_holds_the_weighted_mean_of_each_point(noisy, candidates, gated):
    _, truth = noisy
    rng, objects = np.random.default_rng(0), masks.count_objects(truth)
    presence = (
        np.clip(rng.random(len(truth)) * 0.5 + 0.4 * (objects > 0), 0.01, 0.99) if gated else None
    )
    evidence = tuning.Evidence(candidates, objects, presence, 0.7)
    closed = 0
    for images in (np.ones(len(truth), bool), np.arange(len(truth)) % 2 == 0):
        choice = tuning.search_cuts(evidence, images)
        assert choice.surface.shape == search.SHAPE
        if not gated:
            assert np.isneginf(choice.surface[..., 1:]).all()
        for point in np.ndindex(*search.SHAPE[:2], search.SHAPE[2] if gated else 1):
            cuts = choice.read(point)
            assert cuts.blank or cuts.worth == choice.lines[point[0]]
            closed += cuts.blank or cuts.min_presence > presence.min() if gated else 1
            assert np.isclose(
                choice.surface[point], evidence.weights(images) @ evidence.score(cuts), atol=1e-6
            )
    assert closed > 20


def test_what_components_are_worth_is_learned_from_the_chosen_images_alone(noisy, candidates):
    _, truth = noisy
    chosen = np.arange(len(truth)) % 3 > 0
    line = search.fit_worth(candidates, chosen, False)
    found = rate(candidates.measures, np.array(line))
    rows = chosen[candidates.image]
    assert len(line) == TERMS
    assert np.isclose(found[rows].mean(), candidates.hits[rows].mean() / 10, atol=1e-4)
    good = candidates.hits > 4
    assert good.any() and found[good].mean() > 2 * found[candidates.hits == 0].mean()
    candidates.hits[~rows] += 1  # what was left out has no say
    assert search.fit_worth(candidates, chosen, False) == line
    candidates.hits[~rows] -= 1
    assert search.fit_worth(candidates, chosen, True) != line
    assert search.fit_worth(candidates, np.zeros(len(truth), bool), True) == ()


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


def test_the_surface_is_that_of_all_images(noisy):
    maps, truth = noisy
    scenes, settings = np.arange(len(maps)) // 2, TuneSettings(empty_share=0.0)
    found = tuning.choose_cuts(maps.__getitem__, truth, scenes, None, settings)
    assert not found.fields["rectangles"]  # whose score would not be exact
    every = find_objects(truth.ids, maps, from_json(found.fields))
    values, empty = f2(count(truth, every)), masks.count_objects(truth) == 0
    assert np.isclose(found.surface[found.point], f2_weighted(values, empty, 0.0), atol=1e-6)
