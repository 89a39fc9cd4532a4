"""Run-length text to runs and back: `start length start length ...`.

Text is checked byte by byte while it is read.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..system.jit import compiled

# What can be wrong with the text of one object, by the problem codes of `parse`.
PROBLEMS = {
    1: "not a whole number",
    2: "odd count of numbers",
    3: "start below 1 (starts are 1-based)",
    4: "length below 1",
    5: "run past the last pixel",
    6: "runs do not ascend or overlap",
    7: "number beyond 64 bits",
    8: "number with a sign",
    9: "empty cell (this competition writes an image without an object another way)",
    10: "start below 0 (starts are relative)",
}
# Unsigned, so that numba does not test indexes for negative values: reading takes half the time.
_INDEX, _ONE, _MANY = np.uintp, np.uintp(1), np.uintp(18)
_ZERO, _NINE = np.uint8(48), np.uint8(9)
BLANK = -1  # not a problem: the cell of an image without an object


@compiled
def _is_text(data: np.ndarray, first: np.int64, last: np.int64, text: np.ndarray) -> bool:
    if last - first != len(text):
        return False
    for place in range(len(text)):
        if data[first + place] != text[place]:
            return False
    return True


@compiled
def _read_odd(data: np.ndarray, at: Any, end: Any) -> tuple[Any, Any, Any, int]:
    """A token other than 1 to 18 digits and a space: (value, its end, its sign or 0, problem)."""
    value = np.int64(0)
    sign: Any = np.int64(data[at])
    if sign == 43 or sign == 45:
        at += _ONE
    else:
        sign = 0
    first = at
    while at < end and data[at] != 32:
        digit = np.int64(data[at]) - 48
        if digit < 0 or digit > 9:
            return value, at, sign, 1
        if value > 922337203685477580 or value * 10 > 9223372036854775807 - digit:
            return value, at, sign, 7
        value = value * 10 + digit
        at += _ONE
    return value, at, sign, 1 if at == first else 8 if sign == 43 else 0


@compiled
def _parse(
    data: np.ndarray,
    begins: np.ndarray,
    ends: np.ndarray,
    sizes: np.ndarray,
    relative: bool,
    empty: np.ndarray,
    start: np.ndarray,
    length: np.ndarray,
    offsets: np.ndarray,
    problem: np.ndarray,
    where: np.ndarray,
) -> int:
    runs = 0
    for row in range(len(begins)):
        at, end, first = _INDEX(begins[row]), _INDEX(ends[row]), runs
        while at < end and data[at] == 32:
            at += _ONE
        while at < end and data[end - _ONE] == 32:
            end -= _ONE
        offsets[row + 1] = runs
        if _is_text(data, np.int64(at), np.int64(end), empty):
            problem[row] = -1
            continue
        if at == end:
            problem[row] = 9
            continue
        size, bad, even = sizes[row], 0, True
        begin, free = np.int64(0), np.int64(0)  # free: the first pixel that is not taken yet
        token = at
        while at < end and bad == 0:
            token, value, sign = at, np.int64(0), 0
            while at < end:
                digit = data[at] - _ZERO  # a byte below 48 wraps to a large number
                if digit > _NINE:
                    break
                value = value * 10 + np.int64(digit)
                at += _ONE
            if at == token or at - token > _MANY or (at < end and data[at] != 32):
                value, at, sign, bad = _read_odd(data, token, end)
                if bad != 0:
                    break
            if even:
                if relative:
                    begin = free + value
                    bad = 10 if sign != 0 else 5 if value >= size - free else 0
                else:
                    begin = value - 1
                    if sign != 0 or value < 1:
                        bad = 3
                    elif value > size:
                        bad = 5
                    elif begin < free:
                        bad = 6
            elif sign != 0 or value < 1:
                bad = 4
            elif value > size - begin:
                bad = 5
            else:
                start[runs], length[runs] = begin, value
                runs += 1
                free = begin + value
            even = not even
            while at < end and data[at] == 32:
                at += _ONE
        if bad == 0 and not even:
            bad = 2
        if bad != 0:
            runs = first
        problem[row], where[row], offsets[row + 1] = bad, np.int64(token) - begins[row], runs
    return runs


def parse(
    data: np.ndarray,
    begin: np.ndarray,
    end: np.ndarray,
    sizes: np.ndarray,
    *,
    relative: bool = False,
    empty: str = "",
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Runs of many objects, each the text data[begin[i]:end[i]].

    Spaces around numbers and cells are skipped.

    Args:
        data: uint8 (bytes,), the text.
        begin: int64 (objects,), the first byte of each object's text.
        end: int64 (objects,), the byte after each object's text.
        sizes: int64 (objects,), pixels of each object's image, at most 2^31 - 1.
        relative: a start counts from the end of the run before, from 0. Otherwise it is the
            number of a pixel, from 1.
        empty: the text of a blank cell.

    Returns:
        (start, length, offsets, problem, where). start, length: int32 (runs,), start is 0-based.
        offsets: int64 (objects + 1,), object i has the runs offsets[i]:offsets[i + 1]. problem:
        int8 (objects,), 0, BLANK or a key of PROBLEMS; the last two have no runs. where: int64
        (objects,), the byte of the object's text where the last number read begins.

    >>> text = np.frombuffer(b"1 3 10 2", np.uint8)
    >>> parse(text, np.array([0]), np.array([8]), np.array([100]))[:3]
    (array([0, 9], dtype=int32), array([3, 2], dtype=int32), array([0, 2]))
    """
    begin, end = np.ascontiguousarray(begin, np.int64), np.ascontiguousarray(end, np.int64)
    sizes = np.ascontiguousarray(sizes, np.int64)
    room = int((end - begin + 1).sum()) // 4 + 1  # a run takes at least 4 bytes with its last space
    start, length = np.empty(room, np.int32), np.empty(room, np.int32)
    offsets = np.zeros(len(begin) + 1, np.int64)
    problem, where = np.zeros(len(begin), np.int8), np.zeros(len(begin), np.int64)
    blank = np.frombuffer(empty.encode(), np.uint8)
    runs = _parse(data, begin, end, sizes, relative, blank, start, length, offsets, problem, where)
    return start[:runs], length[:runs], offsets, problem, where


def explain(text: str, problem: int, where: int) -> str:
    """A problem of `parse` in words, with the number at fault.

    >>> explain("5 2 x", 1, 4)
    "not a whole number: 'x'"
    """
    if problem in (2, 9):
        return PROBLEMS[problem]
    return f"{PROBLEMS[problem]}: {text[where:].split(' ', 1)[0][:40]!r}"


@compiled
def _write_number(value: Any, out: np.ndarray, at: int) -> int:
    digits, rest = 1, value
    while rest > 9:
        rest //= 10
        digits += 1
    for place in range(at + digits - 1, at - 1, -1):
        out[place] = 48 + value % 10
        value //= 10
    return at + digits


@compiled
def _copy(text: np.ndarray, first: int, last: int, out: np.ndarray, at: int) -> int:
    for place in range(first, last):
        out[at] = text[place]
        at += 1
    return at


@compiled
def _write(
    texts: np.ndarray,
    text_offsets: np.ndarray,
    prefix: np.ndarray,
    item: np.ndarray,
    runs: np.ndarray,
    start: np.ndarray,
    length: np.ndarray,
    relative: bool,
    empty: np.ndarray,
    out: np.ndarray,
) -> int:
    at = 0
    for row in range(len(item)):
        at = _copy(texts, text_offsets[prefix[row]], text_offsets[prefix[row] + 1], out, at)
        if item[row] < 0:
            at = _copy(empty, 0, len(empty), out, at)
        else:
            before = np.int64(0)
            for run in range(runs[item[row]], runs[item[row] + 1]):
                begin = np.int64(start[run])
                at = _write_number(begin - before if relative else begin + 1, out, at)
                out[at] = 32
                at = _write_number(np.int64(length[run]), out, at + 1)
                out[at] = 32
                at += 1
                before = begin + length[run]
            at -= runs[item[row]] < runs[item[row] + 1]  # no space after the last number
        out[at] = 10
        at += 1
    return at


def write(
    prefixes: list[bytes],
    prefix: Sequence[int] | np.ndarray,
    item: Sequence[int] | np.ndarray,
    runs: np.ndarray,
    start: np.ndarray,
    length: np.ndarray,
    *,
    relative: bool = False,
    empty: str = "",
) -> bytes:
    """Lines of a CSV, each with a newline: line i is prefixes[prefix[i]] and the runs of item[i].

    Args:
        prefixes: the texts before the runs.
        prefix: int64 (lines,), the prefix of each line.
        item: int64 (lines,), the object of each line; -1: `empty` takes the place of the runs.
        runs: int64 (objects + 1,), as in `Masks`.
        start: int32 (runs,), as in `Masks`.
        length: int32 (runs,), as in `Masks`.
        relative: a start counts from the end of the run before, from 0. Otherwise it is the
            number of a pixel, from 1.
        empty: the text of a blank cell.

    >>> start, length = np.array([0, 9], np.int32), np.array([3, 2], np.int32)
    >>> write([b"a.jpg,"], [0], [0], np.array([0, 2]), start, length)
    b'a.jpg,1 3 10 2\\n'
    """
    sizes = np.array([len(text) for text in prefixes], np.int64)
    prefix, item = np.asarray(prefix, np.int64), np.asarray(item, np.int64)
    blank = np.frombuffer(empty.encode(), np.uint8)
    # A number takes at most ten digits and a space.
    room = int(sizes[prefix].sum()) + len(prefix) * (1 + len(blank)) + 22 * len(start) + 1
    out = np.empty(room, np.uint8)
    texts = np.frombuffer(b"".join(prefixes), np.uint8)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    size = _write(texts, offsets, prefix, item, runs, start, length, relative, blank, out)
    return out[:size].tobytes()
