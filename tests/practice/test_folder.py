"""Practice competitions: whole folders, exact shares, legal rows, equal bytes for equal seeds."""

import csv
import dataclasses
import hashlib
import json
import os
import re
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from kit.competition import csv_text
from kit.errors import KitError
from kit.practice import drawing, scenery
from kit.practice import folder as practice
from kit.practice.scenery import Box
from kit.settings import PracticeSettings

SETTINGS = {"images": 22, "test_images": 8, "empty_share": 0.4, "seed": 5}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return practice.write_practice(tmp_path_factory.mktemp("practice") / "out", **SETTINGS)


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def decode(text):
    """(height, width) boolean mask of competition text, the slow way."""
    numbers = [int(word) for word in text.split(" ")]
    assert len(numbers) % 2 == 0
    flat, free = np.zeros(768 * 768, bool), 1
    for start, length in zip(numbers[::2], numbers[1::2]):
        assert start >= free and length >= 1 and start + length - 1 <= 768 * 768
        flat[start - 1 : start - 1 + length] = True
        free = start + length
    return flat.reshape(768, 768).T


def truths(folder):
    """ImageId -> texts of its rows, train and test."""
    found = {}
    for path in (
        folder / "train_ship_segmentations_v2.csv",
        folder / "truth/test_ship_segmentations_v2.csv",
    ):
        for row in read(path):
            found.setdefault(row["ImageId"], []).append(row["EncodedPixels"])
    return found


def digest(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_folder_looks_like_the_competition(folder):
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [
            "train_v2",
            "test_v2",
            "train_ship_segmentations_v2.csv",
            "sample_submission_v2.csv",
            "truth",
            "practice.json",
        ]
    )
    train, test = (sorted(os.listdir(folder / name)) for name in ("train_v2", "test_v2"))
    assert len(train) == 22 and len(test) == 8 and len({*train, *test}) == 30
    assert all(re.fullmatch(r"[0-9a-f]{9}\.jpg", name) for name in train + test)
    for path, ids in (
        ("train_ship_segmentations_v2.csv", train),
        ("truth/test_ship_segmentations_v2.csv", test),
    ):
        rows = [row["ImageId"] for row in read(folder / path)]
        assert rows == sorted(rows) and sorted(set(rows)) == ids
    assert read(folder / "sample_submission_v2.csv") == [
        {"ImageId": name, "EncodedPixels": "1 2"} for name in test
    ]
    assert json.loads((folder / "practice.json").read_text()) == dataclasses.asdict(
        PracticeSettings(**SETTINGS)
    )


def test_empty_share_is_exact_in_train_and_test(folder):
    for path, expected in (
        ("train_ship_segmentations_v2.csv", round(0.4 * 22)),
        ("truth/test_ship_segmentations_v2.csv", round(0.4 * 8)),
    ):
        assert sum(row["EncodedPixels"] == "" for row in read(folder / path)) == expected


@pytest.mark.parametrize(("share", "count"), [(0, 9), (1, 9), (0.75, 50), (0.5, 1), (0.02, 40)])
def test_empty_share_is_exact_at_extremes(share, count):
    cuts = practice.choose_tiles(
        PracticeSettings(empty_share=share, seed=2), count, scenery.Textures(2), 7
    )
    tiles = [cut.scene.labels()[y : y + 768, x : x + 768] for cut in cuts for x, y in cut.offsets]
    assert (
        all(tile.shape == (768, 768) for tile in tiles)
        and min(cut.scene.index for cut in cuts) >= 7
    )
    assert len(tiles) == count and sum(not tile.any() for tile in tiles) == round(share * count)


def test_rows_are_the_ships_of_the_scene(folder):
    """Legal, non-overlapping, one row a ship, and the pixels that the plan says."""
    textures, rows = scenery.Textures(5), truths(folder)
    for tile in read(folder / "truth/tiles.csv"):
        x, y = int(tile["x"]), int(tile["y"])
        labels = scenery.plan(5, int(tile["scene"]), textures).labels()[y : y + 768, x : x + 768]
        ships = [decode(text) for text in rows[tile["ImageId"]] if text]
        assert x % 256 == 0 and y % 256 == 0 and labels.shape == (768, 768)
        assert not ships or np.sum(ships, axis=0).max() == 1
        expected = {(labels == number).tobytes() for number in np.unique(labels[labels > 0])}
        assert {ship.tobytes() for ship in ships} == expected and len(ships) == len(expected)


def test_touching_ships_stay_two_rows(tmp_path):
    textures = scenery.Textures(0)
    scene = dataclasses.replace(
        scenery.plan(0, 1, textures),
        ships=(Box(300, 300, 0, 60, 12), Box(300, 312, 0, 60, 12)),
        moving=(False, False),
    )
    cut = practice.Cut(scene, ((0, 0),))
    [(_, truth)] = practice.write_scene(tmp_path, cut, ["a.jpg"], textures, PracticeSettings())
    first, second = (
        decode(text)
        for _, text in (
            line.split(",") for line in csv_text.format_csv(truth).decode().splitlines()[1:]
        )
    )
    assert (first[:-1] & second[1:]).sum() > 50 and not (first & second).any()


def test_shared_ground_is_alike_but_not_equal(folder):
    whole = {
        path.name: path for path in folder.rglob("*.jpg") if path.read_bytes().endswith(b"\xff\xd9")
    }
    tiles = [tile for tile in read(folder / "truth/tiles.csv") if tile["ImageId"] in whole]
    compared = 0
    for one in tiles:
        for two in tiles:
            dx, dy = (int(two[axis]) - int(one[axis]) for axis in "xy")
            if one["scene"] != two["scene"] or (dx, dy) <= (0, 0) or max(abs(dx), abs(dy)) >= 768:
                continue
            a, b = (
                np.asarray(Image.open(whole[tile["ImageId"]])).astype(int) for tile in (one, two)
            )
            a = a[max(0, dy) : 768 + min(0, dy), max(0, dx) : 768 + min(0, dx)]
            b = b[max(0, -dy) : 768 - max(0, dy), max(0, -dx) : 768 - max(0, dx)]
            blocks = (
                np.abs(a - b)
                .reshape(a.shape[0] // 256, 256, a.shape[1] // 256, 256, 3)
                .mean((1, 3, 4))
            )
            assert (blocks > 0).all() and blocks.mean() < 8
            gray = np.corrcoef(a.mean(2).ravel(), b.mean(2).ravel())[0, 1]
            turned = np.corrcoef(a.mean(2).ravel(), b[::-1, ::-1].mean(2).ravel())[0, 1]
            assert gray > turned
            compared += 1
    assert compared >= 5


def test_scenes_give_several_tiles_and_test_scenes_are_others(folder):
    tiles = read(folder / "truth/tiles.csv")
    test = set(os.listdir(folder / "test_v2"))
    scenes = [
        {tile["scene"] for tile in tiles if (tile["ImageId"] in test) == side}
        for side in (False, True)
    ]
    assert len(tiles) == 30 and not scenes[0] & scenes[1]
    assert len({(tile["scene"], tile["x"], tile["y"]) for tile in tiles}) == 30
    assert max(Counter(tile["scene"] for tile in tiles).values()) >= 3


def test_one_train_tile_is_truncated_and_no_other(folder):
    broken = []
    for path in sorted(folder.rglob("*.jpg")):
        if path.read_bytes().endswith(b"\xff\xd9"):
            with Image.open(path) as image:
                image.load()
                assert image.size == (768, 768) and image.mode == "RGB" and image.format == "JPEG"
        else:
            with pytest.raises(OSError, match="truncated"):
                Image.open(path).load()
            broken.append(path)
    assert (
        len(broken) == 1
        and broken[0].parent.name == "train_v2"
        and broken[0].name in truths(folder)
    )


def test_same_seed_same_bytes_on_any_number_of_cores(tmp_path, monkeypatch):
    settings = {"images": 8, "test_images": 3, "empty_share": 0.3}
    monkeypatch.setattr(practice, "count_cores", lambda: 4)
    first = digest(practice.write_practice(tmp_path / "a", seed=1, **settings))
    monkeypatch.setattr(practice, "count_cores", lambda: 1)
    assert digest(practice.write_practice(tmp_path / "b", seed=1, **settings)) == first
    other = digest(practice.write_practice(tmp_path / "c", seed=2, **settings))
    assert not set(other.values()) & set(first.values())


def test_existing_folder_is_refused_unless_empty(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("kept")
    with pytest.raises(KitError, match="full: is there already"):
        practice.write_practice(tmp_path / "full", images=1, test_images=1)
    with pytest.raises(KitError, match="no folder"):
        practice.write_practice(tmp_path / "missing" / "out", images=1, test_images=1)
    assert (
        os.listdir(tmp_path) == ["full"] and (tmp_path / "full" / "mine.txt").read_text() == "kept"
    )
    (tmp_path / "empty").mkdir()
    out = practice.write_practice(tmp_path / "empty", images=1, test_images=1)
    assert out == tmp_path / "empty" and len(list(out.rglob("*.jpg"))) == 2
    assert all(
        path.read_bytes().endswith(b"\xff\xd9") for path in out.rglob("*.jpg")
    )  # one tile alone is not truncated


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, OSError("disk")])
def test_an_error_leaves_nothing(tmp_path, monkeypatch, error):
    draw, calls = drawing.draw_scene, []

    def fail(*arguments):
        calls.append(1)
        if len(calls) > 2:
            raise error
        return draw(*arguments)

    monkeypatch.setattr(drawing, "draw_scene", fail)
    with pytest.raises((KitError, KeyboardInterrupt, MemoryError)):
        practice.write_practice(tmp_path / "out", images=12, test_images=2)
    assert len(calls) > 2 and os.listdir(tmp_path) == []


def test_a_kill_leaves_no_folder(tmp_path):
    code = """
import os, sys
from kit.practice import drawing, folder
draw, calls = drawing.draw_scene, []

def die(*arguments):
    calls.append(1)
    return draw(*arguments) if len(calls) < 3 else os.kill(os.getpid(), 9)

drawing.draw_scene = die
folder.write_practice(sys.argv[1], images=12, test_images=2)
"""
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "out"], capture_output=True)
    assert done.returncode == -9 and not (tmp_path / "out").exists()


def test_no_tensorflow_is_loaded(tmp_path):
    code = "import sys, kit.practice.folder\nassert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
