import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from kit.competition.conventions import AIRBUS, COMPETITIONS
from kit.competition.csv_masks import format_csv
from kit.cuts import OPTIONS, from_json
from kit.errors import KitError
from kit.masks import dense, table
from kit.objects.extraction import find_objects
from kit.objects.map_files import write_map
from kit.scoring.counts import count
from kit.scoring.scores import f2
from kit.settings import TuneSettings
from kit.tuning import search, tuning, tuning_file
from kit.tuning.candidates import find_candidates


@pytest.fixture(scope="module")
def made():
    """48 maps: ships of 0.55 on every other image; on the empty ones a bright false alarm of 4 px. (maps, truth)"""
    rng, maps, labels = np.random.default_rng(0), [], []
    for place in range(48):
        truth, image = np.zeros((64, 64), np.int32), 0.3 * rng.random((64, 64))
        top, left = rng.integers(4, 40, 2)
        if place % 2:
            truth[top : top + 12, left : left + 15] = 1
            image[truth > 0] = 0.55
        else:
            image[top : top + 2, left : left + 2] = 0.9
        labels.append(truth)
        maps.append(np.rint(255 * image).astype(np.uint8))
    return maps, dense.from_labels([f"{place}.jpg" for place in range(48)], labels)


SCENES = np.arange(48) // 3


def test_the_cuts_that_win_are_found(made):
    maps, truth = made
    found = tuning.choose_cuts(maps.__getitem__, truth, SCENES, None, TuneSettings(empty_share=0.5))
    fields = found.fields
    assert fields["f2"] == fields["f2_low"] == fields["f2_high"] == 1
    assert (
        fields["small_threshold"] if fields["small_area"] > 180 else fields["threshold"]
    ) <= 140 and fields["min_area"] > 4
    assert (
        fields["f2_plain"] == 0.5 and fields["f2_blank"] == 0.5
    )  # the ships of 0.55, every empty image with a false alarm
    again = find_objects(truth.ids, maps, from_json(fields))
    assert f2(count(truth, again)).mean() == 1 and found.prediction == again


def test_the_reported_figure_is_nested():
    """Outlines that fit, ship or not: by luck some cut parts the few images, and the figure must not say so."""
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

    def spy(holdout, surface, chosen):
        seen.append(chosen)
        return choose(holdout, surface, chosen)

    monkeypatch.setattr(tuning, "choose_point", spy)
    tuning.choose_cuts(maps.__getitem__, truth, SCENES, None, TuneSettings(empty_share=0.5))
    everything, *parts = seen
    assert everything.all() and len(parts) == 5
    assert np.array_equal(
        sum((~chosen).astype(int) for chosen in parts), np.ones(48, int)
    )  # each image is left out once
    for chosen in parts:
        assert not set(SCENES[chosen]) & set(SCENES[~chosen])


def test_of_equal_points_the_one_without_cuts_is_chosen(made):
    holdout = tuning.Evidence(search_nothing(), np.array([0, 1, 0, 1]), None, 0.5)
    assert (
        tuning.choose_point(holdout, np.ones(search.SHAPE, np.float32), np.ones(4, bool))
        == search.PLAIN
    )


def search_nothing():
    return find_candidates(
        lambda image: np.zeros((8, 8), np.uint8), table.blank(list("abcd"), (8, 8))
    )


def test_the_middle_of_the_plateau_is_chosen_not_a_lone_peak(made):
    maps, truth = made
    holdout = tuning.Evidence(
        find_candidates(maps.__getitem__, truth), table.count_objects(truth), None, 0.5
    )
    surface = np.full(search.SHAPE, 0.5, np.float32)
    surface[
        search.index_at(
            size=slice(8), min_area=slice(1, 4), min_confidence=slice(2, 5), rectangles=0, gate=0
        )
    ] = 0.9  # broad
    surface[search.make_point(size=2, min_area=4, min_confidence=7)] = (
        0.9001  # higher by next to nothing
    )
    point = tuning.choose_point(holdout, surface, np.ones(48, bool))
    size = search.read_place(point, "size")
    assert size in (3, 4) and point == search.make_point(size=size, min_area=2, min_confidence=3)


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_that_is_left_out_stays_off(name):
    surface = np.zeros((*search.SHAPE, 1), np.float32)
    tuning.limit_options(surface, [other for other in OPTIONS if other != name])
    points = np.argwhere(surface[..., 0] == 0)
    gates = {int(search.read_place(point, "gate")) for point in points}
    left = [search.read_point(point) for point in points if search.read_place(point, "gate") == 0]
    assert {cuts.small_area for cuts in left} == ({0} if name == "size" else {0, 100, 300})
    assert {cuts.min_area > 0 for cuts in left} == {False, True}
    assert {cuts.rectangles for cuts in left} == (
        {False} if name == "rectangles" else {False, True}
    )
    assert gates == ({0} if name == "gate" else set(range(len(search.GATES))))


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
    for gated in (False, True):
        settings = TuneSettings(
            empty_share=0.5, options=tuple(name for name in OPTIONS if gated or name != "gate")
        )
        found = tuning.choose_cuts(maps.__getitem__, truth, SCENES, presence, settings)
        assert (found.fields["min_presence"] > 0) == gated
        assert found.fields["f2"] == (1 if gated else 0.5)
    with pytest.raises(KitError, match="--options gate: nothing says how likely"):
        tuning.choose_cuts(maps.__getitem__, truth, SCENES, None, settings)


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


@pytest.fixture
def folder(made, tmp_path):
    """A folder of maps, as PNG, uint8 and float .npy in turn, and the truth CSV beside it."""
    maps, truth = made
    place = tmp_path / "maps"
    place.mkdir()
    for number, (name, image) in enumerate(zip(truth.ids, maps)):
        if number % 3 == 0:
            write_map(place, name, image)
        else:
            np.save(
                place / f"{name}.npy",
                image if number % 3 == 1 else (image / 255).astype(np.float32),
            )
    (tmp_path / "truth.csv").write_bytes(format_csv(truth))
    (tmp_path / "folds.csv").write_text(
        "ImageId,scene,fold\n"
        + "".join(f"{name},{scene},0\n" for name, scene in zip(truth.ids, SCENES))
    )
    return tmp_path


ELSEWHERE = """
import sys
sys.modules["tensorflow"] = sys.modules["keras"] = None  # an import of it fails
from kit.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_maps_from_elsewhere_are_tuned_where_tensorflow_cannot_be_imported(folder, made):
    arguments = ["tune", "--maps", folder / "maps", folder / "truth.csv", folder / "out.json"]
    arguments += ["--scenes", folder / "folds.csv", "--empty-share", "0.5", "--shape", "64x64"]
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, *map(str, arguments)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "48 images with a map" in done.stdout and "0.500" in done.stdout
    maps, truth = made
    wanted = tuning.choose_cuts(
        maps.__getitem__, truth, SCENES, None, TuneSettings(empty_share=0.5)
    ).fields
    assert json.loads((folder / "out.json").read_text()) == wanted
    with Image.open(folder / "out.png") as image:
        assert image.size[0] > 1000


def test_what_is_wrong_with_a_folder_of_maps_is_said(folder, tmp_path, made):
    truth = folder / "truth.csv"
    small = AIRBUS.with_shape((64, 64))

    def tune(maps=folder / "maps", **options):
        return tuning.tune_maps(maps, truth, folder / "out.json", competition=small, **options)

    with pytest.raises(KitError, match="no such folder of maps"):
        tune(folder / "none")
    (folder / "empty").mkdir()
    with pytest.raises(KitError, match="holds no map of an image in"):
        tune(folder / "empty")
    with pytest.raises(KitError, match="--tta"):
        tune(tta=8)
    with pytest.raises(KitError, match="has no column scene"):
        tune(scenes=truth)
    (folder / "some.csv").write_text("ImageId,scene\n0.jpg,1\n")
    with pytest.raises(KitError, match=r"no row for 1\.jpg"):
        tune(scenes=folder / "some.csv")
    for text in ("", "0.jpg,1\n1.jpg,2\n0.jpg,1\n"):
        (folder / "some.csv").write_text(f"ImageId,scene\n{text}")
        with pytest.raises(
            KitError, match="row 4: ImageId 0.jpg is there twice" if text else r"no row for 0\.jpg"
        ):
            tune(scenes=folder / "some.csv")
    for text in ("", "0.jpg,0.5\n"):
        (folder / "maps" / "presence.csv").write_text(f"ImageId,presence\n{text}")
        with pytest.raises(KitError, match=r"presence\.csv: says nothing of [01]\.jpg"):
            tune()
    (folder / "maps" / "presence.csv").unlink()
    np.save(folder / "maps" / "1.jpg.npy", np.full((64, 64), 3.0))
    with pytest.raises(KitError, match=r"1\.jpg\.npy.*logits"):
        tune()
    assert not (folder / "out.json").exists()
    for target in ("out.png", "truth.csv"):
        with pytest.raises(KitError, match="choose another name"):
            tuning.tune_maps(folder / "maps", truth, folder / target, competition=small)
    (folder / "dir.png").mkdir()
    with pytest.raises(KitError, match=r"dir\.png: is a folder"):
        tuning.tune_maps(folder / "maps", truth, folder / "dir.json", competition=small)
    with pytest.raises(KitError, match="tgs-salt: cuts are chosen for the F2 of objects"):
        tuning.tune_maps(
            folder / "maps", truth, folder / "out.json", competition=COMPETITIONS["tgs-salt"]
        )


def test_images_of_one_kind_cannot_be_re_weighted(made):
    maps, truth = made
    ships = table.select(truth, np.arange(1, 48, 2))
    settings = TuneSettings(empty_share=0.5)
    with pytest.raises(
        KitError, match=r"no image of the holdout is empty, so F2 at 50\.0%.*--empty-share 0"
    ):
        tuning.choose_cuts(maps[1::2].__getitem__, ships, np.arange(24), None, settings)
    with pytest.raises(KitError, match="nothing to choose by"):
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


def test_images_that_the_truth_leaves_out_may_be_empty(folder, made):
    """Where a competition says so: those with a map and without a row."""
    rule = dataclasses.replace(AIRBUS.with_shape((64, 64)), absent_is_empty=True)
    lines = [
        line for line in (folder / "truth.csv").read_text().splitlines() if not line.endswith(",")
    ]
    (folder / "truth.csv").write_text("\n".join(lines) + "\n")
    found = tuning.tune_maps(
        folder / "maps",
        folder / "truth.csv",
        folder / "out.json",
        competition=rule,
        empty_share=0.5,
    )
    assert (
        found.fields["images"] == 48 and found.fields["f2"] == 1 and found.fields["f2_blank"] == 0.5
    )


def test_a_gate_that_no_image_passes_is_a_blank_one(made, monkeypatch):
    """What the network says is the same within a hair, and a gate above all of it is none that the holdout supports."""
    maps, truth = made
    presence = np.where(np.arange(48) % 2, 1 - 1e-9, 1 - 2e-9)
    holdout = tuning.Evidence(
        find_candidates(maps.__getitem__, truth), table.count_objects(truth), presence, 0.5
    )
    everything = np.ones(48, bool)
    assert holdout.line(everything)[:2] == (0, 0)
    assert holdout.read(search.make_point(gate=3), everything).min_presence == 0
    monkeypatch.setattr(tuning.Evidence, "line", lambda self, chosen: (1.0, 0.0, 1e-6))
    cuts = holdout.read(search.make_point(gate=5), everything)
    assert cuts.blank and holdout.score(cuts).sum() == 24


def test_a_scene_may_be_any_text(tmp_path):
    path = tmp_path / "scenes.csv"
    path.write_text("ImageId,scene\na,x\nb,y\nc,x\nd,\ne,-1\n")
    assert tuning._read_scenes(path) == {"a": 0, "b": 1, "c": 0, "d": -1, "e": -1}
