import errno
import os

import pytest

from kit.errors import KitError
from kit.system import files


def test_a_file_is_there_whole_or_not_at_all(tmp_path):
    path = tmp_path / "some.json"
    files.write_json(path, {"a": 1})
    assert files.read_json(path, "a test") == {"a": 1}
    with pytest.raises(RuntimeError), files.replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert files.read_json(path, "a test") == {"a": 1} and os.listdir(tmp_path) == ["some.json"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES])
def test_a_full_disk_is_told_from_other_errors(tmp_path, number):
    path = tmp_path / "a.txt"
    with pytest.raises(KitError, match=f"{path}: ") as error, files.replacing(path):
        raise OSError(number, "words")
    assert ("is full; free some space" in str(error.value)) == (number != errno.EACCES)
    assert os.listdir(tmp_path) == []


def test_a_folder_is_there_whole_or_not_at_all(tmp_path):
    path = tmp_path / "folder"
    path.mkdir()  # an empty one is replaced
    with files.replacing_folder(path) as temporary:
        (temporary / "a").touch()
    with pytest.raises(KitError, match=f"{path}: "), files.replacing_folder(path) as temporary:
        (temporary / "b").touch()  # one that holds something is not
    with pytest.raises(KitError, match="elsewhere"), files.replacing_folder(tmp_path / "other"):
        raise OSError(errno.EACCES, "words", str(tmp_path / "elsewhere"))
    assert os.listdir(tmp_path) == ["folder"] and os.listdir(path) == ["a"]


def test_a_target_that_cannot_be_is_named(tmp_path):
    files.check_target(tmp_path / "a.txt")
    with pytest.raises(KitError, match="is a folder; give the path of a file"):
        files.check_target(tmp_path)
    with pytest.raises(KitError, match="there is no folder"):
        files.check_target(tmp_path / "none" / "a.txt")
    with pytest.raises(KitError, match="File name too long; does it exist, and may you"):
        files.check_target(tmp_path / ("a" * 250 + ".txt"))
    with pytest.raises(KitError, match="^/sys/a.txt: .*; does it exist, and may you"):
        files.check_target("/sys/a.txt")  # nobody may, not even root
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("text", ["", "{", "[]", "1", "[" * 100_000, "\udcff"])
def test_what_is_no_json_object_is_named(tmp_path, text):
    path = tmp_path / "some.json"
    path.write_text(text, errors="surrogateescape")
    with pytest.raises(KitError, match=r"some\.json: .*\(a test\)"):
        files.read_json(path, "a test")
