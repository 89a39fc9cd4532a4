"""Full disks: the error is one line, no shard is wrongly whole, and the same command resumes."""

import shutil
import subprocess

import pytest

from kit.records import manifest as rules
from tests.forks import finish, run_kit, run_kit_within
from tests.packing.conftest import OPTIONS, claims, start
from tests.packing.conftest import contents_with_plan as contents

pytestmark = pytest.mark.dear


@pytest.fixture
def little_disk(tmp_path):
    """A mounted file system of 3 MB."""
    path = tmp_path / "disk"
    path.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(path)],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here: {done.stderr.strip()}")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


def test_too_little_space_is_said_before_anything_is_written(larger, little_disk):
    process = start(larger, little_disk / "records")
    _, errors = process.communicate()
    assert (
        process.returncode == 2
        and len(errors.splitlines()) == 1
        and "too little" in errors
        and "need up to" in errors
    )
    assert not list((little_disk / "records").glob("*tfrecord*"))


def pack_with_free_space(*arguments) -> None:
    """In a child, to which the disk seems to have a gigabyte free."""
    real = shutil.disk_usage
    shutil.disk_usage = lambda path: real(path)._replace(free=10**9)
    run_kit("pack", *arguments)


def test_a_disk_that_fills_up_in_the_middle(larger, undisturbed, little_disk, tmp_path):
    """Free space shrinks after the check, and the error names the folder.

    No shard counts as whole, and the packing resumes once there is more space.
    """
    out = little_disk / "records"
    status, _, errors = finish(pack_with_free_space, larger, out, *OPTIONS)
    assert status == 2 and len(errors.splitlines()) == 1, errors
    assert (
        str(out) in errors and "is full; free some space and run the same command again" in errors
    )
    claims(out)
    done = len(rules.read_manifest(out)["shards"])
    assert (
        0 < done < rules.read_manifest(out)["planned"] and not (out / "dataset_info.json").exists()
    )
    assert not [path for path in out.iterdir() if path.name.startswith(".")]
    subprocess.run(["mount", "-o", "remount,size=60m", str(little_disk)], check=True)
    assert start(larger, out).wait() == 0
    assert contents(out) == contents(undisturbed)


def test_a_limit_on_file_sizes_is_a_full_disk_too(larger, tmp_path):
    for limit, sign in (
        (400_000, rules.CACHE),
        (1_000_000, "manifest.json"),
    ):  # below the cache, and below a shard
        out = tmp_path / str(limit)
        status, _, errors = finish(run_kit_within, limit, "pack", larger, out, "--folds", "2")
        assert status == 2 and "its disk is full" in errors and len(errors.splitlines()) == 1, (
            errors
        )
        claims(out)
        assert (
            (out / sign).exists() and not list(out.glob("*tfrecord*")) and not list(out.glob(".*"))
        )
