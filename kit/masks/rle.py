"""Run-length text to runs and back: `start length start length ...`, validated byte by byte while it is read."""

import numpy as np

from ..system.jit import compiled

# What can be wrong with the text of one object; the numbers are `parse`'s problem codes.
PROBLEMS = {
    1: "not a whole number",
    2: "odd count of numbers",
    3: "start below 1 (starts are 1-based)",
    4: "length below 1",
    5: "run past the last pixel",
    6: "runs do not ascend or overlap",
    7: "number beyond 64 bits",
    8: "number with a sign",
    9: "empty cell (an image without an object is written another way here)",
    10: "start below 0 (starts are relative)",
}
# Unsigned, so that numba does not ask of every index whether it counts from the end: reading takes half the time.
_INDEX, _ONE, _MANY = np.uintp, np.uintp(1), np.uintp(18)
_ZERO, _NINE = np.uint8(48), np.uint8(9)
BLANK = -1  # no problem: the cell of an image without an object


@compiled
def _is_text(data, first, last, text):
    if last - first != len(text):
        return False
    for place in range(len(text)):
        if data[first + place] != text[place]:
            return False
    return True


@compiled
def _read_odd(data, at, end):
    """A token that is not 1 to 18 digits and a space: (value, where it ends, its sign or 0, problem)."""
    value, sign = np.int64(0), np.int64(data[at])
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
def _parse(data, begins, ends, sizes, relative, empty, start, length, offsets, problem, where):
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
        size, bad, even, begin, free = (
            sizes[row],
            0,
            True,
            np.int64(0),
            np.int64(0),
        )  # free: the first pixel that is not taken yet
        token = at
        while at < end and bad == 0:
            token, value, sign = at, np.int64(0), 0
            while at < end:
                digit = data[at] - _ZERO  # below 48 it wraps to a large one
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
                    bad = (
                        3
                        if sign != 0 or value < 1
                        else 5
                        if value > size
                        else 6
                        if begin < free
                        else 0
                    )
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
):
    """Runs of many objects, each the text data[begin[i]:end[i]] (uint8).

    sizes: int64 (objects,), pixels of each object's image (at most 2^31 - 1). relative: a start counts from the end of the run before, from
    0; otherwise it is the number of a pixel, from 1. empty: the text of a blank cell. Spaces around numbers and cells are passed over.
    Returns start, length: int32 (runs,), start 0-based; offsets: int64 (objects + 1,), the runs of object i are offsets[i]:offsets[i + 1];
    problem: int8 (objects,), 0, BLANK or a key of PROBLEMS (the last two have no runs); where: int64 (objects,), in which byte of its text
    the last number read begins.

    >>> text = np.frombuffer(b"1 3 10 2", np.uint8)
    >>> parse(text, np.array([0]), np.array([8]), np.array([100]))[:3]
    (array([0, 9], dtype=int32), array([3, 2], dtype=int32), array([0, 2]))
    """
    begin, end = np.ascontiguousarray(begin, np.int64), np.ascontiguousarray(end, np.int64)
    room = (
        int((end - begin + 1).sum()) // 4 + 1
    )  # the shortest run takes four bytes, the space after it included
    start, length, offsets = (
        np.empty(room, np.int32),
        np.empty(room, np.int32),
        np.zeros(len(begin) + 1, np.int64),
    )
    problem, where = np.zeros(len(begin), np.int8), np.zeros(len(begin), np.int64)
    blank = np.frombuffer(empty.encode(), np.uint8)
    runs = _parse(
        data,
        begin,
        end,
        np.ascontiguousarray(sizes, np.int64),
        relative,
        blank,
        start,
        length,
        offsets,
        problem,
        where,
    )
    return start[:runs], length[:runs], offsets, problem, where


def explain(text: str, problem: int, where: int) -> str:
    """A problem of `parse` in words, with the number that it is about."""
    return (
        PROBLEMS[problem]
        if problem in (2, 9)
        else f"{PROBLEMS[problem]}: {text[where:].split(' ', 1)[0][:40]!r}"
    )


@compiled
def _write_number(value, out, at):
    digits, rest = 1, value
    while rest > 9:
        rest //= 10
        digits += 1
    for place in range(at + digits - 1, at - 1, -1):
        out[place] = 48 + value % 10
        value //= 10
    return at + digits


@compiled
def _copy(text, first, last, out, at):
    for place in range(first, last):
        out[at] = text[place]
        at += 1
    return at


@compiled
def _write(texts, text_offsets, prefix, item, runs, start, length, relative, empty, out):
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
    prefix,
    item,
    runs,
    start,
    length,
    *,
    relative: bool = False,
    empty: str = "",
) -> bytes:
    """Lines of a CSV: line i is prefixes[prefix[i]] and the runs of object item[i], or `empty` where that is -1. Lines end with a newline.

    prefix, item: int64 (lines,); runs, start, length: as in `Masks`.

    >>> write([b"a.jpg,"], [0], [0], np.array([0, 2]), np.array([0, 9], np.int32), np.array([3, 2], np.int32))
    b'a.jpg,1 3 10 2\\n'
    """
    sizes = np.array([len(text) for text in prefixes], np.int64)
    prefix, item = np.asarray(prefix, np.int64), np.asarray(item, np.int64)
    blank = np.frombuffer(empty.encode(), np.uint8)
    room = (
        int(sizes[prefix].sum()) + len(prefix) * (1 + len(blank)) + 22 * len(start) + 1
    )  # ten digits and a space a number
    out = np.empty(room, np.uint8)
    texts, offsets = (
        np.frombuffer(b"".join(prefixes), np.uint8),
        np.concatenate([[0], np.cumsum(sizes)]),
    )
    return out[
        : _write(texts, offsets, prefix, item, runs, start, length, relative, blank, out)
    ].tobytes()
