import contextlib
import dataclasses
import functools
import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kit.competition import csv_masks
from kit.competition.conventions import COMPETITIONS, Competition
from kit.cuts import Cuts
from kit.errors import KitError
from kit.objects.extraction import find_objects
from kit.submission import prediction
from kit.submission.parts import PART_SIZE, split_shards
from kit.submission.prediction import Batch, predict_batches, predict_maps
from kit.system import files
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
    monkeypatch.setattr(prediction.processes, "count_cores", lambda: 2)


@pytest.fixture(scope="module")
def expected():
    return find_objects(IDS, map(map_of, range(len(IDS))), CUTS, presence=LIKELY)


def whole(folder: Path, masks) -> bool:
    """The CSV holds the masks, the JSON its SHA-256, and nothing else is left."""
    data = (folder / "out.csv").read_bytes()
    report = json.loads((folder / "out.json").read_text())
    return (
        data == csv_masks.format_csv(masks, COMPETITION, submission=True)
        and report["sha256"] == hashlib.sha256(data).hexdigest()
        and {path.name for path in folder.iterdir()} == {"sample.csv", "out.csv", "out.json"}
    )


@pytest.mark.parametrize(("threads", "size"), [(1, 16), (4, 16), (4, 1), (3, PART_SIZE)])
def test_threads_and_batches_change_no_byte(tmp_path, monkeypatch, capsys, expected, threads, size):
    monkeypatch.setattr(prediction.processes, "count_cores", lambda: threads)
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

    prediction.processes.count_cores = lambda: 2
    owner = {"replace": os, "fsync": os, "unlink": os, "rmdir": os}.get(what, prediction)
    setattr(owner, what, deadly(getattr(owner, what)))
    predict(folder, make_deadly_batches(nth) if what == "Batch" else make_batches)


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
        assert before == csv_masks.format_csv(expected, COMPETITION, submission=True)
    assert predict(tmp_path) == expected
    assert (f"going on: {ready} of {len(IDS)} images are done" in capsys.readouterr().out) == (
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
    assert "held 1 parts of other work" in output and "going on" not in output


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
        and f"going on: {PART_SIZE} of {len(IDS)} images are done" in output
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
    size = len(csv_masks.format_csv(expected, COMPETITION, submission=True))
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
    said = f"4 of {len(IDS)} images could not be read and are predicted blank, listed in {where}; the first: {IDS[7]}: is torn"
    assert output == f"kit predict: {said}\n"
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
        KitError, match=f"{IDS[0]}: is torn; so it is with all of the first {PART_SIZE} images"
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
    """An executor that works only when it is asked for a result: the latest that any could. It is its own futures."""

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


@pytest.mark.parametrize("executor", [Lazy, prediction.ThreadPoolExecutor])
def test_batches_that_wait_are_few(tmp_path, monkeypatch, expected, executor):
    monkeypatch.setattr(prediction.processes, "count_cores", lambda: 3)
    monkeypatch.setattr(prediction, "ThreadPoolExecutor", executor)
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
    with pytest.raises(KitError, match="has 4 labels, masks are predicted for one"):
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


# Maps from files.

FEW = IDS[:20]


@pytest.fixture
def maps(tmp_path):
    folder = tmp_path / "maps"
    folder.mkdir()
    for place, name in enumerate(FEW):
        Image.fromarray(map_of(place)).save(folder / f"{name}.png")
    write_csv(tmp_path / "sample.csv", *(f"{name},1 1" for name in FEW))
    return folder


def from_maps(folder: Path, **options):
    return predict_maps(
        folder,
        folder.parent / "sample.csv",
        folder.parent / "out.csv",
        competition=COMPETITION,
        **options,
    )


STRICT = Cuts(threshold=200, min_area=2)


def write_tuning(path: Path, cuts: Cuts = STRICT, **fields) -> Path:
    files.write_json(path, {**vars(cuts), "f2": 0.5, "f2_low": 0.4, "f2_high": 0.6, **fields})
    return path


@pytest.mark.parametrize("kind", [np.uint8, np.float16, np.float32, np.float64, "mixed"])
def test_png_and_arrays_give_the_same_bytes(maps, capsys, kind):
    plain = find_objects(FEW, [map_of(place) for place in range(len(FEW))])
    for place, name in enumerate(FEW):
        if kind != "mixed" or place % 2:
            (maps / f"{name}.png").unlink()
            image = map_of(place)
            np.save(
                maps / f"{name}.npy",
                image if kind in (np.uint8, "mixed") else (image / 255).astype(kind),
            )
    assert from_maps(maps) == plain and whole_of_maps(maps, plain)
    assert f"no {maps / 'tuning.json'}, so threshold 128 and no cuts" in capsys.readouterr().out


def whole_of_maps(maps, masks):
    assert (maps.parent / "out.csv").read_bytes() == csv_masks.format_csv(
        masks, COMPETITION, submission=True
    )
    return not (maps.parent / "out.csv.parts").exists()


def test_maps_need_no_tensorflow(maps, capsys):
    code = """
import sys
sys.modules["tensorflow"] = sys.modules["keras"] = None
from kit.competition.conventions import Competition
from kit.submission.prediction import predict_maps
predict_maps("maps", "sample.csv", "out.csv", competition=Competition(height=12, width=10))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=maps.parent, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert whole_of_maps(maps, find_objects(FEW, [map_of(place) for place in range(len(FEW))]))


def test_the_folders_tuning_is_applied_and_another_where_it_is_named(maps, capsys):
    path = write_tuning(maps / "tuning.json", f2_plain=None)
    images = [map_of(place) for place in range(len(FEW))]
    assert from_maps(maps) == find_objects(FEW, images, STRICT)
    assert f"kit predict: {path}: threshold 200, at least 2 px" in capsys.readouterr().out
    report = json.loads((maps.parent / "out.json").read_text())
    assert (
        report["holdout"] == {"f2": 0.5, "f2_low": 0.4, "f2_high": 0.6, "f2_plain": None}
        and report["cuts"]["threshold"] == 200
    )
    other = write_tuning(maps.parent / "other.json", Cuts(threshold=90))
    assert from_maps(maps, tuning=other) == find_objects(FEW, images, Cuts(threshold=90))


@pytest.mark.parametrize(
    "fields",
    [{"threshold": 0}, {"f2": float("nan")}, {"f2": 10**400}, {"f2_low": "a"}, {"min_area": "1"}],
)
def test_a_tuning_out_of_range_is_an_error(maps, fields):
    (maps / "tuning.json").write_text(json.dumps({**vars(Cuts()), **fields}))
    with pytest.raises(KitError, match=r"tuning\.json: .* tune again"):
        from_maps(maps)
    with pytest.raises(KitError, match="none.json: missing"):
        from_maps(maps, tuning=maps / "none.json")


def test_a_gate_needs_what_the_network_says_of_every_image(maps):
    cuts = Cuts(threshold=200, min_area=2, min_presence=0.2)
    write_tuning(maps / "tuning.json", cuts)
    with pytest.raises(
        KitError, match="presence.csv: lacks 20 images, which the cuts need, the first is 0000.jpg"
    ):
        from_maps(maps)
    write_csv(
        maps / "presence.csv",
        *(f"{name},{LIKELY[place]}" for place, name in enumerate(FEW)),
        header="ImageId,presence",
    )
    images = [map_of(place) for place in range(len(FEW))]
    found = from_maps(maps)
    assert found == find_objects(FEW, images, cuts, presence=LIKELY[: len(FEW)])
    assert len(found.labels) < len(find_objects(FEW, images, STRICT).labels)


def test_missing_maps_are_an_error_unless_allowed(maps, capsys):
    for name in FEW[3:5]:
        (maps / f"{name}.png").unlink()
    with pytest.raises(
        KitError,
        match="2 of the sample's 20 images are missing, the first is 0003.jpg; --allow-missing",
    ):
        from_maps(maps)
    assert not (maps.parent / "out.csv").exists()
    found = from_maps(maps, allow_missing=True)
    assert (
        not np.diff(found.objects)[3:5].any()
        and "2 of 20 images could not be read and are predicted blank" in capsys.readouterr().out
    )
    assert json.loads((maps.parent / "out.json").read_text())["missing"] == FEW[3:5]
    for path in maps.iterdir():
        path.unlink()
    with pytest.raises(
        KitError,
        match="20 of the sample's 20 images are missing, the first is 0000.jpg; is it the right one",
    ):
        from_maps(maps, allow_missing=True)
    maps.rmdir()
    with pytest.raises(KitError, match="no such folder of maps"):
        from_maps(maps)


@pytest.mark.parametrize("damage", ["cut", "shape", "logits"])
def test_a_damaged_map_is_an_error_not_a_blank_image(maps, damage):
    path = maps / f"{FEW[4]}.png"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:60])
    else:
        path.unlink()
        path = maps / f"{FEW[4]}.npy"
        np.save(path, np.full((12, 11), 0.5) if damage == "shape" else np.full((12, 10), 1.5))
    with pytest.raises(KitError, match=str(path)):
        from_maps(maps, allow_missing=True)
    assert not (maps.parent / "out.csv").exists()


@pytest.mark.parametrize("name", ["../x", "/x", "a/b.jpg", "a\\b"])
def test_a_hostile_id_is_refused(maps, name):
    write_csv(maps.parent / "sample.csv", f"{FEW[0]},1 1", f"{name},1 1")
    with pytest.raises(KitError, match="is not a plain file name"):
        from_maps(maps, allow_missing=True)


def test_a_changed_map_is_read_again(maps, monkeypatch, capsys):
    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(prediction, "write_submission", stop)
        from_maps(maps)
    image = np.zeros((12, 10), np.uint8)
    (maps / f"{FEW[0]}.png").unlink()
    np.save(maps / f"{FEW[0]}.npy", image)
    assert np.diff(from_maps(maps).objects)[0] == 0
    assert "other work" in capsys.readouterr().out


def test_maps_of_many_sizes(maps, tmp_path):
    """A competition whose images differ in size; one that is missing has none."""
    Image.fromarray(np.full((3, 40), 255, np.uint8)).save(maps / f"{FEW[1]}.png")
    (maps / f"{FEW[2]}.png").unlink()
    options = {"competition": Competition(height=None, width=None), "allow_missing": True}
    found = predict_maps(maps, tmp_path / "sample.csv", tmp_path / "out.csv", **options)
    assert found.shapes[:3].tolist() == [[12, 10], [3, 40], [0, 0]]
    assert f"{FEW[1]},1 120\n{FEW[2]},\n" in (tmp_path / "out.csv").read_text()
