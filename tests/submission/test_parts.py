import dataclasses

import numpy as np
import pytest

from kit.errors import KitError
from kit.masks import table
from kit.masks.table import Masks
from kit.objects.extraction import find_objects
from kit.submission import parts
from kit.submission.parts import PART_SIZE, Part
from kit.system.npz import write_arrays

IDS = [f"{place}.jpg" for place in range(PART_SIZE + 3)]
KEY = parts.identify({"weights": "ab"})


def make_part(number: int, bad=()) -> Part:
    names = IDS[number * PART_SIZE : (number + 1) * PART_SIZE]
    rng = np.random.default_rng(number)
    return Part(
        find_objects(names, rng.integers(0, 256, (len(names), 9, 7), np.uint8)),
        dict.fromkeys(bad, "torn"),
    )


@pytest.fixture
def folder(tmp_path):
    with parts.hold_parts(tmp_path / "parts"):
        parts.write_part(tmp_path / "parts", 1, make_part(1, bad=[IDS[PART_SIZE]]), KEY)
        yield tmp_path / "parts"


def test_a_part_comes_back_as_it_was(folder, capsys):
    parts.write_part(folder, 0, make_part(0), KEY)
    found = parts.read_parts(folder, IDS, KEY)
    assert (
        found == {0: make_part(0), 1: make_part(1, bad=[IDS[PART_SIZE]])}
        and capsys.readouterr().out == ""
    )


def test_parts_of_other_work_are_removed_and_that_is_said(folder, capsys):
    parts.write_part(folder, 0, make_part(0), parts.identify({"weights": "cd"}))
    assert list(parts.read_parts(folder, IDS, KEY)) == [1]
    assert "removed 1 parts of another prediction" in capsys.readouterr().out
    assert [path.name for path in folder.iterdir()] == ["part-00001.npz"]


def arrays_of(part: Part) -> dict[str, np.ndarray]:
    return {
        field.name: getattr(part.masks, field.name)
        for field in dataclasses.fields(Masks)
        if field.name != "ids"
    }


def forge(field, change):
    arrays = arrays_of(make_part(1))
    arrays[field] = change(arrays[field].copy())
    return list(arrays.values()), {"key": KEY, "bad": {}}


def put(array, place, value):
    array[place] = value
    return array


# Files with right checksums that no kit wrote. Compiled code follows their offsets, so offsets are
# checked first.
FORGED = {
    "an offset past the end": lambda: forge("objects", lambda a: put(a, -1, a[-1] + 1)),
    "a first offset": lambda: forge("runs", lambda a: put(a, 0, -1)),
    "a middle offset past the end": lambda: forge("runs", lambda a: put(a, 1, 2**40)),
    "a run before the image": lambda: forge("start", lambda a: put(a, 0, -1)),
    "a run past the image": lambda: forge("length", lambda a: put(a, 0, 64)),
    "a run without a pixel": lambda: forge("length", lambda a: put(a, 0, 0)),
    "another type": lambda: forge("start", lambda a: a.astype(np.int64)),
    "an image less": lambda: forge("shapes", lambda a: a[1:]),
    "a label less": lambda: forge("labels", lambda a: a[1:]),
    "an array less": lambda: (forge("labels", lambda a: a)[0][:-1], {"key": KEY, "bad": {}}),
    "no key": lambda: (forge("labels", lambda a: a)[0], {"bad": {}}),
    "bad images of another part": lambda: (
        forge("labels", lambda a: a)[0],
        {"key": KEY, "bad": {IDS[0]: "torn"}},
    ),
    "bad images without a reason": lambda: (
        forge("labels", lambda a: a)[0],
        {"key": KEY, "bad": {IDS[PART_SIZE]: 3}},
    ),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_part_that_is_no_table_of_masks_is_made_again(folder, capsys, name):
    arrays, words = FORGED[name]()
    write_arrays(folder / "part-00001.npz", arrays, words)
    assert parts.read_parts(folder, IDS, KEY) == {}
    assert "part-00001.npz: is damaged (" in capsys.readouterr().out and not list(folder.iterdir())


def test_a_part_beyond_the_images_is_removed(folder, capsys):
    parts.write_part(folder, 2, Part(table.blank([], []), {}), KEY)
    assert list(parts.read_parts(folder, IDS, KEY)) == [1]
    assert "is damaged" in capsys.readouterr().out


def test_what_kills_leave_is_cleared_and_nothing_else(tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    (folder / ".part-00003.npz.417.tmp.npz").write_bytes(b"PK")
    with parts.hold_parts(folder):
        assert not list(folder.iterdir())
    (folder / "notes.txt").write_text("mine")
    with (
        pytest.raises(KitError, match="'notes.txt', which is not a part of a prediction"),
        parts.hold_parts(folder),
    ):
        pass
    assert (folder / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("kind", ["link", "file", "linked part", "folder as a part"])
def test_a_folder_of_another_kind_is_refused(tmp_path, kind):
    folder, other = tmp_path / "parts", tmp_path / "other"
    other.mkdir()
    if kind == "link":
        folder.symlink_to(other)
    elif kind == "file":
        folder.write_text("mine")
    else:
        folder.mkdir()
        (folder / "part-00000.npz").mkdir() if kind == "folder as a part" else (
            folder / "part-00000.npz"
        ).symlink_to(other)
    with pytest.raises(KitError, match="choose another name"), parts.hold_parts(folder):
        pass


def test_one_process_at_a_time(folder):
    with (
        pytest.raises(KitError, match="another kit predict is at work there"),
        parts.hold_parts(folder),
    ):
        pass


def test_only_parts_are_removed(folder):
    (folder / "notes.txt").write_text("mine")
    parts.remove_parts(folder)
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    (folder / "notes.txt").unlink()
    parts.remove_parts(folder)
    assert not folder.exists()


def test_places_by_part():
    found = parts.split_parts(
        np.array([0, 5, PART_SIZE - 1, 2 * PART_SIZE, 2 * PART_SIZE + 1, 4 * PART_SIZE])
    )
    assert [list(places) for places in found] == [
        [0, 5, PART_SIZE - 1],
        [2 * PART_SIZE, 2 * PART_SIZE + 1],
        [4 * PART_SIZE],
    ]
    assert parts.split_parts(np.zeros(0, np.int64)) == []
