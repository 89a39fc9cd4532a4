import contextlib
import dataclasses
import functools
import hashlib
import json
import os
import resource
import signal
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest

from kit.competition import csv_text
from kit.competition.conventions import COMPETITIONS, Competition
from kit.cuts import Cuts
from kit.errors import KitError
from kit.objects.extraction import find_objects
from kit.submission import prediction, workers
from kit.submission.parts import PART_SIZE, split_shards
from kit.submission.prediction import predict_batches
from kit.submission.workers import Batch
from tests.conftest import write_csv
from tests.forks import finish

COMPETITION = Competition(height=12, width=10)
IDS = [f"{place:04d}.jpg" for place in range(2 * PART_SIZE + 90)]
CUTS = Cuts(threshold=200, min_area=2, min_presence=0.2)
LIKELY = np.random.default_rng(1).random(len(IDS)).astype(np.float32)


def map_of(place: int) -> np.ndarray:
    return np.random.default_rng(place).integers(0, 256, (12, 10), np.uint8)


def make_batches(places, size=16, bad=()):
    def load(chosen):
        return [map_of(place) for place in chosen], LIKELY[chosen]

    for shard in split_shards(places):
        for at in range(0, len(shard), size):
            chosen = shard[at : at + size]
            held = chosen[~np.isin(chosen, list(bad))]
            yield Batch(
                held,
                functools.partial(load, held),
                {int(place): "is\ntorn" for place in chosen if place in bad},
            )


def predict(folder: Path, make=make_batches, ids=IDS, cuts=CUTS, plan="one", **options):
    sample = folder / "sample.csv"
    if not sample.exists():
        write_csv(sample, *(f"{name},1 1" for name in ids))
    options = {"competition": COMPETITION, "words": {"models": ["m"]}, **options}
    return predict_batches(
        folder / "out.csv", sample, ids, cuts, make, plan={"weights": plan}, **options
    )


@pytest.fixture(autouse=True)
def two_threads(monkeypatch):
    """How many batches are under way when something happens."""
    monkeypatch.setattr(workers.processes, "count_cores", lambda: 2)


@pytest.fixture(scope="module")
def expected():
    return find_objects(IDS, map(map_of, range(len(IDS))), CUTS, presence=LIKELY)


def whole(folder: Path, masks) -> bool:
    """The CSV holds the masks, the JSON its SHA-256, and nothing else is left."""
    data = (folder / "out.csv").read_bytes()
    report = json.loads((folder / "out.json").read_text())
    return (
        data == csv_text.format_csv(masks, COMPETITION, submission=True)
        and report["sha256"] == hashlib.sha256(data).hexdigest()
        and {path.name for path in folder.iterdir()} == {"sample.csv", "out.csv", "out.json"}
    )


@pytest.mark.parametrize(("threads", "size"), [(1, 16), (4, 16), (4, 1), (3, PART_SIZE)])
def test_threads_and_batches_change_no_byte(tmp_path, monkeypatch, capsys, expected, threads, size):
    monkeypatch.setattr(workers.processes, "count_cores", lambda: threads)
    assert predict(tmp_path, functools.partial(make_batches, size=size)) == expected
    assert whole(tmp_path, expected) and capsys.readouterr().out == ""
    report = json.loads((tmp_path / "out.json").read_text())
    counts = np.diff(expected.objects)
    assert (
        report["submission"] == "out.csv"
        and report["models"] == ["m"]
        and report["unreadable"] == {}
        and report["missing"] == []
    )
    assert (report["images"], report["masks"], report["blank_images"]) == (
        len(IDS),
        counts.sum(),
        (counts == 0).sum(),
    )
    assert report["when"].endswith("+00:00") and 0 < report["blank_images"] < len(IDS)


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
        ("unlink", 6),
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


def parts_of(folder: Path) -> list[Path]:
    return sorted((folder / "out.csv.parts").iterdir())


def test_temporary_files_of_others_stay(tmp_path):
    mine, others = (
        [".out.csv.12.tmp.csv", ".out.json.7.tmp.json"],
        [".out.csv.tmp", ".out2.csv.12.tmp.csv", "out.csv.12.tmp.csv"],
    )
    for name in mine + others:
        (tmp_path / name).write_text("")
    predict(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "sample.csv",
        "out.csv",
        "out.json",
        *others,
    }


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


def test_an_error_of_a_worker_comes_as_it_is_and_closes_the_batches(tmp_path):
    threads, closed = set(threading.enumerate()), []

    def load():
        raise LookupError("mine")

    def make(places):
        try:
            for batch in make_batches(places):
                yield batch._replace(load=load) if PART_SIZE + 40 in batch.places else batch
        finally:
            closed.append(True)

    with pytest.raises(LookupError, match="mine"):
        predict(tmp_path, make)
    assert set(threading.enumerate()) == threads and closed and len(parts_of(tmp_path)) == 1


def test_a_run_beside_another_is_refused(tmp_path, expected):
    def make(places):
        with pytest.raises(KitError, match="another kit predict is at work there"):
            predict(tmp_path)
        yield from make_batches(places)

    assert predict(tmp_path, make) == expected and whole(tmp_path, expected)


@pytest.mark.parametrize("change", ["plan", "cuts", "missing", "shape", "ids"])
def test_parts_of_other_work_are_not_taken(tmp_path, capsys, expected, change):
    with pytest.raises(KeyboardInterrupt):
        predict(tmp_path, stop_after(25))
    options = {
        "plan": {"plan": "two"},
        "cuts": {"cuts": Cuts(threshold=201, min_area=2, min_presence=0.2)},
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


def test_images_that_cannot_be_read_are_blank_said_once_and_listed(tmp_path, capsys, expected):
    bad = {7, PART_SIZE + 1, PART_SIZE + 2}
    found = predict(tmp_path, functools.partial(make_batches, bad=bad), missing={IDS[9]})
    counts, wanted = np.diff(found.objects), np.diff(expected.objects)
    blank = [*sorted(bad), 9]
    assert not counts[blank].any() and wanted[blank].any()
    assert (
        np.array_equal(np.delete(counts, blank), np.delete(wanted, blank))
        and (found.shapes == (12, 10)).all()
    )
    output = capsys.readouterr().out
    where = tmp_path / "out.json"
    assert output == (
        f"kit predict: 4 of {len(IDS)} images could not be read and are predicted blank, "
        f"listed in {where}; the first: {IDS[7]}: is torn\n"
    )
    report = json.loads((tmp_path / "out.json").read_text())
    assert report["unreadable"] == {IDS[place]: "is torn" for place in sorted(bad)} and report[
        "missing"
    ] == [IDS[9]]


def test_bad_images_of_finished_parts_are_listed_too(tmp_path):
    def make(places):
        for number, batch in enumerate(make_batches(places, bad={7, PART_SIZE + 1})):
            if number == 25:
                raise KeyboardInterrupt
            yield batch

    with pytest.raises(KeyboardInterrupt):
        predict(tmp_path, make)
    predict(tmp_path, functools.partial(make_batches, bad={7, PART_SIZE + 1}))
    assert list(json.loads((tmp_path / "out.json").read_text())["unreadable"]) == [
        IDS[7],
        IDS[PART_SIZE + 1],
    ]


def test_a_first_shard_of_bad_images_only_is_an_error(tmp_path):
    with pytest.raises(
        KitError, match=f"{IDS[0]}: is torn; the same holds for all of the first {PART_SIZE} images"
    ):
        predict(tmp_path, functools.partial(make_batches, bad=set(range(PART_SIZE))))
    assert not (tmp_path / "out.csv.parts").exists()
    later = predict(
        tmp_path, functools.partial(make_batches, bad=set(range(PART_SIZE, 2 * PART_SIZE)))
    )
    assert not np.diff(later.objects)[PART_SIZE : 2 * PART_SIZE].any()


@pytest.mark.parametrize("count", [4, 5])
def test_few_bad_images_may_be_all_there_are(tmp_path, count):
    make = functools.partial(make_batches, bad=set(range(count)))
    if count == 5:
        with pytest.raises(KitError, match="all of the first 5 images"):
            predict(tmp_path, make, ids=IDS[:count])
    else:
        assert len(predict(tmp_path, make, ids=IDS[:count]).labels) == 0


def test_a_missing_shard_is_blank_and_not_asked_for(tmp_path, expected):
    found = predict(tmp_path, missing=set(IDS[:PART_SIZE]))
    assert not np.diff(found.objects)[:PART_SIZE].any() and len(found) == len(IDS)
    assert np.array_equal(found.length[-50:], expected.length[-50:])


def test_batches_that_leave_out_or_repeat_an_image_are_a_defect(tmp_path):
    def lose(places):
        return make_batches(places[places != 5])

    with pytest.raises(ValueError, match="shard 0 are not those of its images"):
        predict(tmp_path, lose)


def test_nothing_is_read_where_every_image_is_to_be_blank(tmp_path):
    def make(places):
        raise AssertionError
        yield

    assert len(predict(tmp_path, make, cuts=Cuts(blank=True)).labels) == 0
    assert (tmp_path / "out.csv").read_text().count(",\n") == len(IDS)


def test_a_map_of_another_size_than_the_submissions_is_an_error(tmp_path):
    def make(places):
        for batch in make_batches(places):
            yield batch._replace(
                load=lambda held=batch.places: ([map_of(0).T for _ in held], LIKELY[held])
            )

    with pytest.raises(
        KitError, match=f"{IDS[0]}: its map is 12 x 10 px, the submission's are 10 x 12"
    ):
        predict(tmp_path, make)


class Lazy:
    """An executor that works as late as possible: when somebody asks for a result.

    It is its own future, too.
    """

    def __init__(self, workers):
        self.work = None

    def submit(self, *work):
        future = Lazy(1)
        future.work = work
        return future

    def done(self):
        return False

    def result(self):
        (function, *arguments), self.work = self.work, None
        return function(*arguments)

    def shutdown(self, **_):
        pass


@pytest.mark.parametrize("executor", [Lazy, workers.ThreadPoolExecutor])
def test_batches_that_wait_are_few(tmp_path, monkeypatch, expected, executor):
    monkeypatch.setattr(workers.processes, "count_cores", lambda: 3)
    monkeypatch.setattr(workers, "ThreadPoolExecutor", executor)
    alive, most = set(), 0

    def make(places):
        nonlocal most
        for batch in make_batches(places):
            maps = np.stack([map_of(place) for place in batch.places])
            alive.add(number := id(maps))
            weakref.finalize(maps, alive.discard, number)
            most = max(most, len(alive))
            batch = batch._replace(load=lambda maps=maps, held=batch.places: (maps, LIKELY[held]))
            del maps
            yield batch
            del batch

    assert predict(tmp_path, make) == expected
    assert most <= 2 * 3 and (executor is not Lazy or most == 2 * 3)


def test_json_that_is_no_submissions_is_not_replaced(tmp_path):
    for text in ('{"threshold": 128}', '{"submission": "out.txt"}'):
        (tmp_path / "out.json").write_text(text)
        with pytest.raises(KitError, match=r"is not the JSON of out\.csv, and would be replaced"):
            predict(tmp_path)
        assert (tmp_path / "out.json").read_text() == text
    with pytest.raises(KitError, match="give it another ending"):
        prediction.place_report(tmp_path / "out.json")


def test_masks_of_several_labels_are_not_written_as_the_first(tmp_path):
    with pytest.raises(KitError, match="has 4 labels, but masks are predicted for one"):
        predict(
            tmp_path,
            competition=dataclasses.replace(COMPETITIONS["severstal"], labels=tuple("1234")),
        )
    assert not (tmp_path / "out.csv").exists()


def test_a_submission_that_would_be_rejected_leaves_the_one_before(tmp_path, monkeypatch):
    (tmp_path / "out.csv").write_text("the one before")
    write_csv(tmp_path / "sample.csv", "none.jpg,1 1")
    with pytest.raises(KitError, match="no prediction for 1 images of the sample"):
        predict(tmp_path)
    assert (tmp_path / "out.csv").read_text() == "the one before" and len(parts_of(tmp_path)) == 3
