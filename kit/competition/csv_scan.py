"""The cells of a CSV (RFC 4180) as byte ranges (tests: competition/test_csv_masks.py)."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import KitError
from ..system.jit import compiled

# What can be wrong with a row; the numbers are `_split`'s problem codes.
PROBLEMS = {
    1: "fewer cells than the header",
    2: "more cells than the header",
    3: "NUL byte",
    4: "stray quote",
    5: "quote that is never closed",
    6: "stray carriage return",
}

_NAME = re.compile(r'(?:"((?:[^"]|"")*)"|([^",\r\n]*))(?=,|\Z)')
# Unsigned, so that numba does not ask of every index whether it counts from the end: scanning takes half the time.
_INDEX, _ONE = np.uintp, np.uintp(1)
_SPECIAL = np.zeros(256, np.bool_)
_SPECIAL[list(b',\n\r"\0')] = True


@dataclass(frozen=True, eq=False)
class Cells:
    """Rows of a CSV, some of its columns; cell k of row i is data[begin[i, k]:end[i, k]]. The header is row 1 of the file."""

    data: np.ndarray  # uint8, the whole file, UTF-8
    begin: np.ndarray  # int64 (rows, columns)
    end: np.ndarray  # int64 (rows, columns)
    doubled: np.ndarray  # bool (rows,): a cell of the row holds a doubled quote
    problem: np.ndarray  # int8 (rows,): 0 or a key of PROBLEMS
    key: np.ndarray  # uint64 (rows,): a hash of the first column

    def text(self, row: int, column: int) -> str:
        """A cell as text."""
        cell = self.data[self.begin[row, column] : self.end[row, column]].tobytes().decode()
        return cell.replace('""', '"') if self.doubled[row] else cell


def load_text(source) -> tuple[str, np.ndarray]:
    """What errors call a source of CSV text (a path, bytes, (name, bytes), or a pandas DataFrame), and its bytes (uint8); KitError where
    it is no text."""
    if isinstance(source, tuple):
        name, data = source[0], np.frombuffer(source[1], np.uint8)
    elif isinstance(source, bytes | bytearray | memoryview):
        name, data = "CSV", np.frombuffer(source, np.uint8)
    elif hasattr(source, "to_csv"):
        name, data = (
            "DataFrame",
            np.frombuffer(source.to_csv(index=False, lineterminator="\n").encode(), np.uint8),
        )
    else:
        path = Path(source)
        try:  # as an array it lies in huge pages: at 300 MB read in less than half the time
            name, data = (
                path.name,
                np.fromfile(path, np.uint8)
                if path.is_file()
                else np.frombuffer(path.read_bytes(), np.uint8),
            )
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


_LONGEST = 65536  # bytes of a header


def read_header(name: str, data: np.ndarray) -> tuple[list[str], int]:
    """The column names in the first line, and where the second line begins; KitError where there is none."""
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
        raise KitError(
            f"{name}: its first line is empty; expected a header with the names of the columns"
        )
    if b"\0" in line:
        raise KitError(f"{name} row 1: holds a NUL byte; the file is damaged or no CSV")
    text, names, at = line.decode(), list[str](), -1
    while at < len(text):
        cell = _NAME.match(text, at + 1)
        if cell is None:
            raise KitError(f"{name} row 1: not the header of a CSV: {text[:80]!r}")
        names.append(cell[2] if cell[1] is None else cell[1].replace('""', '"'))
        at = cell.end()
    return names, min(end + 1, len(data))


@compiled
def _hash(data, first, last):
    key = np.uint64(14695981039346656037)  # FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/
    for place in range(_INDEX(first), _INDEX(last)):
        key = (key ^ np.uint64(data[place])) * np.uint64(1099511628211)
    return key


@compiled
def _are_same(data, first, last, other, other_last):
    if last - first != other_last - other:
        return False
    for place in range(_INDEX(last - first)):
        if data[_INDEX(first) + place] != data[_INDEX(other) + place]:
            return False
    return True


@compiled
def _split(data, at, stop, width, picks, special, begin, end, doubled, problem, key):
    row, at, stop = 0, _INDEX(at), _INDEX(stop)
    while at < stop:
        cell, bad = 0, 0
        while True:
            first = at
            if at < stop and data[at] == 34:
                at += _ONE
                first = at
                while at < stop:
                    if data[at] == 34:
                        if at + _ONE < stop and data[at + _ONE] == 34:
                            doubled[row] = True
                            at += _ONE
                        else:
                            break
                    elif data[at] == 0:
                        bad = 3
                    at += _ONE
                last = at
                if at == stop:
                    bad = 5
                else:
                    at += _ONE
                    while at < stop and data[at] == 32 and cell == picks[-1]:
                        at += _ONE
                    if at < stop and not special[data[at]]:
                        bad = 4
                        while at < stop and not special[data[at]]:
                            at += _ONE
            else:
                while at < stop and not special[data[at]]:
                    at += _ONE
                last = at
            while (
                at < stop and data[at] != 44 and data[at] != 10
            ):  # to the end of the cell; a return belongs to the line's end
                if data[at] == 13 and data[at + _ONE] == 10:
                    at += _ONE
                    break
                if data[at] == 0:
                    bad = 3
                elif data[at] == 34 and bad == 0:
                    bad = 4
                elif data[at] == 13 and bad == 0:
                    bad = 6
                at += _ONE
            for place in range(len(picks)):
                if picks[place] == cell:
                    begin[row, place], end[row, place] = first, last
            cell += 1
            if at < stop and data[at] == 44:
                at += _ONE
                continue
            at += _ONE
            break
        if bad == 0 and cell != width:
            bad = 1 if cell < width else 2
        problem[row] = bad
        key[row] = _hash(data, begin[row, 0], end[row, 0])  # while these bytes are in the cache
        row += 1
    return row


def split(data: np.ndarray, at: int, width: int, picks: list[int]) -> Cells:
    """The cells in columns `picks` of the lines from byte `at` on, each of which should have `width` cells.

    Empty lines at the end are no rows. A cell may be quoted, and is then given without its quotes; in the last of `picks` spaces may follow
    the closing quote. A row with something wrong keeps what could be read of it and has a problem.
    """
    stop = len(data)
    while stop > at and data[stop - 1] in (10, 13):
        stop -= 1
    rows = np.count_nonzero(data[at:stop] == 10) + 1
    begin, end = np.zeros((rows, len(picks)), np.int64), np.zeros((rows, len(picks)), np.int64)
    doubled, problem, key = (
        np.zeros(rows, np.bool_),
        np.zeros(rows, np.int8),
        np.empty(rows, np.uint64),
    )
    rows = _split(
        data,
        at,
        stop,
        width,
        np.array(picks, np.int64),
        _SPECIAL,
        begin,
        end,
        doubled,
        problem,
        key,
    )
    return Cells(data, begin[:rows], end[:rows], doubled[:rows], problem[:rows], key[:rows])


@compiled
def _number(data, begin, end, key, slots, codes, firsts):
    distinct, mask = 0, len(slots) - 1
    for row in range(len(begin)):
        slot, known = (
            np.int64((key[row] ^ (key[row] >> np.uint64(32))) & np.uint64(mask)),
            np.int64(0),
        )
        if (
            row > 0
            and key[row] == key[row - 1]
            and _are_same(data, begin[row], end[row], begin[row - 1], end[row - 1])
        ):
            codes[row] = codes[row - 1]  # rows of one image mostly stand together
            continue
        while True:
            known = slots[slot]
            if known < 0:
                slots[slot], firsts[distinct], codes[row] = distinct, row, distinct
                distinct += 1
                break
            other = firsts[known]
            if key[row] == key[other] and _are_same(
                data, begin[row], end[row], begin[other], end[other]
            ):
                codes[row] = known
                break
            slot = (slot + 1) & mask
    return distinct


@compiled
def _hash_all(data, begin, end, key):
    for row in range(len(begin)):
        key[row] = _hash(data, begin[row], end[row])


def number(cells: Cells, column: int) -> tuple[np.ndarray, np.ndarray]:
    """Equal cells of a column get equal numbers, from 0 in order of first appearance: (int64 of each row, the first row of each number)."""
    begin, end = (np.ascontiguousarray(edge[:, column]) for edge in (cells.begin, cells.end))
    data, key = cells.data, cells.key
    if column > 0:
        key = np.empty(len(begin), np.uint64)
        _hash_all(data, begin, end, key)
    codes, firsts = np.empty(len(begin), np.int64), np.empty(len(begin), np.int64)
    slots = np.full(
        1 << max(4, (2 * len(begin)).bit_length()), -1, np.int32 if len(begin) < 2**31 else np.int64
    )
    return codes, firsts[: _number(data, begin, end, key, slots, codes, firsts)].copy()


@compiled
def _join(data, begin, end, out):
    at = _INDEX(0)
    for row in range(len(begin)):
        for place in range(_INDEX(begin[row]), _INDEX(end[row])):
            if data[place] == 10:
                return False
            out[at] = data[place]
            at += _ONE
        out[at] = 10
        at += _ONE
    return True


def list_texts(cells: Cells, rows: np.ndarray, column: int) -> list[str]:
    """The cells of a column in some rows, as texts."""
    begin, end = cells.begin[rows, column], cells.end[rows, column]
    out = np.empty(int((end - begin).sum()) + len(begin), np.uint8)
    if cells.doubled.any() or not _join(cells.data, begin, end, out):
        return [cells.text(row, column) for row in rows.tolist()]
    return out.tobytes().decode().split("\n")[:-1]
