import hashlib
import json
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd

from kit.competition import csv_masks
from kit.records.manifest import open_records

READER = """
import json, sys, tensorflow_datasets as tfds
builder = tfds.builder_from_directory(sys.argv[1])
found = {}
for split in builder.info.splits:
    for item in tfds.as_numpy(builder.as_dataset(split=split)):
        found[item["image_id"].decode()] = {
            "split": split, "scene": int(item["scene"]), "shape": item["image"].shape,
            "size": [int(item["height"]), int(item["width"])],
            "objects": int(item["objects"]), "labels": item["labels"].tolist(),
            "runs": [item["runs"][name].tolist() for name in ("start", "length", "object")],
        }
assert not any(name.split(".")[0] == "kit" for name in sys.modules)
print(json.dumps(found))
"""


def test_tfds_alone_reads_everything_also_after_the_folder_moved(practice, records, tmp_path):
    moved = shutil.copytree(records, tmp_path / "elsewhere" / "moved")
    done = subprocess.run(
        [sys.executable, "-c", READER, moved], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    truth = csv_masks.read_csv(practice / "train_ship_segmentations_v2.csv")
    folds = pd.read_csv(records / "folds.csv").set_index("ImageId")
    assert len(found) == 23  # one of 24 is truncated
    for name, item in found.items():
        place = list(truth.ids).index(name)
        first, last = truth.objects[place], truth.objects[place + 1]
        runs = slice(truth.runs[first], truth.runs[last])
        owner = np.repeat(np.arange(last - first), np.diff(truth.runs[first : last + 1]))
        assert item["runs"] == [
            truth.start[runs].tolist(),
            truth.length[runs].tolist(),
            owner.tolist(),
        ]
        assert item["objects"] == last - first and item["labels"] == [0] * (last - first)
        assert item["shape"] == [768, 768, 3] and item["size"] == [768, 768]
        assert item["scene"] == folds.scene[name] and item["split"] == f"fold{folds.fold[name]}"


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
            assert (
                fields["image"].bytes_list.value[0] == (practice / "train_v2" / name).read_bytes()
            )
