"""What is packed, from which sources and in which scenes and folds."""

import shutil
import zipfile

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from kit.competition import csv_masks, csv_text
from kit.competition.catalog import find_competition
from kit.competition.conventions import AIRBUS, Competition
from kit.errors import KitError
from kit.masks import dense
from kit.packing import packing
from kit.packing.packing import pack
from kit.packing.repair import repair
from kit.packing.scenes import SceneSettings
from kit.records.manifest import open_records
from tests.packing.conftest import contents

pytestmark = pytest.mark.tensorflow

TRUTH = AIRBUS.truth_csv


def test_no_scene_is_on_two_folds(practice, records):
    table = pd.read_csv(records / "folds.csv")
    assert list(table.columns) == ["ImageId", "scene", "fold"] and list(table.ImageId) == sorted(
        table.ImageId
    )
    assert (table.groupby("scene").fold.nunique() == 1).all() and set(table.fold) == {0, 1}
    tiles = pd.read_csv(practice / "truth" / "tiles.csv").set_index("ImageId").loc[table.ImageId]
    assert table.groupby("scene").ImageId.count().max() > 1
    assert (
        pd.Series(tiles.scene.to_numpy()).groupby(table.scene).nunique() == 1
    ).all()  # no group of two true scenes


def test_scenes_come_from_pixels_not_from_the_truth(competition, records, tmp_path, capsys):
    shutil.rmtree(competition / "truth")
    manifest = pack(competition, tmp_path / "records", folds=2)
    assert contents(tmp_path / "records") == contents(records)
    assert (
        manifest["scenes"].pop("by") == "shared blocks"
        and SceneSettings(**manifest["scenes"]) == SceneSettings()
    )
    assert "scenes on two folds: 0" in manifest["overview"]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_is_read_in_place_and_workers_change_no_byte(practice, records, tmp_path, method):
    with zipfile.ZipFile(tmp_path / "all.zip", "w", method) as archive:
        for path in sorted(practice.rglob("*"), reverse=True):
            archive.write(path, path.relative_to(practice))
    pack(
        tmp_path / "all.zip",
        tmp_path / "records",
        folds=2,
        workers=1 + 2 * (method == zipfile.ZIP_STORED),
    )
    assert contents(tmp_path / "records") == contents(records)
    assert {path.name for path in tmp_path.iterdir()} == {"all.zip", "records"}


def test_an_entry_that_was_made_to_do_harm_stops_the_packing(practice, tmp_path):
    import struct

    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(practice / TRUTH, TRUTH)
        for image in (practice / "train_v2").iterdir():
            archive.write(image, f"train_v2/{image.name}")
    size = image.stat().st_size
    path.write_bytes(path.read_bytes().replace(struct.pack("<I", size), struct.pack("<I", 100)))
    with pytest.raises(
        KitError, match=f"entry 'train_v2/{image.name}' inflates past the 100 bytes"
    ):
        pack(path, tmp_path / "records", folds=2)


@pytest.mark.parametrize(
    ("settings", "images"),
    [({"limit": 10}, (9, 10)), ({"per_count": 3}, None), ({"empty_share": 0.25}, None)],
)
def test_a_part_is_packed(practice, tmp_path, settings, images):
    manifest = pack(practice, tmp_path / "records", folds=2, **settings)
    truth = csv_masks.read_csv(practice / TRUTH)
    objects = dict(zip(truth.ids, np.diff(truth.objects)))
    packed = [objects[name] for name in pd.read_csv(tmp_path / "records" / "folds.csv").ImageId]
    assert len(packed) == sum(shard["count"] for shard in manifest["shards"]) and (
        images is None or len(packed) in images
    )
    if "per_count" in settings:
        assert np.bincount(packed).max() <= 3 < np.bincount(list(objects.values())).max()
    if "empty_share" in settings:
        assert 0.15 < np.mean(np.equal(packed, 0)) < 0.35


def test_fit_fills_the_room_there_is_and_says_so(practice, tmp_path, monkeypatch, capsys):
    real = shutil.disk_usage(tmp_path)
    sizes = {path.name: path.stat().st_size for path in (practice / "train_v2").iterdir()}
    free = int(0.8 * sum(sizes.values()))
    monkeypatch.setattr(packing.shutil, "disk_usage", lambda path: real._replace(free=free))
    with pytest.raises(
        KitError,
        match=r"23 images in 2 shards need up to .* MB, the disk of .* MB free, "
        r".* MB too little.*--fit",
    ):
        pack(practice, tmp_path / "all", folds=2)
    manifest = pack(practice, tmp_path / "part", folds=2, fit=True, max_bad=6)
    said = capsys.readouterr().out
    truth = csv_masks.read_csv(practice / TRUTH)
    ships = set(truth.ids[np.diff(truth.objects) > 0]) - {
        item["image"] for item in manifest["skipped"]
    }
    packed = set(pd.read_csv(tmp_path / "part" / "folds.csv").ImageId)
    assert (
        ships < packed
        and len(packed) < 23
        and f"--fit: {len(packed)} of 23 images fit on the disk" in said
    )
    assert sum(shard["bytes"] for shard in manifest["shards"]) < free
    monkeypatch.setattr(packing.shutil, "disk_usage", lambda path: real)
    before = contents(tmp_path / "part")
    next((tmp_path / "part").glob("*fold1*")).unlink()
    pack(
        practice, tmp_path / "part", folds=2, fit=True, max_bad=6
    )  # the room of the first time counts
    assert contents(tmp_path / "part") == before
    # Another session's disk, with nearly as much room: the same images.
    free = int(1.02 * manifest["fit_bytes"] / (1 - packing.SPARE))
    monkeypatch.setattr(packing.shutil, "disk_usage", lambda path: real._replace(free=free))
    pack(practice, tmp_path / "again", folds=2, fit=True, max_bad=6)
    assert open_records(tmp_path / "again").manifest["fit_bytes"] == manifest["fit_bytes"]
    assert open_records(tmp_path / "again").sha256 == open_records(tmp_path / "part").sha256


def test_a_script_without_a_guard_can_pack(practice, tmp_path):
    """A spawned worker runs the script that started it again; ours does not."""
    import subprocess
    import sys

    script = tmp_path / "script.py"
    script.write_text(
        f"import kit\nprint(kit.pack({str(practice)!r}, 'records', folds=2)['overview'])\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0 and done.stdout.count("scenes on two folds: 0") == 1, done.stderr


def test_kaggles_mounts_are_packed(practice, records, tmp_path, monkeypatch):
    (tmp_path / "competitions").mkdir()
    (tmp_path / "competitions" / AIRBUS.kaggle).symlink_to(practice)
    monkeypatch.setattr(packing, "MOUNTS", tmp_path)
    pack("kaggle", tmp_path / "records", folds=2)
    assert contents(tmp_path / "records") == contents(records)
    monkeypatch.setattr(packing, "MOUNTS", tmp_path / "none")
    with pytest.raises(KitError, match=f"looked in {tmp_path}/none/competitions/{AIRBUS.kaggle}"):
        pack("kaggle", tmp_path / "records", folds=2)


def test_unknown_scenes_are_said_and_stored_as_minus_one(practice, tmp_path, capsys):
    (tmp_path / "mine.json").write_text('{"name": "mine", "scenes": ""}')
    manifest = pack(
        practice,
        tmp_path / "records",
        folds=2,
        competition=find_competition(str(tmp_path / "mine.json")),
    )
    assert (
        "no scenes are known" in capsys.readouterr().out
        and "scenes on two folds: unknown" in manifest["overview"]
    )
    assert set(pd.read_csv(tmp_path / "records" / "folds.csv").scene) == {-1}


def test_scenes_by_blocks_need_tiles_of_768_px(practice, tmp_path):
    with pytest.raises(KitError, match='for 768 x 768 px only; give "scenes": ""'):
        pack(practice, tmp_path / "records", competition=Competition(height=512, width=3000))


def test_images_of_many_sizes_and_absent_rows(tmp_path):
    """A competition whose images have no common size, and whose empty images have no row."""
    (tmp_path / "stage1" / "images").mkdir(parents=True)
    rng, names, labels = np.random.default_rng(0), [], []
    for place in range(12):
        shape = tuple(int(side) for side in rng.integers(20, 60, 2))
        label = np.zeros(shape, int)
        label[2:9, 3:8] = place % 3 > 0
        names.append(f"{place:02d}")
        labels.append(label)
        size = (5, 5) if place == 4 else shape  # its runs do not fit
        Image.fromarray(rng.integers(0, 255, (*size, 3), np.uint8)).save(
            tmp_path / "stage1" / "images" / f"{place:02d}.png"
        )
    path = tmp_path / "stage1" / "images" / "07.png"
    path.write_bytes(path.read_bytes()[:100])
    (tmp_path / "stage1" / "images" / "08.png").unlink()
    competition = Competition(
        "mine",
        train_images="stage1/images/{id}.png",
        height=None,
        width=None,
        absent_is_empty=True,
        scenes="",
    )
    table = dense.from_labels(names, labels)
    full = [name for name in names if int(name) % 3]
    data = b"".join(
        line
        for line in csv_text.format_csv(table).splitlines(True)
        if not line.rstrip().endswith(b",")
    )
    (tmp_path / TRUTH).write_bytes(data)
    manifest = pack(tmp_path, tmp_path / "records", folds=2, competition=competition)
    assert len(full) == 8 and sum(shard["count"] for shard in manifest["shards"]) == 9
    reasons = {item["image"]: item["reason"] for item in manifest["skipped"]}
    assert (
        set(reasons) == {"04", "07", "08"}
        and "run past the last pixel" in reasons["04"]
        and "is truncated" in reasons["07"]
    )
    before = contents(tmp_path / "records")
    next((tmp_path / "records").glob("*fold0*")).unlink()
    repair(tmp_path / "records")
    assert contents(tmp_path / "records") == before
