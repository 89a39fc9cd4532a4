"""Kills: no death makes wrong records look right.

The same command resumes and ends with the same bytes.
"""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from kit.errors import KitError
from kit.records import manifest as rules
from kit.records.manifest import check_records
from tests.deaths import Death
from tests.forks import Child
from tests.packing.conftest import claims, start
from tests.packing.conftest import contents_with_plan as contents

pytestmark = pytest.mark.dear


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


def wait_for_the_end_of(children: list[int]) -> None:
    limit = time.monotonic() + 20
    while (left := living(children)) and time.monotonic() < limit:
        time.sleep(0.01)
    assert not left, "a worker outlived its parent"


@pytest.mark.parametrize("sign", [rules.CACHE, "manifest.json"])
def test_workers_die_with_their_parent(larger, tmp_path, sign):
    """Killed while it inspects, and while it writes."""
    process = start(larger, tmp_path / "records")
    workers: list[int] = []
    while process.poll() is None and not (workers and (tmp_path / "records" / sign).exists()):
        workers = list_workers(process.pid)
    process.kill()
    process.wait()
    assert workers
    wait_for_the_end_of(workers)


# In the order of the work, so that each run gets to its point: a file that appears, or a call.
PLANNED = [
    f"{rules.CACHE}/findings.jsonl",
    Death("fsync", False, "plan.json", torn=True),
    Death("replace", False, "plan.json"),
    Death("replace", True, "plan.json"),
    Death("replace", False, "manifest.json", torn=True),
    Death("fsync", True, "folds.csv"),
    Death("replace", True, "folds.csv"),
    ".*.tfrecord-*.tmp",  # a shard that a worker is at
    Death("replace", False, "manifest.json", 2),  # a shard is whole that it does not name yet
    Death("replace", True, "manifest.json", 2),
    Death("fsync", False, "manifest.json", 2, torn=True),
    Death("replace", False, "features.json", torn=True),
    Death("replace", True, "features.json"),
    Death("fsync", False, "dataset_info.json"),
    Death("replace", False, "dataset_info.json"),
]


def kill(process: Child) -> None:
    """Kills it, with all that it left behind it."""
    children = list_children(process.pid)
    process.kill()
    process.wait()
    wait_for_the_end_of(children)


def pack_until(death, competition, out, rng) -> bool:
    """Whether a kill came before the packing's end.

    It comes at a planned point, or at a random moment if `death` is None.
    """
    process = start(competition, out, death=death if isinstance(death, Death) else None)
    if isinstance(death, str):
        while process.poll() is None and not list(out.glob(death)):
            time.sleep(0.001)
        kill(process)
    elif death is None:
        while process.poll() is None and not list_workers(process.pid):
            time.sleep(0.005)
        delay = rng.uniform(0, 1.5)
        print(f"killed {delay:.3f} s after its workers began")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(delay)
        kill(process)
    status = process.wait()
    assert status == -signal.SIGKILL or (death is None and status == 0), (
        death,
        process.communicate(),
    )
    return status != 0


def test_twenty_kills_at_planned_points_and_random_moments(larger, undisturbed, tmp_path):
    rng, out, kills = random.Random(0), tmp_path / "records", 0
    stages = set()
    plans = iter(PLANNED)
    while kills < 20:
        death = next(plans, None)
        if kills == len(PLANNED) and out.exists():
            shutil.rmtree(out)  # random moments need work to fall into
        if not pack_until(death, larger, out, rng):
            assert contents(out) == contents(undisturbed)
            shutil.rmtree(out)
            continue
        kills += 1
        if out.exists():
            claims(out)
            if not (out / "dataset_info.json").exists():
                with pytest.raises(KitError):
                    rules.open_records(out)
                assert not rules.is_records(out) or check_records(out)
            stages.add(
                tuple(
                    name
                    for name in (rules.CACHE, "plan.json", "manifest.json")
                    if (out / name).exists()
                )
            )
    process = start(larger, out)
    assert process.wait() == 0, process.communicate()
    assert (
        contents(out) == contents(undisturbed)
        and check_records(out) == {}
        and not list(out.glob(".*"))
    )
    assert len(stages) >= 3, stages  # kills came while it inspected, planned and packed


@pytest.mark.parametrize(
    ("number", "sign"),
    [
        (signal.SIGTERM, f"{rules.CACHE}/findings.jsonl"),
        (signal.SIGINT, "manifest.json"),
        (signal.SIGTERM, "*.tfrecord-*"),
    ],
)
def test_a_polite_end_is_status_0_with_everything_kept(larger, undisturbed, tmp_path, number, sign):
    out = tmp_path / "records"
    process = start(larger, out)
    while not list(out.glob(sign)) and process.poll() is None:
        time.sleep(0.002)
    children = list_children(process.pid)
    process.send_signal(number)
    output, errors = process.communicate()
    # multiprocessing's resource tracker sees its parent's end a moment later
    wait_for_the_end_of(children)
    assert process.returncode == 0 and errors == ""
    assert "stopped; run the same command again to resume" in output
    assert start(larger, out).wait() == 0
    assert contents(out) == contents(undisturbed)


def test_a_worker_that_is_killed_is_an_error_in_one_line(larger, tmp_path):
    process = start(larger, tmp_path / "records")
    children: list[int] = []
    while not children and process.poll() is None:
        children = list_workers(process.pid)
    os.kill(children[0], signal.SIGKILL)
    _, errors = process.communicate()
    assert (
        process.returncode == 2
        and "a worker process was killed" in errors
        and len(errors.splitlines()) == 1
    ), errors
