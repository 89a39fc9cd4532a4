"""Run-length text to runs and back: `start length start length ...`, starts 1-based in text and 0-based inside, down the columns."""

from __future__ import annotations

import numpy as np

from .jit import compiled

# What can be wrong with the text of one object; the numbers are `parse`'s problem codes.
PROBLEMS = {
    1: "not a whole number",
    2: "odd count of numbers",
    3: "start below 1 (starts are 1-based)",
    4: "length below 1",
    5: "run past the last pixel",
    6: "runs do not ascend or overlap",
    7: "number beyond 64 bits",
}


@compiled
def _scan(text, offsets, sizes, start, length, run_offsets, problem, where):
    runs = 0
    for row in range(len(offsets) - 1):
        at, end, first = offsets[row], offsets[row + 1], runs
        bad, numbers, begin, free = 0, 0, 0, 0  # free: the first pixel (1-based) that the next run may start at
        while bad == 0:
            while at < end and text[at] == 32:
                at += 1
            if at >= end:
                break
            token, value = at, 0
            while at < end and text[at] != 32:
                digit = np.int64(text[at]) - 48
                if digit < 0 or digit > 9:
                    bad = 1
                    break
                if value > (9223372036854775807 - digit) // 10:
                    bad = 7
                    break
                value = value * 10 + digit
                at += 1
            if bad == 0 and numbers % 2 == 0:
                if value < 1:
                    bad = 3
                elif value > sizes[row]:
                    bad = 5
                elif value < free:
                    bad = 6
                begin = value
            elif bad == 0:
                if value < 1:
                    bad = 4
                elif value > sizes[row] - begin + 1:
                    bad = 5
                else:
                    start[runs] = begin - 1
                    length[runs] = value
                    runs += 1
                    free = begin + value
            numbers += 1
            where[row] = token - offsets[row]
        if bad == 0 and numbers % 2 == 1:
            bad = 2
        if bad != 0:
            runs = first
        problem[row] = bad
        run_offsets[row + 1] = runs
    return runs


def parse(texts: list[str], sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Runs of many objects.

    texts: one text an object; sizes: int64 (objects,), pixels of each object's image (at most 2^31 - 1).
    Returns start, length: int32 (runs,), start 0-based; offsets: int64 (objects + 1,), the runs of object i are offsets[i]:offsets[i + 1];
    problem: int8 (objects,), 0 or a key of PROBLEMS (such an object has no runs); where: int64 (objects,), the last number read.

    >>> parse(["1 3 10 2"], np.array([100]))[:3]
    (array([0, 9], dtype=int32), array([3, 2], dtype=int32), array([0, 2]))
    """
    text = np.frombuffer("".join(texts).encode("ascii", "replace"), np.uint8)  # one byte a character, so lengths of str hold
    offsets = np.zeros(len(texts) + 1, np.int64)
    np.cumsum([len(item) for item in texts], out=offsets[1:])
    room = (len(text) + len(texts)) // 4 + 1  # the shortest run takes four characters, its separator included
    start, length = np.empty(room, np.int32), np.empty(room, np.int32)
    run_offsets, problem, where = np.zeros(len(texts) + 1, np.int64), np.zeros(len(texts), np.int8), np.zeros(len(texts), np.int64)
    runs = _scan(text, offsets, np.asarray(sizes, np.int64), start, length, run_offsets, problem, where)
    return start[:runs].copy(), length[:runs].copy(), run_offsets, problem, where


def explain(text: str, problem: int, where: int) -> str:
    """A problem of `parse` in words, with the number that it is about."""
    number = text[where:].split(" ", 1)[0]
    return PROBLEMS[problem] if problem == 2 else f"{PROBLEMS[problem]}: {number[:40]!r}"


def write(start: np.ndarray, length: np.ndarray) -> str:
    """The text of one object's runs (0-based starts).

    >>> write(np.array([0, 9]), np.array([3, 2]))
    '1 3 10 2'
    """
    numbers = np.empty(2 * len(start), np.int64)
    numbers[0::2], numbers[1::2] = np.asarray(start, np.int64) + 1, length
    return " ".join(map(str, numbers.tolist()))
