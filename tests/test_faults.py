"""Kills and full disks: nothing that happens makes a wrong data set look right, and the same command goes on to the same bytes."""

import contextlib
import functools
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kit import records as rules
from kit.errors import KitError
from kit.practice import write_practice
from kit.records import METADATA, find_damage


@pytest.fixture(scope="module")
def competition(tmp_path_factory):
    return write_practice(tmp_path_factory.mktemp("faults") / "competition", images=80, test_images=1, empty_share=0.5, seed=9)


@pytest.fixture(scope="module")
def undisturbed(competition, tmp_path_factory):
    """The finished folder, and the seconds that it took."""
    out, begun = tmp_path_factory.mktemp("undisturbed") / "records", time.monotonic()
    assert start(competition, out).wait() == 0
    return out, time.monotonic() - begun


def listen_to_the_keyboard():
    """A shell's background jobs, and what they start, ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def start(competition, out, *options, preexec_fn=listen_to_the_keyboard):
    command = [sys.executable, "-m", "kit", "pack", str(competition), str(out), *(options or ("--folds", "3", "--shard-mb", "1"))]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=preexec_fn)


def list_parents() -> dict[int, int]:
    """Parent of each process that is no zombie, from /proc."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            parents[int(path.parent.name)] = int(fields[1])
    return parents


def living(pids: list[int]) -> set[int]:
    return set(pids) & set(list_parents())


def list_children(pid: int) -> list[int]:
    """Living descendants of a process."""
    parents = list_parents()
    found, todo = [], [pid]
    while todo:
        todo = [child for child, parent in parents.items() if parent in todo]
        found += todo
    return found


def list_workers(pid: int) -> list[int]:
    """The spawned workers among them."""
    found = []
    for child in list_children(pid):
        with contextlib.suppress(OSError):
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(child)
    return found


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if path.name in (*METADATA, "folds.csv", "plan.json") or "tfrecord" in path.name
    }


def claims(folder: Path) -> None:
    """Whatever is there is true: a shard in the manifest has its SHA-256, and the metadata are there only when every shard is."""
    if (folder / "manifest.json").exists():
        manifest = rules.read_manifest(folder)
        assert rules.compare(folder, manifest["shards"]) == {}
        if (folder / "dataset_info.json").exists():
            assert len(manifest["shards"]) == manifest["planned"]
    else:
        assert not (folder / "dataset_info.json").exists()


def wait_for_the_end_of(children: list[int]) -> None:
    limit = time.monotonic() + 20
    while (left := living(children)) and time.monotonic() < limit:
        time.sleep(0.01)
    assert not left, "a worker outlived its parent"


@pytest.mark.parametrize("sign", [rules.CACHE, "manifest.json"])
def test_workers_die_with_their_parent(competition, tmp_path, sign):
    """Killed while it inspects, and while it writes."""
    process = start(competition, tmp_path / "records")
    workers: list[int] = []
    while process.poll() is None and not (workers and (tmp_path / "records" / sign).exists()):
        workers = list_workers(process.pid)
    process.kill()
    process.wait()
    assert workers
    wait_for_the_end_of(workers)


def test_twenty_kills_at_random_moments(competition, undisturbed, tmp_path):
    whole, seconds = undisturbed
    rng, out, kills, finished = random.Random(0), tmp_path / "records", 0, 0
    stages = set()
    while kills < 20:
        process = start(competition, out)
        delay = rng.uniform(0.1, 1) * seconds
        if kills % 3:  # two of three while workers are there: most of so short a run is loading
            while process.poll() is None and len(list_children(process.pid)) < 2:
                time.sleep(0.005)
            delay = rng.uniform(0, 1.5)
        try:
            process.wait(delay)
            assert process.returncode == 0, process.stderr.read()
        except subprocess.TimeoutExpired:
            children = list_children(process.pid)
            process.kill()
            process.wait()
            kills += 1
            wait_for_the_end_of(children)
            if out.exists():
                claims(out)
                if not (out / "dataset_info.json").exists():
                    with pytest.raises(KitError):
                        rules.open_records(out)
                    assert not rules.is_records(out) or find_damage(out)
                stages.add(tuple(name for name in (rules.CACHE, "plan.json", "manifest.json") if (out / name).exists()))
            continue
        assert contents(out) == contents(whole)
        shutil.rmtree(out)
        finished += 1
    process = start(competition, out)
    assert process.wait() == 0, process.stderr.read()
    assert contents(out) == contents(whole) and find_damage(out) == {} and not list(out.glob(".*"))
    assert len(stages) >= 2, stages  # kills came while it inspected and while it packed


@pytest.mark.parametrize(
    ("number", "sign"),
    [(signal.SIGTERM, f"{rules.CACHE}/findings.jsonl"), (signal.SIGINT, "manifest.json"), (signal.SIGTERM, "*.tfrecord-*")],
)
def test_a_polite_end_is_status_0_with_everything_kept(competition, undisturbed, tmp_path, number, sign):
    out = tmp_path / "records"
    process = start(competition, out)
    while not list(out.glob(sign)) and process.poll() is None:
        time.sleep(0.002)
    children = list_children(process.pid)
    process.send_signal(number)
    output, errors = process.communicate()
    wait_for_the_end_of(children)  # multiprocessing's resource tracker sees its parent's end a moment later
    assert process.returncode == 0 and "stopped; the same command goes on" in output and errors == ""
    assert start(competition, out).wait() == 0
    assert contents(out) == contents(undisturbed[0])


@pytest.fixture
def little_disk(tmp_path):
    """A mounted file system of 3 MB."""
    path = tmp_path / "disk"
    path.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(path)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here: {done.stderr.strip()}")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


def test_too_little_space_is_said_before_anything_is_written(competition, little_disk):
    process = start(competition, little_disk / "records")
    _, errors = process.communicate()
    assert process.returncode == 2 and len(errors.splitlines()) == 1 and "too little" in errors and "need up to" in errors
    assert not list((little_disk / "records").glob("*tfrecord*"))


def test_a_disk_that_fills_up_in_the_middle(competition, undisturbed, little_disk, tmp_path):
    """Free space shrinks after the check: the error names the folder, no shard counts as whole, and more space lets it go on."""
    out = little_disk / "records"
    script = f"""
import shutil, sys
real = shutil.disk_usage
shutil.disk_usage = lambda path: real(path)._replace(free=10**9)
from kit.cli import main
sys.exit(main(["pack", {str(competition)!r}, {str(out)!r}, "--folds", "3", "--shard-mb", "1"]))
"""
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert process.returncode == 2 and len(process.stderr.splitlines()) == 1, process
    assert str(out) in process.stderr and "is full; free some space and run the same command again" in process.stderr
    claims(out)
    done = len(rules.read_manifest(out)["shards"])
    assert 0 < done < rules.read_manifest(out)["planned"] and not (out / "dataset_info.json").exists()
    assert not [path for path in out.iterdir() if path.name.startswith(".")]
    subprocess.run(["mount", "-o", "remount,size=60m", str(little_disk)], check=True)
    assert start(competition, out).wait() == 0
    assert contents(out) == contents(undisturbed[0])


def test_a_limit_on_file_sizes_is_a_full_disk_too(competition, tmp_path):
    import resource

    for limit, sign in ((400_000, rules.CACHE), (1_000_000, "manifest.json")):  # below the cache, and below a shard
        out = tmp_path / str(limit)
        set_limit = functools.partial(resource.setrlimit, resource.RLIMIT_FSIZE, (limit, limit))
        process = start(competition, out, "--folds", "2", preexec_fn=set_limit)
        _, errors = process.communicate()
        assert process.returncode == 2 and "its disk is full" in errors and len(errors.splitlines()) == 1, errors
        claims(out)
        assert (out / sign).exists() and not list(out.glob("*tfrecord*")) and not list(out.glob(".*"))


def test_a_worker_that_is_killed_is_an_error_in_one_line(competition, tmp_path):
    process = start(competition, tmp_path / "records")
    children: list[int] = []
    while not children and process.poll() is None:
        children = list_workers(process.pid)
    os.kill(children[0], signal.SIGKILL)
    _, errors = process.communicate()
    assert process.returncode == 2 and "a worker process was killed" in errors and len(errors.splitlines()) == 1, errors
