"""The text of a CSV as bytes, and its header (tests: competition/test_csv_masks.py)."""

import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import KitError

_LONGEST = 65536  # bytes of a header
_NAME = re.compile(r'(?:"((?:[^"]|"")*)"|([^",\r\n]*))(?=,|\Z)')


def load_text(source: Any) -> tuple[str, np.ndarray]:
    """The name that errors give a CSV, and its bytes, uint8.

    source: a path, bytes, (name, bytes), or a DataFrame of pandas or polars.

    Raises:
        KitError: if it cannot be read or is not UTF-8 text.
    """
    if isinstance(source, tuple):
        name, data = source[0], np.frombuffer(source[1], np.uint8)
    elif isinstance(source, bytes | bytearray | memoryview):
        name, data = "CSV", np.frombuffer(source, np.uint8)
    elif hasattr(source, "to_csv"):
        text = source.to_csv(index=False, lineterminator="\n")
        name, data = "DataFrame", np.frombuffer(text.encode(), np.uint8)
    elif hasattr(source, "write_csv"):  # of polars
        name, data = "DataFrame", np.frombuffer(source.write_csv().encode(), np.uint8)
    elif not isinstance(source, str | os.PathLike):
        raise KitError(
            f"a CSV is given as {type(source).__name__}; give a path, bytes or a DataFrame"
        )
    else:
        path = Path(source)
        name = path.name
        try:
            if path.is_file():  # fromfile uses huge pages: 300 MB take less than half the time
                data = np.fromfile(path, np.uint8)
            else:
                data = np.frombuffer(path.read_bytes(), np.uint8)
        except FileNotFoundError:
            raise KitError(f"{path}: no such file") from None
        except OSError as error:
            raise KitError(f"{path}: cannot be read: {error.strerror or error}") from None
    if data.max(initial=0) > 127:
        try:
            data.tobytes().decode()
        except UnicodeDecodeError as error:
            row = np.count_nonzero(data[: error.start] == 10) + 1
            raise KitError(
                f"{name} row {row}: not UTF-8 text; save the file as a CSV in UTF-8"
            ) from None
    return name, data


def read_header(name: str, data: np.ndarray) -> tuple[list[str], int]:
    """The column names in the first line, without spaces around, and where the second line begins.

    Raises:
        KitError: if the first line is not the header of a CSV.
    """
    head = data[: _LONGEST + 4].tobytes()
    begin = 3 if head.startswith(b"\xef\xbb\xbf") else 0
    end = begin
    while True:
        end = head.find(b"\n", end)
        end = len(head) if end < 0 else end
        if end - begin > _LONGEST:
            raise KitError(f"{name}: its first line is longer than 64 KB; is it a CSV?")
        if end == len(head) or head.count(b'"', begin, end) % 2 == 0:
            break
        end += 1
    line = head[begin:end].removesuffix(b"\r")
    if not line:
        raise KitError(f"{name}: its first line is empty; expected a header with column names")
    if b"\0" in line:
        raise KitError(f"{name} row 1: holds a NUL byte; the file is damaged or not a CSV")
    text, names, at = line.decode(), list[str](), -1
    while at < len(text):
        cell = _NAME.match(text, at + 1)
        if cell is None:
            raise KitError(f"{name} row 1: not the header of a CSV: {text[:80]!r}")
        column = cell[2] if cell[1] is None else cell[1].replace('""', '"')
        names.append(column.strip())
        at = cell.end()
    return names, min(end + 1, len(data))
