import json
import shutil

import pandas as pd
import pytest

from kit.competition.conventions import AIRBUS
from kit.errors import KitError
from kit.packing.packing import pack
from kit.system.seals import seal
from tests.packing.conftest import contents


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"folds": 3}, "was begun with folds 2, now it is 3"),
        ({"folds": 2, "seed": 1}, "seed 0, now it is 1"),
        ({"folds": 2, "limit": 5}, "limit None"),
    ],
)
def test_another_call_does_not_mix_with_the_first(practice, records, tmp_path, change, words):
    copy = shutil.copytree(records, tmp_path / "copy")
    with pytest.raises(KitError, match=words):
        pack(practice, copy, **change)
    assert contents(copy) == contents(records)


def test_another_truth_does_not_mix_with_the_first(competition, records, tmp_path):
    copy = shutil.copytree(records, tmp_path / "copy")
    text = (competition / AIRBUS.truth_csv).read_text()
    (competition / AIRBUS.truth_csv).write_text(text + "\n")
    with pytest.raises(KitError, match="from another truth CSV"):
        pack(competition, copy, folds=2)


@pytest.mark.parametrize(
    "change",
    [
        {"shards": [{"file": "../victim", "split": "fold0", "count": 23}]},
        {
            "shards": [
                {
                    "file": "../runlength-fold0.tfrecord-00000-of-00001",
                    "split": "fold0",
                    "count": 23,
                }
            ]
        },
        {
            "shards": [
                {"file": "runlength-fold0.tfrecord-00000-of-00001", "split": "abc", "count": 23}
            ]
        },
        {
            "shards": [
                {
                    "file": "runlength-fold0.tfrecord-00000-of-00001",
                    "split": "fold0",
                    "count": 10**9,
                }
            ]
        },
        {"shards": None},
        {"needed": []},
        {"settings": None},
        {"settings": {"folds": 2}},
        {"skipped": [7]},
        {"truth_sha256": 5},
        {"images": {"id": ["a"], "scene": [10**30], "bytes": [1], "crc32": [-1]}},
        {"images": {}},
    ],
)
def test_a_plan_that_was_made_to_do_harm_is_refused(practice, records, tmp_path, change):
    """A seal has no key: whoever changes a plan can seal it again."""
    copy = shutil.copytree(records, tmp_path / "copy")
    fields = json.loads((copy / "plan.json").read_text())
    del fields["sha256"]
    (copy / "plan.json").write_bytes(seal({**fields, **change}))
    (copy / "manifest.json").unlink()
    (copy / "...").mkdir()
    with pytest.raises(KitError, match=r"plan\.json: not a plan of kit pack"):
        pack(practice, copy, folds=2)
    assert {path.name for path in tmp_path.iterdir()} == {"copy"}


def test_a_plan_of_another_packing_is_refused(practice, records, tmp_path):
    copy = shutil.copytree(records, tmp_path / "copy")
    pack(practice, tmp_path / "other", folds=2, seed=1)
    fields = json.loads((tmp_path / "other" / "plan.json").read_text())
    del fields["sha256"]
    fields["settings"]["seed"] = 0
    (copy / "plan.json").write_bytes(seal(fields))
    with pytest.raises(KitError, match=r"plan\.json are from different packings"):
        pack(practice, copy, folds=2)
    assert contents(copy) == contents(records)


def test_folds_csv_and_plan_speak_of_the_same_images(records):
    plan = json.loads((records / "plan.json").read_text())
    table = pd.read_csv(records / "folds.csv").set_index("ImageId")
    assert (
        sorted(plan["images"]["id"]) == list(table.index)
        and list(table.scene[plan["images"]["id"]]) == plan["images"]["scene"]
    )
