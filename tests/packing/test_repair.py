"""Damaged records are made again from their source, byte by byte."""

import pytest

from kit.cli import main
from kit.errors import KitError
from kit.packing.packing import pack
from kit.packing.repair import repair
from kit.records.manifest import check_records
from tests.packing.conftest import contents

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize("name", ["plan.json", "manifest.json"])
def test_plan_and_manifest_make_each_other_again(competition, tmp_path, name):
    pack(competition, tmp_path / "records", folds=2)
    before = contents(tmp_path / "records")
    path = tmp_path / "records" / name
    path.write_bytes(path.read_bytes().replace(b"0", b"1", 3))
    repair(tmp_path / "records", competition)
    assert contents(tmp_path / "records") == before and check_records(tmp_path / "records") == {}


def test_everything_can_be_repaired_from_where_the_source_is_now(
    competition, records, tmp_path, capsys
):
    pack(competition, tmp_path / "records", folds=2)
    before = contents(tmp_path / "records")
    moved = competition.rename(tmp_path / "elsewhere")
    for name in before:
        (tmp_path / "records" / name).write_bytes(before[name][:-1])
    (tmp_path / "records" / "runlength-fold7.tfrecord-00000-of-00001").write_bytes(b"x")
    assert len(check_records(tmp_path / "records")) == len(before) + 1
    with pytest.raises(KitError, match="no such folder or zip"):
        repair(tmp_path / "records")
    assert main(["check", str(tmp_path / "records"), "--repair", "--source", str(moved)]) == 0
    assert (
        contents(tmp_path / "records") == before == contents(records)
        and check_records(tmp_path / "records") == {}
    )
    assert capsys.readouterr().out.count("made again") == 2
