"""Batches of maps become a checked submission, whatever the threads, and mistakes are named."""

import dataclasses
import functools
import json
import threading
import weakref

import numpy as np
import pytest

from kit.competition.catalog import COMPETITIONS
from kit.cuts import Cuts
from kit.errors import KitError
from kit.submission import prediction, workers
from kit.submission.parts import PART_SIZE
from tests.conftest import write_csv
from tests.submission.conftest import (
    IDS,
    LIKELY,
    make_batches,
    map_of,
    parts_of,
    predict,
    whole,
)

pytestmark = pytest.mark.usefixtures("two_threads")


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


def test_batches_that_leave_out_or_repeat_an_image_are_a_defect(tmp_path):
    def lose(places):
        return make_batches(places[places != 5])

    with pytest.raises(ValueError, match="part 0 are not those of its images"):
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
