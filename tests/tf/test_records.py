import hashlib
import json
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from kit import rows
from kit.errors import KitError
from kit.tf.records import open_records, pack

READER = """
import json, sys, tensorflow_datasets as tfds
builder = tfds.builder_from_directory(sys.argv[1])
found = {}
for split in builder.info.splits:
    for item in tfds.as_numpy(builder.as_dataset(split=split)):
        found[item["image_id"].decode()] = {
            "split": split, "scene": int(item["scene"]), "shape": item["image"].shape, "size": [int(item["height"]), int(item["width"])],
            "objects": int(item["objects"]), "labels": item["labels"].tolist(),
            "runs": [item["runs"][name].tolist() for name in ("start", "length", "object")],
        }
assert not any(name.split(".")[0] == "kit" for name in sys.modules)
print(json.dumps(found))
"""


def test_tfds_alone_reads_everything_also_after_the_folder_moved(practice, records, tmp_path):
    moved = shutil.copytree(records, tmp_path / "elsewhere" / "moved")
    done = subprocess.run([sys.executable, "-c", READER, moved], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    truth = rows.read_csv(practice / "train_ship_segmentations_v2.csv")
    tiles = pd.read_csv(practice / "truth" / "tiles.csv").set_index("ImageId")
    folds = pd.read_csv(records / "folds.csv").set_index("ImageId")
    assert len(found) == 23  # one of 24 is truncated
    for name, item in found.items():
        place = list(truth.ids).index(name)
        first, last = truth.objects[place], truth.objects[place + 1]
        runs = slice(truth.runs[first], truth.runs[last])
        owner = np.repeat(np.arange(last - first), np.diff(truth.runs[first : last + 1]))
        assert item["runs"] == [truth.start[runs].tolist(), truth.length[runs].tolist(), owner.tolist()]
        assert item["objects"] == last - first and item["labels"] == [0] * (last - first)
        assert item["shape"] == [768, 768, 3] and item["size"] == [768, 768]
        assert item["scene"] == tiles.scene[name] == folds.scene[name] and item["split"] == f"fold{folds.fold[name]}"


def test_original_bytes_and_checksums(practice, records):
    import tensorflow as tf

    source = open_records(records)
    for shard in source.manifest["shards"]:
        data = (records / shard["file"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == shard["sha256"] and len(data) == shard["bytes"]
        examples = [
            tf.train.Example.FromString(raw).features.feature
            for raw in tf.data.TFRecordDataset(str(records / shard["file"])).as_numpy_iterator()
        ]
        assert len(examples) == shard["count"]
        for fields in examples:
            name = fields["image_id"].bytes_list.value[0].decode()
            assert fields["image"].bytes_list.value[0] == (practice / "train_v2" / name).read_bytes()


def test_no_scene_is_on_two_folds(records):
    table = pd.read_csv(records / "folds.csv")
    assert list(table.columns) == ["ImageId", "scene", "fold"]
    assert (table.groupby("scene").fold.nunique() == 1).all() and set(table.fold) == {0, 1}


def test_the_truncated_image_is_left_out_and_listed(records):
    (skipped,) = open_records(records).manifest["skipped"]
    assert "truncated" in skipped["reason"] and skipped["image"] in skipped["reason"]


def test_same_seed_same_bytes_whatever_the_folder_is_called(practice, records, tmp_path):
    pack(practice, tmp_path / "other", folds=2)
    for path in records.iterdir():
        assert path.read_bytes() == (tmp_path / "other" / path.name).read_bytes(), path.name


@pytest.fixture
def small(practice, tmp_path):
    """A competition folder of the test's own, without the truncated image."""
    out = shutil.copytree(practice, tmp_path / "competition")
    return out


def test_an_image_of_another_size_is_an_error(small, tmp_path):
    path = sorted((small / "train_v2").iterdir())[0]
    Image.new("RGB", (700, 768)).save(path)
    with pytest.raises(KitError, match=f"{path.name}: is 700 px wide and 768 high, its runs are for 768 x 768"):
        pack(small, tmp_path / "records", folds=2)
    assert not (tmp_path / "records").exists()


def test_many_bad_images_are_an_error(small, tmp_path):
    for path in sorted((small / "train_v2").iterdir())[:6]:
        path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(KitError, match=r"[67] of 24 images are bad"):
        pack(small, tmp_path / "records", folds=2)


def test_unknown_scenes_are_said_and_stored_as_minus_one(small, tmp_path, capsys):
    (small / "truth" / "tiles.csv").unlink()
    manifest = pack(small, tmp_path / "records", folds=2)
    assert "no scenes are known" in capsys.readouterr().err and manifest["scenes"] == "unknown"
    assert set(pd.read_csv(tmp_path / "records" / "folds.csv").scene) == {-1}


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: (path / "manifest.json").unlink(), "missing"),
        (lambda path: (path / "manifest.json").write_text("{}"), "not a manifest"),
        (lambda path: next(path.glob("*.tfrecord-*")).unlink(), "the shard is missing"),
        (lambda path: next(path.glob("*.tfrecord-*")).write_bytes(b"x"), "the manifest says"),
    ],
)
def test_damaged_records_are_named(records, tmp_path, spoil, words):
    copy = shutil.copytree(records, tmp_path / "copy")
    spoil(copy)
    with pytest.raises(KitError, match=words):
        open_records(copy)


def test_a_shard_outside_the_folder_is_refused(records, tmp_path):
    copy = shutil.copytree(records, tmp_path / "copy")
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["shards"][0]["file"] = "../copy/" + manifest["shards"][0]["file"]
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(KitError, match="not a plain file name"):
        open_records(copy)


def test_nothing_is_left_behind_when_the_disk_is_full(practice, tmp_path, monkeypatch):
    import errno

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("kit.tf.records.os.fsync", full)
    with pytest.raises(KitError, match="is full"):
        pack(practice, tmp_path / "records", folds=2)
    assert list(tmp_path.iterdir()) == []
