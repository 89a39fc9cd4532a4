"""Every image is read once; what was found survives a kill."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from kit.competition import listing, sources
from kit.competition.conventions import AIRBUS
from kit.errors import KitError
from kit.packing import inspection

SHAPE = (768, 768)


@pytest.fixture
def folder(practice, tmp_path):
    return shutil.copytree(practice, tmp_path / "competition")


def look(folder, cache, wanted=None):
    source = sources.find_source(folder, AIRBUS)
    files = listing.list_images(source, AIRBUS.train_images)
    return inspection.inspect_images(source, files, cache, SHAPE)


@pytest.fixture
def counted(monkeypatch):
    """Names of the files that were given to workers."""
    seen, original = [], inspection.processes.run_tasks

    def spy(work, tasks, workers):
        seen.extend(file.name for task in tasks for file in task[1])
        return original(work, tasks, workers)

    monkeypatch.setattr(inspection.processes, "run_tasks", spy)
    return seen


def test_a_second_run_reads_only_what_changed(folder, tmp_path, counted):
    first, thumbnails = look(folder, tmp_path / "cache")
    assert len(counted) == 24 and sum(
        found.reason is None for found in first.values()
    ) == 23 == len(thumbnails)
    (bad,) = (f"train_v2/{name}" for name, found in first.items() if found.reason)
    counted.clear()
    again, same = look(folder, tmp_path / "cache")
    assert (
        counted == [bad] and again == first and np.array_equal(same[:], thumbnails[:])
    )  # a bad one may have been mended
    path = sorted((folder / "train_v2").iterdir())[5]
    Image.open(path).rotate(180).save(path)
    changed, _ = look(folder, tmp_path / "cache")
    assert (
        sorted(counted) == sorted([bad, bad, f"train_v2/{path.name}"])
        and changed[path.name].crc != first[path.name].crc
    )


def test_thumbnails_are_the_images(folder, tmp_path):
    found, thumbnails = look(folder, tmp_path / "cache")
    whole = [name for name, finding in found.items() if finding.reason is None]
    for place in (0, 7, 22):
        image = Image.open(folder / "train_v2" / whole[place])
        image.draft("L", (96, 96))
        assert np.array_equal(thumbnails[np.array([place])][0], np.asarray(image))


@pytest.mark.parametrize("spoil", ["cut", "flipped", "line", "byte", "deep", "far", "odd"])
def test_a_damaged_cache_is_not_believed(folder, tmp_path, counted, spoil):
    first, thumbnails = look(folder, tmp_path / "cache")
    before = thumbnails[:]
    path = tmp_path / "cache" / ("thumbnails" if spoil in ("cut", "flipped") else "findings.jsonl")
    data = bytearray(path.read_bytes())
    lines = data.splitlines(True)
    place = next((place for place, line in enumerate(lines) if b"null" in line), 0)
    name, *rest = json.loads(lines[place]) if spoil in ("far", "odd") else (None,)
    if spoil == "flipped":
        data[5 * 96 * 96 + 17] ^= 1
    elif spoil == "byte":
        data[data.index(b"null")] = 0xFF
    elif spoil == "deep":
        data += b"[" * 100_000
    elif spoil == "far":  # beyond the end of the file, where the CRC-32 of nothing is right
        data = (
            b"".join(lines[:place])
            + (json.dumps([name, *rest[:-2], 10**6, 0]) + "\n").encode()
            + b"".join(lines[place + 1 :])
        )
    elif spoil == "odd":
        data = (
            b"".join(lines[:place])
            + (json.dumps([name, *rest[:3], "a", *rest[4:]]) + "\n").encode()
            + b"".join(lines[place + 1 :])
        )
    else:
        del data[-20:]
    path.write_bytes(data)
    counted.clear()
    again, thumbnails = look(folder, tmp_path / "cache")
    assert len(counted) == 2 - (spoil == "deep") and np.array_equal(thumbnails[:], before)
    assert [found._replace(place=0) for found in again.values()] == [
        found._replace(place=0) for found in first.values()
    ]


def test_a_thumbnail_that_is_gone_is_an_error(folder, tmp_path):
    _, thumbnails = look(folder, tmp_path / "cache")
    (tmp_path / "cache" / "thumbnails").write_bytes(b"short")
    with pytest.raises(KitError, match="was cut"):
        thumbnails[:]
