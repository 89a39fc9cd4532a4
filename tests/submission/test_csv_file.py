import dataclasses
import errno
import subprocess
import sys

import numpy as np
import pytest

from kit.competition import csv_masks as rows
from kit.competition.catalog import COMPETITIONS
from kit.competition.conventions import Competition
from kit.errors import KitError
from kit.masks import dense
from kit.submission import csv_file
from tests.conftest import write_csv

SHAPE = (10, 10)
COMPETITION = Competition(height=10, width=10)


@pytest.fixture
def sample(tmp_path):
    return write_csv(tmp_path / "sample.csv", "a.jpg,1 2", "b.jpg,1 2", "c.jpg,1 2")


def check(tmp_path, sample, *rows):
    return csv_file.check_csv(write_csv(tmp_path / "p.csv", *rows), sample, shape=SHAPE)


def test_a_legal_submission_passes(tmp_path, sample):
    problems, report = check(
        tmp_path, sample, "c.jpg,", "a.jpg,1 3 4 2", "b.jpg,100 1", "a.jpg,20 1"
    )
    assert not problems and "fine. 3 images, 3 masks, 1 images blank" in report


def test_every_kind_of_violation_is_listed_with_counts_and_rows(tmp_path, sample):
    rows = [
        "a.jpg,1 5",
        "a.jpg,3 1",
        "a.jpg,",
        "b.jpg,9",
        "x.jpg,1 1",
        "b.jpg,0 1",
        "b.jpg,5 1 1 1",
        "b.jpg,100 2",
        "b.jpg,y 1",
        "b.jpg,1 0",
    ]
    problems, report = check(tmp_path, sample, *rows)
    assert {problem.kind for problem in problems} == {
        "overlapping objects",
        "blank row beside a mask row",
        "odd count of numbers",
        "image not in the sample",
        "image missing",
        "start below 1 (starts are 1-based)",
        "runs do not ascend or overlap",
        "run past the last pixel",
        "not a whole number",
        "length below 1",
    }
    assert (
        "1 x overlapping objects" in report
        and "row 3, 'a.jpg': overlaps the object in row 2" in report
        and "'c.jpg'" in report
    )


def table():
    cells = {"a.jpg": [[1, 1, 0, 2]], "b.jpg": [[0, 0, 0, 0]], "c.jpg": [[0, 3, 3, 3]]}
    return dense.from_labels(list(cells), list(cells.values()))


def test_what_is_written_passes_and_is_in_the_order_of_the_sample(tmp_path):
    sample = write_csv(tmp_path / "sample.csv", "c.jpg,1 2", "b.jpg,1 2", "a.jpg,1 2")
    competition = Competition(height=1, width=4)
    csv_file.write_csv(table(), tmp_path / "out.csv", competition, sample=sample)
    assert (
        tmp_path / "out.csv"
    ).read_text() == "ImageId,EncodedPixels\nc.jpg,2 3\nb.jpg,\na.jpg,1 2\na.jpg,4 1\n"
    assert csv_file.check_csv(tmp_path / "out.csv", sample, shape=(1, 4))[0] == []


def test_a_missing_image_is_refused_and_the_old_file_stays(tmp_path):
    sample = write_csv(tmp_path / "sample.csv", "c.jpg,1 2", "z.jpg,1 2")
    (tmp_path / "out.csv").write_text("old")
    with pytest.raises(
        KitError, match=r"no prediction for 1 images of the sample, the first is z\.jpg"
    ):
        csv_file.write_csv(
            table(), tmp_path / "out.csv", Competition(height=1, width=4), sample=sample
        )
    assert (tmp_path / "out.csv").read_text() == "old"


def test_masks_that_do_not_fit_are_not_written(tmp_path):
    with pytest.raises(KitError, match="not written, run past the last pixel"):
        csv_file.write_csv(table(), tmp_path / "out.csv", Competition(height=1, width=3))
    assert list(tmp_path.iterdir()) == []


def test_what_is_read_back_must_be_what_was_written(tmp_path, monkeypatch):
    monkeypatch.setattr(
        csv_file.csv_text,
        "format_csv",
        lambda *_, **__: b"ImageId,EncodedPixels\na.jpg,1 2\nb.jpg,\nc.jpg,2 3\n",
    )
    with pytest.raises(KitError, match="not written, what was read back differs from the masks"):
        csv_file.write_csv(table(), tmp_path / "out.csv", Competition(height=1, width=4))
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_named_and_leaves_the_old_file(tmp_path, monkeypatch):
    (tmp_path / "out.csv").write_text("old")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(KitError, match="is full; free some space"):
        csv_file.write_csv(table(), tmp_path / "out.csv", Competition(height=1, width=4))
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"] and (
        tmp_path / "out.csv"
    ).read_text() == "old"


def test_a_report_shows_the_first_rows_of_each_kind_only(tmp_path, sample):
    problems, report = check(tmp_path, sample, *["a.jpg,0 1"] * 500, "b.jpg,", "c.jpg,1 2,")
    assert (
        len(problems) == 501
        and report.count("start below 1") == 4
        and len(report.splitlines()) == 7
    )
    assert report.splitlines()[1] == "500 x start below 1 (starts are 1-based)"
    assert (
        report.splitlines()[2].strip() == "row 2, 'a.jpg': start below 1 (starts are 1-based): '0'"
    )


def test_other_competitions_are_written_and_checked(tmp_path):
    steel = dataclasses.replace(COMPETITIONS["severstal"], labels=("1", "2"), height=2, width=3)
    (tmp_path / "s.csv").write_text("ImageId_ClassId,EncodedPixels\na_1,\na_2,\nb_1,\nb_2,\n")
    found = dense.from_masks(
        ["b", "a"], [np.ones((1, 2, 3), bool), np.zeros((0, 2, 3), bool)], [[1], []]
    )
    csv_file.write_csv(found, tmp_path / "out.csv", steel, sample=tmp_path / "s.csv")
    assert (
        tmp_path / "out.csv"
    ).read_text() == "ImageId_ClassId,EncodedPixels\na_1,\na_2,\nb_1,\nb_2,1 6\n"
    assert csv_file.check_csv(tmp_path / "out.csv", tmp_path / "s.csv", competition=steel)[0] == []
    (tmp_path / "out.csv").write_text(
        "ImageId_ClassId,EncodedPixels\na_1,\nb_1,\nb_2,1 7\nb_2,\nc_1,\n"
    )
    problems, _ = csv_file.check_csv(tmp_path / "out.csv", tmp_path / "s.csv", competition=steel)
    assert sorted((p.kind, p.image) for p in problems) == [
        ("image and label missing", "a_2"),
        ("image and label not in the sample", "c_1"),
        ("run past the last pixel", "b"),
        ("second row of one image and label", "b"),
    ]


def test_a_disk_that_fills_up_while_writing_leaves_the_old_file(tmp_path):
    code = (
        "import resource, sys, numpy as np\n"
        "from kit.masks import dense\n"
        "from kit.submission import csv_file\n"
        "masks = [np.ones((1, 768, 768), bool)] * 300\n"
        "table = dense.from_masks([str(n) for n in range(300)], masks)\n"
        # compiles, so that numba writes its cache before the disk is full
        "csv_file.write_csv(table, sys.argv[1])\n"
        "open(sys.argv[1], 'w').write('old')\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        "try: csv_file.write_csv(table, sys.argv[1])\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "out.csv"], capture_output=True, text=True
    )
    assert done.stdout.startswith("KitError") and "is full; free some space" in done.stdout, done
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"] and (
        tmp_path / "out.csv"
    ).read_text() == "old"


def test_the_columns_of_the_truth_are_not_those_of_the_submission(tmp_path):
    competition = Competition(height=9, width=9, sample_id_column="id", sample_runs_column="rle")
    sample = write_csv(tmp_path / "s.csv", "a,", header="id,rle")
    with pytest.raises(KitError, match="column id is missing"):
        csv_file.check_csv(write_csv(tmp_path / "p.csv", "a,1 1"), sample, competition=competition)


def test_images_of_several_sizes_and_runs_across_are_written(tmp_path):
    sizes = dense.from_labels(["a", "b"], [np.ones((2, 3), int), np.eye(4, dtype=int)])
    csv_file.write_csv(sizes, tmp_path / "out.csv", COMPETITIONS["dsb2018"])
    assert (tmp_path / "out.csv").read_text().endswith("a,1 6\nb,1 1 6 1 11 1 16 1\n")
    across = Competition(order="across", height=2, width=6)
    touching = rows.read_csv(b"ImageId,EncodedPixels\na,1 3 4 2\n", across)
    csv_file.write_csv(touching, tmp_path / "out.csv", across)
    assert (tmp_path / "out.csv").read_text().endswith("a,1 5\n")


def test_an_illegal_row_with_a_label_is_listed_beside_what_is_missing(tmp_path):
    steel = dataclasses.replace(COMPETITIONS["severstal"], labels=("1", "2"), height=2, width=3)
    header = "ImageId_ClassId,EncodedPixels"
    sample = write_csv(tmp_path / "s.csv", "a_1,", "a_2,", header=header)
    problems, _ = csv_file.check_csv(
        write_csv(tmp_path / "p.csv", "a_1,", "a_9,", header=header), sample, competition=steel
    )
    kinds = {"unknown label", "image and label missing", "image and label not in the sample"}
    assert {problem.kind for problem in problems} == kinds


def test_ids_that_need_quotes_survive(tmp_path):
    names = ['a,"b".jpg', "two\nlines.jpg", "é.jpg"]
    wanted = dense.from_labels(names, [[[1]], [[0]], [[1]]])
    csv_file.write_csv(wanted, tmp_path / "out.csv", Competition(height=1, width=1))
    assert rows.read_csv(tmp_path / "out.csv", Competition(height=1, width=1)) == wanted
