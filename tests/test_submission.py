import errno

import pytest

from kit import masks, submission
from kit.competition import Competition
from kit.errors import KitError

from .conftest import write_csv

SHAPE = (10, 10)
COMPETITION = Competition(height=10, width=10)


@pytest.fixture
def sample(tmp_path):
    return write_csv(tmp_path / "sample.csv", "a.jpg,1 2", "b.jpg,1 2", "c.jpg,1 2")


def check(tmp_path, sample, *rows):
    return submission.check_csv(write_csv(tmp_path / "p.csv", *rows), sample, shape=SHAPE)


def test_a_legal_submission_passes(tmp_path, sample):
    problems, report = check(tmp_path, sample, "c.jpg,", "a.jpg,1 3 4 2", "b.jpg,100 1", "a.jpg,20 1")
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
    assert "1 x overlapping objects" in report and "row 3, 'a.jpg': overlaps the object in row 2" in report and "'c.jpg'" in report


def table():
    cells = {"a.jpg": [[1, 1, 0, 2]], "b.jpg": [[0, 0, 0, 0]], "c.jpg": [[0, 3, 3, 3]]}
    return masks.from_labels(list(cells), list(cells.values()))


def test_what_is_written_passes_and_is_in_the_order_of_the_sample(tmp_path):
    sample = write_csv(tmp_path / "sample.csv", "c.jpg,1 2", "b.jpg,1 2", "a.jpg,1 2")
    competition = Competition(height=1, width=4)
    submission.write_csv(table(), tmp_path / "out.csv", competition, sample=sample)
    assert (tmp_path / "out.csv").read_text() == "ImageId,EncodedPixels\nc.jpg,2 3\nb.jpg,\na.jpg,1 2\na.jpg,4 1\n"
    assert submission.check_csv(tmp_path / "out.csv", sample, shape=(1, 4))[0] == []


def test_a_missing_image_is_refused_and_the_old_file_stays(tmp_path):
    sample = write_csv(tmp_path / "sample.csv", "c.jpg,1 2", "z.jpg,1 2")
    (tmp_path / "out.csv").write_text("old")
    with pytest.raises(KitError, match=r"no prediction for 1 images of the sample, the first is z\.jpg"):
        submission.write_csv(table(), tmp_path / "out.csv", Competition(height=1, width=4), sample=sample)
    assert (tmp_path / "out.csv").read_text() == "old"


def test_masks_that_do_not_fit_are_not_written(tmp_path):
    with pytest.raises(KitError, match="not written, run past the last pixel"):
        submission.write_csv(table(), tmp_path / "out.csv", Competition(height=1, width=3))
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_named_and_leaves_the_old_file(tmp_path, monkeypatch):
    (tmp_path / "out.csv").write_text("old")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(KitError, match="is full; free some space"):
        submission.write_csv(table(), tmp_path / "out.csv", Competition(height=1, width=4))
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"] and (tmp_path / "out.csv").read_text() == "old"


def test_ids_that_need_quotes_survive(tmp_path):
    names = ['a,"b".jpg', "two\nlines.jpg", "é.jpg"]
    wanted = masks.from_labels(names, [[[1]], [[0]], [[1]]])
    submission.write_csv(wanted, tmp_path / "out.csv", Competition(height=1, width=1))
    assert masks.read_csv(tmp_path / "out.csv", Competition(height=1, width=1)) == wanted
