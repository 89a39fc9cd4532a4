import json
import zipfile

import numpy as np
import pytest

from kit.errors import KitError
from kit.models import checkpoint

ARRAYS = [
    np.arange(12, dtype=np.float32).reshape(3, 4),
    np.array(7, np.int64),
    np.zeros((0, 2), np.uint32),
]


def words(step, epochs=0):
    return {
        "step": step,
        "history": [{"epoch": epoch} for epoch in range(epochs)],
        "losses": [0.1, 1 / 3],
    }


def same(found, step):
    arrays, fields = found
    assert fields == words(step, len(fields["history"]))
    assert all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(arrays, ARRAYS)) and len(
        arrays
    ) == len(ARRAYS)
    return True


def test_what_was_saved_comes_back_and_two_are_kept(tmp_path):
    assert checkpoint.load_state(tmp_path / "state") is None
    for step in range(5):
        checkpoint.save_state(tmp_path / "state", ARRAYS, words(step))
    assert same(checkpoint.load_state(tmp_path / "state"), 4)
    assert [path.name for path in checkpoint.list_states(tmp_path / "state")] == [
        "step-000000003-00000.npz",
        "step-000000004-00000.npz",
    ]


def test_the_state_after_an_epoch_follows_the_one_before_its_scoring(tmp_path):
    checkpoint.save_state(tmp_path, ARRAYS, words(8, 0))
    checkpoint.save_state(tmp_path, ARRAYS, words(8, 1))
    assert len(checkpoint.load_state(tmp_path)[1]["history"]) == 1


@pytest.mark.parametrize("damage", ["cut", "empty", "flip", "text", "member"])
def test_a_damaged_state_is_passed_over_and_said(tmp_path, capsys, damage):
    checkpoint.save_state(tmp_path, ARRAYS, words(1))
    path = checkpoint.save_state(tmp_path, ARRAYS, words(2))
    data = bytearray(path.read_bytes())
    if damage == "cut":
        data = data[: len(data) // 2]
    elif damage == "empty":
        data = b""
    elif damage == "flip":
        data[data.index(ARRAYS[0].tobytes()) + 5] ^= 16
    elif damage == "text":
        data = b"no zip at all"
    path.write_bytes(data)
    if damage == "member":
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("words.npy", b"")
    assert same(checkpoint.load_state(tmp_path), 1)
    assert f"{path}: is damaged" in capsys.readouterr().out
    assert checkpoint.list_states(tmp_path) == [tmp_path / "step-000000001-00000.npz"]


def test_any_flipped_bit_is_found_or_harmless(tmp_path):
    path = checkpoint.save_state(tmp_path, ARRAYS, words(2))
    whole = path.read_bytes()
    for at in range(0, len(whole), 7):
        data = bytearray(whole)
        data[at] ^= 1 << at % 8
        path.write_bytes(data)
        try:
            assert same(checkpoint.load_state(tmp_path), 2)
        except KitError as error:
            assert "every state is damaged" in str(error)
        path.write_bytes(whole)


def test_nothing_is_unpickled(tmp_path):
    path = checkpoint.save_state(tmp_path, ARRAYS, words(2))
    text = np.frombuffer(json.dumps(words(2)).encode(), np.uint8)
    np.savez(path, words=text, **{"00000": np.array([print], object)})
    with pytest.raises(KitError, match="every state is damaged"):
        checkpoint.load_state(tmp_path)


def test_other_files_are_no_states(tmp_path):
    (tmp_path / "step-1.npz").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("mine")
    assert checkpoint.load_state(tmp_path) is None
    checkpoint.save_state(tmp_path, ARRAYS, words(1))
    assert (tmp_path / "step-1.npz").exists() and (tmp_path / "notes.txt").exists()
