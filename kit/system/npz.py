"""Arrays and a few JSON fields in one .npz file, whole or not at all."""

import json
import os
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from .files import replacing

WORDS = "words"  # the member that holds the JSON
# What `read_arrays` raises if a file is missing, damaged or of another origin; the caller decides
# what to do then.
UNREADABLE: tuple[type[Exception], ...] = (
    OSError,
    ValueError,
    KeyError,
    EOFError,
    TypeError,
    NotImplementedError,
    RuntimeError,
    MemoryError,
    SyntaxError,
    OverflowError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


def write_arrays(path: Path, arrays: list[np.ndarray], words: dict[str, Any]) -> None:
    """Writes arrays (by position) and JSON fields to the .npz file `path`, whole or not at all.

    Raises:
        KitError: if the disk is full.
    """
    text = np.frombuffer(json.dumps(words, allow_nan=False).encode(), np.uint8)
    members: dict[str, Any] = {
        WORDS: text,
        **{f"{place:05d}": array for place, array in enumerate(arrays)},
    }
    with replacing(path) as temporary:
        np.savez(temporary, **members)


def read_arrays(path: Path) -> tuple[list[np.ndarray], dict[str, Any]]:
    """The arrays and JSON fields that `write_arrays` wrote.

    Every member is read, which compares its CRC-32. Nothing is unpickled. Raises one of UNREADABLE.
    """
    with open(path, "rb") as raw:
        # zipfile ignores the number of members stored here: if a bit of its directory flips, the
        # last member disappears.
        raw.seek(-12, os.SEEK_END)
        count = int.from_bytes(raw.read(2), "little")
    with np.load(path, allow_pickle=False) as file:
        names = sorted(name for name in file.files if name != WORDS)
        if len(file.files) != count or names != [f"{place:05d}" for place in range(len(names))]:
            raise ValueError("arrays are missing")
        members = {name: file[name] for name in file.files}
    if not all(isinstance(member, np.ndarray) for member in members.values()):
        raise ValueError("a member is not an array")
    words = json.loads(members.pop(WORDS).tobytes())
    if not isinstance(words, dict):
        raise ValueError("its words are not a JSON object")
    return [members[name] for name in names], words
