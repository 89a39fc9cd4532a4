"""Slow oracles in plain Python, pixel by pixel and cell by cell, written apart from the kit."""

from __future__ import annotations

import re
from fractions import Fraction

import numpy as np


def encode_by_hand(mask: np.ndarray) -> str:
    """Airbus's text of one mask: walk the pixels column by column."""
    flat, numbers = np.asarray(mask).T.ravel().tolist(), []
    for place, value in enumerate(flat):
        if value and (place == 0 or not flat[place - 1]):
            numbers += [place + 1, 0]
        if value:
            numbers[-1] += 1
    return " ".join(map(str, numbers))


def count_by_hand(truth: np.ndarray, prediction: np.ndarray):
    """(tp, fp, fn) of two label images, each a list over ten thresholds, in exact fractions."""
    a = [truth == value for value in np.unique(truth) if value]
    b = [prediction == value for value in np.unique(prediction) if value]
    ious = [[Fraction(int((x & y).sum()), int((x | y).sum())) for y in b] for x in a]
    tp = [
        sum(any(iou > Fraction(level, 20) for iou in row) for row in ious)
        for level in range(10, 20)
    ]
    return tp, [len(b) - hits for hits in tp], [len(a) - hits for hits in tp]


def f2_by_hand(truth: np.ndarray, prediction: np.ndarray) -> Fraction:
    """Object F2 of one image of two label images."""
    values = []
    for tp, fp, fn in zip(*count_by_hand(truth, prediction)):
        bottom = 5 * tp + 4 * fn + fp
        values.append(Fraction(5 * tp, bottom) if bottom else Fraction(1))
    return sum(values) / 10


CELL = re.compile(r'(?:"((?:[^"]|"")*)"( *)|([^",\r\n]*))(,|\r?\n|\Z)')


def read_by_hand(data: bytes, height: int, width: int) -> dict[str, list[set[int]]] | None:
    """Pixels (0-based, down the columns) of each object of each image of an Airbus CSV.

    None if the file is not legal.
    """
    try:
        text = data.decode("utf-8").removeprefix("\ufeff").rstrip("\r\n")
    except UnicodeDecodeError:
        return None
    if "\0" in text:
        return None
    lines, line, at = [], [], 0
    while True:
        cell = CELL.match(text, at)
        if cell is None:
            return None
        if cell[2] and (not lines or lines[0][len(line) : len(line) + 1] != ["EncodedPixels"]):
            # Most readers keep spaces after a closing quote in the cell. Only runs may hold any.
            return None
        line.append(cell[3] if cell[1] is None else cell[1].replace('""', '"'))
        at = cell.end()
        if cell[4] != ",":
            lines.append(line if lines else [name.strip() for name in line])
            line = []
        if cell[4] == "":
            break
    header = lines[0]
    if header.count("ImageId") != 1 or header.count("EncodedPixels") != 1:
        return None
    images, blank = {}, set()
    for line in lines[1:]:
        if len(line) != len(header):
            return None
        name, runs = line[header.index("ImageId")], line[header.index("EncodedPixels")]
        if not name.strip():
            return None
        held = images.setdefault(name, [])
        tokens = [token for token in runs.split(" ") if token]
        if not tokens:
            blank.add(name)
            continue
        if len(tokens) % 2 or not all(re.fullmatch("[0-9]+", token) for token in tokens):
            return None
        numbers, pixels = [int(token) for token in tokens], set()
        for start, length in zip(numbers[::2], numbers[1::2]):
            if (
                start < 1
                or length < 1
                or start + length - 1 > height * width
                or start - 1 <= max(pixels, default=-1)
            ):
                return None
            pixels |= set(range(start - 1, start - 1 + length))
        if any(pixels & other for other in held):
            return None
        held.append(pixels)
    return None if any(images[name] for name in blank) else images
