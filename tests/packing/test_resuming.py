"""The same call resumes after any stop, to the same bytes, and sees what has changed meanwhile."""

import contextlib
import shutil
import zipfile

import pandas as pd
import pytest

from kit.errors import KitError
from kit.packing import inspection
from kit.packing.packing import pack
from kit.records.manifest import CACHE, open_records
from tests.packing.conftest import contents

pytestmark = pytest.mark.tensorflow


def test_what_is_whole_is_kept_and_what_is_missing_made(practice, records, tmp_path, capsys):
    copy = shutil.copytree(records, tmp_path / "copy")
    first = next(copy.glob("*fold1*"))
    stamp = next(copy.glob("*fold0*")).stat().st_mtime_ns
    first.unlink()
    pack(practice, copy, folds=2)
    assert (
        contents(copy) == contents(records)
        and next(copy.glob("*fold0*")).stat().st_mtime_ns == stamp
    )
    assert "1 shards are done" in capsys.readouterr().out
    again = {path: path.stat().st_mtime_ns for path in copy.iterdir()}
    pack(practice, copy, folds=2)
    assert {
        path: path.stat().st_mtime_ns for path in copy.iterdir()
    } == again  # nothing was touched


def test_an_image_that_changed_since_the_plan_is_an_error(competition, tmp_path):
    pack(competition, tmp_path / "records", folds=2)
    shard = next((tmp_path / "records").glob("*fold0*"))
    name = pd.read_csv(tmp_path / "records" / "folds.csv").query("fold == 0").ImageId.iloc[0]
    image = competition / "train_v2" / name
    image.write_bytes(image.read_bytes()[:-100] + bytes(98) + b"\xff\xd9")
    shard.unlink()
    with pytest.raises(KitError, match=f"{name}: has changed since it was inspected"):
        pack(competition, tmp_path / "records", folds=2)
    assert not shard.exists() and not list((tmp_path / "records").glob(".*"))
    assert not (
        tmp_path / "records" / "dataset_info.json"
    ).exists()  # it would say that all is there
    with pytest.raises(KitError, match="was not finished: 1 of 2"):
        open_records(tmp_path / "records")


def test_a_mended_source_is_looked_at_again(practice, records, tmp_path):
    """A zip's directory says the same of a damaged entry and of the whole one."""
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for image in sorted(practice.rglob("*")):
            archive.write(image, image.relative_to(practice))
    whole = path.read_bytes()
    data = bytearray(whole)
    for place in range(300_000, 1_300_000, 90_000):
        data[place] ^= 1
    path.write_bytes(data)
    with pytest.raises(KitError, match="images are bad .* the zip is damaged there"):
        pack(path, tmp_path / "records", folds=2)
    path.write_bytes(whole)
    pack(path, tmp_path / "records", folds=2)
    assert contents(tmp_path / "records") == contents(records)


def test_a_cut_off_inspection_goes_on(practice, records, tmp_path, monkeypatch):
    original = inspection.processes.run_tasks
    monkeypatch.setattr(inspection, "CHUNK", 5)

    @contextlib.contextmanager
    def stop_after_two(work, tasks, workers):
        def pull(results):
            for count, item in enumerate(results):
                if count == 2:
                    raise KeyboardInterrupt
                yield item

        with original(work, tasks, workers) as results:
            yield pull(results)

    monkeypatch.setattr(inspection.processes, "run_tasks", stop_after_two)
    with pytest.raises(KeyboardInterrupt):
        pack(practice, tmp_path / "records", folds=2)
    assert len((tmp_path / "records" / CACHE / "findings.jsonl").read_text().split()) > 10
    monkeypatch.setattr(inspection.processes, "run_tasks", original)
    pack(practice, tmp_path / "records", folds=2)
    assert (
        contents(tmp_path / "records") == contents(records)
        and not (tmp_path / "records" / CACHE).exists()
    )
