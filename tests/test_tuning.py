import numpy as np
import pytest

from kit import dense, tuning
from kit.errors import KitError
from kit.objects import Cuts
from kit.settings import TuneSettings


@pytest.fixture
def folder(tmp_path):
    """Maps of 24 images: ships at 0.55, false alarms of 4 px at 0.9 on the empty ones; so a low threshold and a minimum area win."""
    rng = np.random.default_rng(0)
    labels = []
    for place in range(24):
        image, truth = np.zeros((64, 64)), np.zeros((64, 64), int)
        top, left = rng.integers(5, 40, 2)
        if place % 2:
            truth[top : top + 12, left : left + 15] = 1
            image[truth > 0] = 0.55
        else:
            image[top : top + 2, left : left + 2] = 0.9
        labels.append(truth)
        tuning.write_map(tmp_path, f"{place}.jpg", np.rint(255 * image).astype(np.uint8))
    return tmp_path, dense.from_labels([f"{place}.jpg" for place in range(24)], labels)


def test_the_cuts_that_win_are_found(folder):
    path, truth = folder
    result = tuning.tune_maps(path, truth, np.arange(24) // 3, TuneSettings(empty_share=0.5))
    assert result["f2"] == 1 and result["f2_low"] == 1 and result["f2_high"] == 1
    assert result["threshold"] <= 140 and result["min_area"] > 4
    assert result["f2_plain"] == 0.5 and result["f2_blank"] == 0.5  # the ships of 0.55, every empty image with a false alarm
    assert tuning.cuts_from_json(result, "x") == Cuts(result["threshold"], result["min_area"], result["min_confidence"])


def test_the_reported_figure_is_nested():
    """On noise the best of many points looks better than chance; chosen on one half and scored on the other it must not."""
    rng = np.random.default_rng(1)
    values, empty, half = rng.random((len(tuning.GRID), 60)), np.arange(60) % 2 == 0, np.arange(60) % 4 < 2
    assert values.mean(axis=1).max() > 0.57
    nested = tuning.score_nested(values, empty, half, 0.5)
    assert abs(nested.mean() - 0.5) < 0.07
    assert np.array_equal(nested[half], values[tuning.choose(values[:, ~half], empty[~half], 0.5)][half])


def test_of_equal_points_the_one_without_cuts_is_chosen():
    assert tuning.GRID[tuning.choose(np.ones((len(tuning.GRID), 4)), np.array([True, False, True, False]), 0.5)] == Cuts()


def test_halves_keep_scenes_whole_and_ships_balanced():
    scenes, objects = np.repeat(np.arange(30), 3), np.tile([1, 0, 0], 30)
    first = tuning.halve(scenes, objects, 0)
    assert all(len(set(first[scenes == scene])) == 1 for scene in range(30))
    assert abs(int(objects[first].sum()) - int(objects[~first].sum())) <= 2


def test_maps_are_read_as_written_and_wrong_ones_refused(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (5, 7), np.uint8)
    tuning.write_map(tmp_path, "a.jpg", image)
    assert np.array_equal(tuning.read_map(tmp_path, "a.jpg", (5, 7)), image)
    with pytest.raises(KitError, match="shape"):
        tuning.read_map(tmp_path, "a.jpg", (7, 5))
    with pytest.raises(KitError, match="missing"):
        tuning.read_map(tmp_path, "b.jpg", (5, 7))
    (tmp_path / "a.jpg.png").write_bytes(b"no PNG")
    with pytest.raises(KitError, match="cannot be read"):
        tuning.read_map(tmp_path, "a.jpg", (5, 7))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"threshold": "x"},
        {"threshold": 0, "min_area": 0, "min_confidence": 0},
        {"threshold": 128.9, "min_area": 0, "min_confidence": 0},
        {"threshold": float("inf"), "min_area": 0, "min_confidence": 0},
        {"threshold": 128, "min_area": 0, "min_confidence": 2},
    ],
)
def test_damaged_cuts_are_refused(fields):
    with pytest.raises(KitError, match="tune again"):
        tuning.cuts_from_json(fields, "tuning.json")
