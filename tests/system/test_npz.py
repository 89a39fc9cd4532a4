import functools
import resource
import subprocess
import sys

import numpy as np
import pytest

from kit.errors import KitError
from kit.system.npz import UNREADABLE, read_arrays, write_arrays

ARRAYS = [
    np.arange(12, dtype=np.float32).reshape(3, 4),
    np.array(7, np.int64),
    np.zeros((0, 2), np.uint32),
]
WORDS = {"name": "Ærø", "numbers": [1, 0.1, None], "inner": {"a": True}}


def same(path) -> bool:
    arrays, words = read_arrays(path)
    return (
        words == WORDS
        and len(arrays) == len(ARRAYS)
        and all(
            np.array_equal(a, b) and a.dtype == b.dtype and a.shape == b.shape
            for a, b in zip(arrays, ARRAYS)
        )
    )


@pytest.fixture
def path(tmp_path):
    write_arrays(tmp_path / "a.npz", ARRAYS, WORDS)
    return tmp_path / "a.npz"


def test_what_was_written_comes_back(path):
    assert same(path) and [other.name for other in path.parent.iterdir()] == ["a.npz"]
    write_arrays(path, [], {})
    assert read_arrays(path) == ([], {})


@pytest.mark.filterwarnings("ignore")  # numpy warns of odd headers before it refuses them
def test_every_flipped_bit_and_every_cut_is_found_or_harmless(path):
    whole = path.read_bytes()
    found = 0
    for at in range(len(whole)):
        data = bytearray(whole)
        data[at] ^= 1 << at * 5 % 8
        for damaged in (data, whole[:at]):
            path.write_bytes(damaged)
            try:
                assert same(path)
            except UNREADABLE:
                found += 1
    assert found > len(whole)


def test_a_hidden_last_member_is_found(path):
    """A directory entry claims a comment of 128 bytes, so zipfile skips the entries after it."""
    data = bytearray(path.read_bytes())
    last = data.rindex(b"PK\1\2", 0, data.rindex(b"PK\1\2"))
    data[last + 32] = 128
    path.write_bytes(data)
    with pytest.raises(ValueError, match="arrays are missing"):
        read_arrays(path)


def test_nothing_is_unpickled_and_words_are_an_object(path):
    np.savez(path, words=np.frombuffer(b"{}", np.uint8), **{"00000": np.array([print], object)})
    with pytest.raises(ValueError, match="allow_pickle"):
        read_arrays(path)
    np.savez(path, words=np.frombuffer(b"[]", np.uint8))
    with pytest.raises(ValueError, match="not a JSON object"):
        read_arrays(path)


def test_an_error_leaves_the_file_before_it(path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_arrays(path, [], {"a": float("nan")})
    with pytest.raises(KitError, match="there is no folder"):
        write_arrays(path.parent / "none" / "a.npz", [], {})
    assert same(path)
    code = f"from kit.system.npz import *; write_arrays({str(path)!r}, [np.zeros(9000)], {{}})"
    limit = functools.partial(resource.setrlimit, resource.RLIMIT_FSIZE, (5000, 5000))
    done = subprocess.run(
        [sys.executable, "-Bc", code], capture_output=True, text=True, preexec_fn=limit
    )
    assert f"KitError: {path}: the disk that holds {path.parent} is full" in done.stderr
    assert same(path) and [other.name for other in path.parent.iterdir()] == ["a.npz"]
