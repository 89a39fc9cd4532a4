"""Images that cannot be read are predicted blank and listed, unless they are all of the first."""

import functools
import json

import numpy as np
import pytest

from kit.errors import KitError
from kit.submission.parts import PART_SIZE
from tests.submission.conftest import IDS, make_batches, predict

pytestmark = pytest.mark.usefixtures("two_threads")


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


def test_a_first_part_of_bad_images_only_is_an_error(tmp_path):
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


def test_a_missing_part_is_blank_and_not_asked_for(tmp_path, expected):
    found = predict(tmp_path, missing=set(IDS[:PART_SIZE]))
    assert not np.diff(found.objects)[:PART_SIZE].any() and len(found) == len(IDS)
    assert np.array_equal(found.length[-50:], expected.length[-50:])
