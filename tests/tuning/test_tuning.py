import dataclasses

import numpy as np
import pytest

from kit.cuts import from_json
from kit.errors import KitError
from kit.masks import dense, table
from kit.objects.extraction import find_objects
from kit.scoring.counts import count
from kit.scoring.scores import f2
from kit.settings import TuneSettings
from kit.tuning import search, tuning, tuning_file
from kit.tuning.candidates import find_candidates
from tests.tuning.conftest import SCENES


def test_the_cuts_that_win_are_found(made):
    maps, truth = made
    found = tuning.choose_cuts(maps.__getitem__, truth, SCENES, None, TuneSettings(empty_share=0.5))
    fields = found.fields
    assert fields["f2"] == fields["f2_low"] == fields["f2_high"] == 1
    assert len(fields["worth"]) == 21 and fields["min_worth"] > 0 and found.point is not None
    assert (
        fields["f2_plain"] == 0.5 and fields["f2_blank"] == 0.5
    )  # the ships of 0.55, every empty image with a false alarm
    again = find_objects(truth.ids, maps, from_json(fields))
    assert f2(count(truth, again)).mean() == 1 and found.prediction == again


def test_the_reported_figure_is_nested():
    """All outlines fit, ship or not. By luck a cut may split the few images; it must not count."""
    gains = []
    for seed in range(4):
        rng, maps, labels = np.random.default_rng(seed), [], []
        for place in range(16):
            truth, image = np.zeros((48, 48), np.int32), np.zeros((48, 48), np.uint8)
            side = rng.integers(8, 24)
            image[10 : 10 + side, 10 : 10 + side] = rng.integers(90, 256)
            truth[image > 0] = place % 2
            maps.append(image)
            labels.append(truth)
        truth = dense.from_labels([str(place) for place in range(16)], labels)
        found = tuning.choose_cuts(
            maps.__getitem__, truth, np.arange(16), None, TuneSettings(empty_share=0.5)
        )
        fields = found.fields
        gains.append((found.surface.max() - 0.5, fields.get("f2_tuned", fields["f2"]) - 0.5))
        if fields["blank"]:
            assert fields["f2"] == fields["f2_blank"] == 0.5 and fields["f2_tuned"] <= 0.5
            assert "every image is left empty" in tuning_file.describe_tuning(
                fields
            ) and "blank 0.500" in tuning_file.describe_tuning(fields)
        else:
            assert fields["f2"] > 0.5
    best, figure = np.mean(gains, axis=0)
    assert best > 0.08 and figure < 0.5 * best
    assert any(gain <= 0 for _, gain in gains)  # so blank was chosen, too


def test_an_image_has_no_say_in_the_cuts_by_which_it_is_scored(made, monkeypatch):
    maps, truth = made
    seen = []
    choose = tuning.choose_point

    def spy(choice):
        seen.append(choice.chosen)
        return choose(choice)

    monkeypatch.setattr(tuning, "choose_point", spy)
    tuning.choose_cuts(maps.__getitem__, truth, SCENES, None, TuneSettings(empty_share=0.5))
    everything, *parts = seen
    assert everything.all() and len(parts) == 5
    assert np.array_equal(
        sum((~chosen).astype(int) for chosen in parts), np.ones(48, int)
    )  # each image is left out once
    for chosen in parts:
        assert not set(SCENES[chosen]) & set(SCENES[~chosen])


def choose_from(evidence, surface) -> tuple | None:
    """The point that is chosen on a surface, with all images."""
    choice = tuning.search_cuts(evidence, np.ones(len(evidence.objects), bool))
    return tuning.choose_point(dataclasses.replace(choice, surface=surface))


def test_where_threshold_128_is_as_good_no_cuts_are_chosen(made):
    evidence = tuning.Evidence(search_nothing(), np.array([0, 1, 0, 1]), None, 0.5)
    assert choose_from(evidence, np.full(search.SHAPE, 0.5, np.float32)) is None
    assert choose_from(evidence, np.full(search.SHAPE, 0.6, np.float32)) is not None


def search_nothing():
    return find_candidates(
        lambda image: np.zeros((8, 8), np.uint8), table.blank(list("abcd"), (8, 8))
    )


def test_the_middle_of_the_plateau_is_chosen_not_a_lone_peak(made):
    maps, truth = made
    candidates = find_candidates(maps.__getitem__, truth)
    evidence = tuning.Evidence(candidates, table.count_objects(truth), None, 0.5)
    surface = np.full(search.SHAPE, 0.5, np.float32)
    surface[1, 1:6, 2:5] = 0.9
    surface[0, 7, 0] = 0.9001  # higher by next to nothing
    assert choose_from(evidence, surface) == (1, 3, 3)


def test_the_gate_drops_images_that_the_network_doubts(made):
    """Empty images whose false alarms look like ships, but which the network knows to be empty."""
    _, truth = made
    maps = [
        np.where(dense.to_labels(truth, place if place % 2 else place + 1) > 0, 200, 0).astype(
            np.uint8
        )
        for place in range(48)
    ]
    presence = np.where(np.arange(48) % 2, 0.8, 0.6) + np.random.default_rng(0).uniform(
        -0.05, 0.05, 48
    )
    settings = TuneSettings(empty_share=0.5)
    for known in (None, presence):
        found = tuning.choose_cuts(maps.__getitem__, truth, SCENES, known, settings)
        assert (found.fields["min_presence"] > 0) == (known is not None)
        assert found.fields["f2"] == (0.5 if known is None else 1)


def test_odds_are_moved_from_the_holdout_to_the_wanted_share():
    """Of ten images eight hold an object; of the images to come one in five: odds 4 become 1/4."""
    holdout = tuning.Evidence(
        search_nothing(), np.array([1] * 8 + [0] * 2), np.linspace(0.9, 0.1, 10), 0.8
    )
    slope, _, odds = holdout.line(np.ones(10, bool))
    assert slope > 0 and np.isclose(odds, 0.25 / 4)
    assert holdout.line(np.arange(10) < 8) == (0, 0, 0)  # all of one kind: no gate
    assert tuning.Evidence(search_nothing(), holdout.objects, None, 0.8).line(
        np.ones(10, bool)
    ) == (0, 0, 0)


def test_parts_keep_scenes_whole_and_ships_balanced():
    scenes, objects = np.repeat(np.arange(30), 3), np.tile([1, 0, 0] + [0] * 6, 10)
    part = tuning.split_scenes(scenes, objects, 0)
    assert set(part) == set(range(5))
    assert all(len(set(part[scenes == scene])) == 1 for scene in range(30))
    assert set(np.bincount(part, objects)) == {2}
    assert set(tuning.split_scenes(np.array([1, 1, 2]), np.ones(3), 0)) == {0, 1}
    with pytest.raises(KitError, match="single scene"):
        tuning.split_scenes(np.array([4, 4]), np.ones(2), 0)


def test_images_of_one_kind_cannot_be_re_weighted(made):
    maps, truth = made
    ships = table.select(truth, np.arange(1, 48, 2))
    settings = TuneSettings(empty_share=0.5)
    with pytest.raises(
        KitError, match=r"no image of the holdout is empty, so F2 at 50\.0%.*--empty-share 0"
    ):
        tuning.choose_cuts(maps[1::2].__getitem__, ships, np.arange(24), None, settings)
    with pytest.raises(KitError, match="nothing to tune on"):
        tuning.choose_cuts(
            maps[::2].__getitem__,
            table.select(truth, np.arange(0, 48, 2)),
            np.arange(24),
            None,
            settings,
        )
    fields = tuning.choose_cuts(
        maps[1::2].__getitem__, ships, np.arange(24), None, TuneSettings(empty_share=0)
    ).fields
    assert np.isclose(fields["f2"], 1) and fields["f2_blank"] == 0


def test_a_gate_that_no_image_passes_is_a_blank_one(made, monkeypatch):
    """All presences are nearly equal, and the holdout supports no gate above all of them."""
    maps, truth = made
    presence = np.where(np.arange(48) % 2, 1 - 1e-9, 1 - 2e-9)
    evidence = tuning.Evidence(
        find_candidates(maps.__getitem__, truth), table.count_objects(truth), presence, 0.5
    )
    choice = tuning.search_cuts(evidence, np.ones(48, bool))
    assert evidence.line(choice.chosen)[:2] == (0, 0)
    assert choice.read((0, 0, 3)).min_presence == 0
    monkeypatch.setattr(tuning.Evidence, "line", lambda self, chosen: (1.0, 0.0, 1e-6))
    cuts = choice.read((0, 0, 5))
    assert cuts.blank and evidence.score(cuts).sum() == 24
