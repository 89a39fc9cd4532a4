"""Arrays and a few JSON words in one file, whole or not at all."""

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
# What `read_arrays` raises for a file that is missing, damaged or none of ours: whoever reads knows what to do then.
UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    EOFError,
    TypeError,
    NotImplementedError,
    RuntimeError,
    MemoryError,
    SyntaxError,
)
UNREADABLE += (OverflowError, tokenize.TokenError, zipfile.BadZipFile, zlib.error)  # type: ignore[assignment]


def write_arrays(path: Path, arrays: list[np.ndarray], words: dict) -> None:
    """Arrays, by position, and JSON as the .npz file `path`, whole or not at all; KitError on a full disk."""
    text = np.frombuffer(json.dumps(words, allow_nan=False).encode(), np.uint8)
    members: dict[str, Any] = {
        WORDS: text,
        **{f"{place:05d}": array for place, array in enumerate(arrays)},
    }
    with replacing(path) as temporary:
        np.savez(temporary, **members)


def read_arrays(path: Path) -> tuple[list[np.ndarray], dict]:
    """What `write_arrays` wrote; every member is read, which compares its CRC-32. Nothing is unpickled. Raises one of UNREADABLE."""
    with open(path, "rb") as raw:
        raw.seek(
            -12, os.SEEK_END
        )  # zipfile does not look at the number of members there: a flipped bit in its directory hides the last
        count = int.from_bytes(raw.read(2), "little")
    with np.load(path, allow_pickle=False) as file:
        names = sorted(name for name in file.files if name != WORDS)
        if len(file.files) != count or names != [f"{place:05d}" for place in range(len(names))]:
            raise ValueError("arrays are missing")
        members = {name: file[name] for name in file.files}
    if not all(isinstance(member, np.ndarray) for member in members.values()):
        raise ValueError("a member is no array")
    words = json.loads(members.pop(WORDS).tobytes())
    if not isinstance(words, dict):
        raise ValueError("its words are no JSON object")
    return [members[name] for name in names], words
