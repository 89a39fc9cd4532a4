"""The folder of the records is written by one process alone, and what is not the kit's stays."""

import shutil

import pytest

from kit.errors import KitError
from kit.packing.claim import claim
from kit.packing.packing import pack
from kit.records.manifest import check_records

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize("name", ["thesis", "file", "other"])
def test_a_folder_of_the_user_is_never_touched(practice, tmp_path, name):
    for path in (
        "thesis/inspection/all.txt",
        "thesis/.draft.tmp",
        "file",
        "other/plan.json",
        "other/.draft.tmp",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("{}")
    before = sorted(path for path in tmp_path.rglob("*"))
    with pytest.raises(KitError, match="holds no records|is damaged"):
        pack(practice, tmp_path / name, folds=2)
    assert sorted(path for path in tmp_path.rglob("*")) == before


def test_what_lies_beside_the_records_stays(practice, records, tmp_path):
    copy = shutil.copytree(records, tmp_path / "copy")
    for name in (
        ".draft.tmp",
        "my.tfrecord",
        "notes.txt",
        "runlength-fold7.tfrecord-00000-of-00001",
    ):
        (copy / name).write_text("mine")
    (copy / "old-tfrecords").mkdir()
    (copy / ".runlength-fold1.tfrecord-00000-of-00001.0123.tmp").write_text("left by a kill")
    pack(practice, copy, folds=2)
    left = {path.name for path in copy.iterdir()} - {path.name for path in records.iterdir()}
    assert left == {".draft.tmp", "my.tfrecord", "notes.txt", "old-tfrecords"}
    damage = check_records(copy)
    assert set(damage) == {"my.tfrecord", "old-tfrecords"} and all(
        "move it away yourself" in text for text in damage.values()
    )


def test_two_packings_do_not_meet(practice, records, tmp_path):
    copy = shutil.copytree(records, tmp_path / "copy")
    with claim(copy), pytest.raises(KitError, match="another kit pack is at work there"):
        pack(practice, copy, folds=2)
