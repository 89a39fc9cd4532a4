"""Predictions that were killed, stopped or out of space go on to the same bytes.

Parts that are damaged or of other work are not taken.
"""

import contextlib
import os
import resource
import signal
import threading
from pathlib import Path

import numpy as np
import pytest

from kit.competition import csv_text
from kit.competition.conventions import Competition
from kit.cuts import Cuts
from kit.objects.extraction import find_objects
from kit.submission import prediction, workers
from kit.submission.parts import PART_SIZE
from tests.conftest import write_csv
from tests.forks import finish
from tests.submission.conftest import (
    COMPETITION,
    CUTS,
    IDS,
    LIKELY,
    make_batches,
    map_of,
    parts_of,
    predict,
    whole,
)

pytestmark = pytest.mark.usefixtures("two_threads")


def run_and_die(folder: Path, what: str, nth: int) -> None:
    """In a child: killed when `what` is called for the nth time."""

    def deadly(function):
        left = iter(range(nth))

        def call(*arguments, **options):
            if next(left, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **options)

        return call

    workers.processes.count_cores = lambda: 2
    if what == "Batch":
        predict(folder, make_deadly_batches(nth))
    owner = {"replace": os, "fsync": os, "unlink": os, "rmdir": os}.get(what, prediction)
    setattr(owner, what, deadly(getattr(owner, what)))
    predict(folder)


def make_deadly_batches(count: int):
    def make(places):
        for number, batch in enumerate(make_batches(places)):
            if number == count:
                os.kill(os.getpid(), signal.SIGKILL)
            yield batch

    return make


@pytest.mark.parametrize(
    ("what", "nth"),
    [
        ("Batch", 0),
        ("Batch", 20),
        ("write_part", 0),
        ("write_part", 1),
        ("replace", 1),  # a finished temporary file that has no name of its own yet
        ("replace", 3),  # the CSV
        ("write_json", 0),
        ("remove_parts", 0),
        ("unlink", 10),
        ("rmdir", 0),
    ],
)
@pytest.mark.dear
def test_a_kill_at_any_point_leads_to_the_same_bytes(tmp_path, capsys, expected, what, nth):
    (tmp_path / "out.csv").write_text("the one before")
    write_csv(tmp_path / "sample.csv", *(f"{name},1 1" for name in IDS))
    status, _, errors = finish(run_and_die, tmp_path, what, nth)
    assert status == -signal.SIGKILL, errors
    parts = [int(path.name[5:10]) for path in tmp_path.glob("out.csv.parts/part-*")]
    kept, ready = (
        len(parts),
        sum(len(IDS[number * PART_SIZE : (number + 1) * PART_SIZE]) for number in parts),
    )
    assert kept == {
        "Batch": nth and 1,
        "write_part": nth,
        "replace": nth,
        "write_json": 3,
        "remove_parts": 3,
    }.get(what, kept)
    before = (tmp_path / "out.csv").read_bytes()
    if what in ("Batch", "write_part", "replace"):
        assert before == b"the one before"
    else:
        assert before == csv_text.format_csv(expected, COMPETITION, submission=True)
    assert predict(tmp_path) == expected
    assert (f"resuming: {ready} of {len(IDS)} images are done" in capsys.readouterr().out) == (
        kept > 0
    )
    assert whole(tmp_path, expected)


def stop_after(count: int, error=KeyboardInterrupt):
    """Batches of a run that ends with an error after so many of them."""

    def make(places):
        for number, batch in enumerate(make_batches(places)):
            if number == count:
                raise error
            yield batch

    return make


def test_an_interrupt_passes_through_and_leaves_finished_parts_and_no_thread(tmp_path, expected):
    threads, closed = set(threading.enumerate()), []

    def make(places):
        with contextlib.closing(stop_after(25)(places)) as batches:
            try:
                yield from batches
            finally:
                closed.append(True)

    with pytest.raises(KeyboardInterrupt):
        predict(tmp_path, make)
    assert set(threading.enumerate()) == threads and closed
    assert [path.name for path in parts_of(tmp_path)] == ["part-00000.npz"] and not (
        tmp_path / "out.csv"
    ).exists()
    asked = []

    def again(places):
        asked.append(places)
        return make_batches(places)

    assert predict(tmp_path, again) == expected and whole(tmp_path, expected)
    assert np.array_equal(asked[0], np.arange(PART_SIZE, len(IDS)))


@pytest.mark.parametrize("change", ["plan", "cuts", "missing", "shape", "ids"])
def test_parts_of_other_work_are_not_taken(tmp_path, capsys, expected, change):
    with pytest.raises(KeyboardInterrupt):
        predict(tmp_path, stop_after(25))
    options = {
        "plan": {"plan": "two"},
        "cuts": {"cuts": Cuts(threshold=201, min_presence=0.2)},
        "missing": {"missing": {IDS[3]}},
        "shape": {"competition": Competition(height=None, width=None)},
        "ids": {"ids": [IDS[1], IDS[0], *IDS[2:]]},
    }[change]
    asked = []

    def make(places):
        asked.extend(places)
        return make_batches(places)

    predict(tmp_path, make, **options)
    assert len(asked) == len(IDS) - (change == "missing")
    output = capsys.readouterr().out
    assert "removed 1 parts of another prediction" in output and "resuming" not in output


@pytest.mark.parametrize("damage", ["flip", "cut", "empty"])
def test_a_damaged_part_is_made_again(tmp_path, capsys, expected, damage):
    with pytest.raises(KeyboardInterrupt):
        predict(tmp_path, stop_after(37))
    path = parts_of(tmp_path)[0]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes({"flip": data, "cut": data[: len(data) // 2], "empty": b""}[damage])
    assert predict(tmp_path) == expected and whole(tmp_path, expected)
    output = capsys.readouterr().out
    assert (
        f"{path}: is damaged" in output
        and f"resuming: {PART_SIZE} of {len(IDS)} images are done" in output
    )


def run_on_little_disk(folder: Path, limit: int) -> None:
    """In a child."""
    find_objects(
        IDS[:1], [map_of(0)], CUTS, presence=LIKELY[:1]
    )  # compiles, and writes what that leaves
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    predict(folder)


@pytest.mark.parametrize("what", ["part", "csv"])
@pytest.mark.dear
def test_a_full_disk_is_said_keeps_what_was_there_and_the_same_call_goes_on(
    tmp_path, expected, what
):
    size = len(csv_text.format_csv(expected, COMPETITION, submission=True))
    (tmp_path / "out.csv").write_text("the one before")
    write_csv(tmp_path / "sample.csv", *(f"{name},1 1" for name in IDS))
    limit = {"part": 5000, "csv": size - 1}[what]
    _, _, errors = finish(run_on_little_disk, tmp_path, limit)
    name = {"part": "out.csv.parts/part-00000.npz", "csv": "out.csv"}[what]
    assert (
        f"KitError: {tmp_path / name}: the disk that holds" in errors
        and "is full; free some space" in errors
    ), errors
    assert (tmp_path / "out.csv").read_text() == "the one before" and not (
        tmp_path / "out.json"
    ).exists()
    assert len(list(tmp_path.glob("out.csv.parts/*"))) == {"part": 0, "csv": 3}[what]
    assert predict(tmp_path) == expected and whole(tmp_path, expected)
