"""The cells of a CSV (RFC 4180) as byte ranges (tests: competition/test_csv_masks.py)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..system.jit import compiled

# What can be wrong with a row, by the problem codes of `_split`.
PROBLEMS = {
    1: "fewer cells than the header",
    2: "more cells than the header",
    3: "NUL byte",
    4: "stray quote",
    5: "quote that is never closed",
    6: "stray carriage return",
}

# Unsigned, so that numba does not test indexes for negative values: scanning takes half the time.
_INDEX, _ONE = np.uintp, np.uintp(1)
_SPECIAL = np.zeros(256, np.bool_)
_SPECIAL[list(b',\n\r"\0')] = True


@dataclass(frozen=True, eq=False)
class Cells:
    """The rows of a CSV in some of its columns; cell k of row i is data[begin[i, k]:end[i, k]].

    Row 0 is the first below the header, which is row 1 of the file.
    """

    data: np.ndarray  # uint8, the whole file, UTF-8
    begin: np.ndarray  # int64 (rows, columns)
    end: np.ndarray  # int64 (rows, columns)
    doubled: np.ndarray  # bool (rows,): whether a cell of the row holds a doubled quote
    problem: np.ndarray  # int8 (rows,): 0 or a key of PROBLEMS
    key: np.ndarray  # uint64 (rows,): a hash of the first column

    def text(self, row: int, column: int) -> str:
        """A cell as text."""
        cell = self.data[self.begin[row, column] : self.end[row, column]].tobytes().decode()
        return cell.replace('""', '"') if self.doubled[row] else cell


@compiled
def _hash(data: np.ndarray, first: int, last: int) -> np.uint64:
    key = np.uint64(14695981039346656037)  # FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/
    for place in range(_INDEX(first), _INDEX(last)):
        key = (key ^ np.uint64(data[place])) * np.uint64(1099511628211)
    return key


@compiled
def _are_same(data: np.ndarray, first: int, last: int, other: int, other_last: int) -> bool:
    if last - first != other_last - other:
        return False
    for place in range(_INDEX(last - first)):
        if data[_INDEX(first) + place] != data[_INDEX(other) + place]:
            return False
    return True


@compiled
def _split(
    data: np.ndarray,
    at: Any,
    stop: Any,
    width: int,
    picks: np.ndarray,
    special: np.ndarray,
    begin: np.ndarray,
    end: np.ndarray,
    doubled: np.ndarray,
    problem: np.ndarray,
    key: np.ndarray,
) -> int:
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
            # To the end of the cell; a carriage return before a newline belongs to the line's end.
            while at < stop and data[at] != 44 and data[at] != 10:
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
    """The cells of the lines from byte `at` on, in the columns `picks`.

    A quoted cell is given without its quotes. Empty lines at the end are not rows. A malformed row
    has a problem and keeps the cells that could be read.

    Args:
        data: uint8 (bytes,), the whole file.
        at: the byte where the first line below the header begins.
        width: the number of cells that a line should have.
        picks: positions of columns. Spaces may follow the closing quote in the last of them.
    """
    stop = len(data)
    while stop > at and data[stop - 1] in (10, 13):
        stop -= 1
    rows = int(np.count_nonzero(data[at:stop] == 10)) + 1
    begin, end = np.zeros((rows, len(picks)), np.int64), np.zeros((rows, len(picks)), np.int64)
    doubled, problem = np.zeros(rows, np.bool_), np.zeros(rows, np.int8)
    key, columns = np.empty(rows, np.uint64), np.array(picks, np.int64)
    rows = _split(data, at, stop, width, columns, _SPECIAL, begin, end, doubled, problem, key)
    return Cells(data, begin[:rows], end[:rows], doubled[:rows], problem[:rows], key[:rows])


@compiled
def _number(
    data: np.ndarray,
    begin: np.ndarray,
    end: np.ndarray,
    key: np.ndarray,
    slots: np.ndarray,
    codes: np.ndarray,
    firsts: np.ndarray,
) -> int:
    distinct, mask = 0, len(slots) - 1
    for row in range(len(begin)):
        slot = np.int64((key[row] ^ (key[row] >> np.uint64(32))) & np.uint64(mask))
        known = np.int64(0)
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
def _hash_all(data: np.ndarray, begin: np.ndarray, end: np.ndarray, key: np.ndarray) -> None:
    for row in range(len(begin)):
        key[row] = _hash(data, begin[row], end[row])


def number(cells: Cells, column: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers the distinct cells of a column from 0, in order of first appearance.

    Returns:
        int64 (rows,), the number of each row's cell; int64 (numbers,), the first row of each.
    """
    begin, end = (np.ascontiguousarray(edge[:, column]) for edge in (cells.begin, cells.end))
    data, key = cells.data, cells.key
    if column > 0:
        key = np.empty(len(begin), np.uint64)
        _hash_all(data, begin, end, key)
    codes, firsts = np.empty(len(begin), np.int64), np.empty(len(begin), np.int64)
    kind = np.int32 if len(begin) < 2**31 else np.int64
    slots = np.full(1 << max(4, (2 * len(begin)).bit_length()), -1, kind)
    return codes, firsts[: _number(data, begin, end, key, slots, codes, firsts)].copy()


@compiled
def _join(data: np.ndarray, begin: np.ndarray, end: np.ndarray, out: np.ndarray) -> bool:
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
    """The texts of a column in the given rows."""
    begin, end = cells.begin[rows, column], cells.end[rows, column]
    out = np.empty(int((end - begin).sum()) + len(begin), np.uint8)
    if cells.doubled.any() or not _join(cells.data, begin, end, out):
        return [cells.text(row, column) for row in rows.tolist()]
    return out.tobytes().decode().split("\n")[:-1]
