"""One shard: what was written is what is read back, or there is none."""

import zlib

import numpy as np
import pytest

from kit.competition import listing, sources
from kit.competition.conventions import AIRBUS
from kit.errors import KitError
from kit.masks.table import blank
from kit.packing import shards
from kit.packing.shards import Shard, write_shard


@pytest.fixture
def shard(practice, tmp_path):
    source = sources.find_source(practice, AIRBUS)
    files = list(listing.list_images(source, AIRBUS.train_images).values())[:3]
    crc = np.array([zlib.crc32((practice / file.name).read_bytes()) for file in files], np.uint32)
    names = [file.name.rpartition("/")[2] for file in files]
    return Shard(
        tmp_path / "a",
        tmp_path / ".a.tmp",
        practice,
        files,
        crc,
        blank(names, (768, 768)),
        np.arange(3),
        None,
    )


def test_the_same_plan_gives_the_same_bytes(shard):
    first, data = write_shard(shard), shard.path.read_bytes()
    assert (
        write_shard(shard) == first
        and shard.path.read_bytes() == data
        and len(data) == first["bytes"]
    )


def test_a_disk_that_gives_back_other_bytes_is_not_believed(shard, monkeypatch, tmp_path):
    original = shards.os.fsync

    def spoil(descriptor):
        original(descriptor)
        if shard.temporary.exists():
            data = bytearray(shard.temporary.read_bytes())
            data[1000] ^= 1
            shard.temporary.write_bytes(data)

    monkeypatch.setattr(shards.os, "fsync", spoil)
    with pytest.raises(KitError, match="the disk gives back other bytes"):
        write_shard(shard)
    assert list(tmp_path.iterdir()) == []


def test_a_shard_that_became_another_does_not_replace_the_first(shard):
    import dataclasses

    first = write_shard(shard)
    data = shard.path.read_bytes()
    changed = dataclasses.replace(shard, scenes=np.arange(3) + 1, sha256=first["sha256"])
    with pytest.raises(KitError, match="cannot be made again"):
        write_shard(changed)
    assert shard.path.read_bytes() == data and not shard.temporary.exists()


def test_the_disk_has_the_bytes_before_the_name(shard, monkeypatch):
    """fsync of the file, then rename, then fsync of the folder."""
    calls = []
    for name in ("fsync", "replace"):
        original = getattr(shards.os, name)
        monkeypatch.setattr(
            shards.os,
            name,
            lambda *given, name=name, original=original: (calls.append(name), original(*given))[1],
        )
    write_shard(shard)
    assert calls == ["fsync", "replace", "fsync"]
