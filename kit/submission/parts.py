"""The part files of an unfinished prediction, in a folder beside the submission.

Each holds the masks of 256 images.
"""

import contextlib
import dataclasses
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import __version__
from ..errors import KitError
from ..masks import table
from ..masks.table import Masks
from ..system.locks import clear, hold
from ..system.npz import UNREADABLE, read_arrays, write_arrays

PART_SIZE = 256  # images in one part file
PART_NAME = re.compile(r"part-(\d{5,})\.npz")
LEFT = re.compile(r"\.part-\d{5,}\.npz\.\d+\.tmp\.npz")
# Of shapes, objects, labels, runs, start, length.
TYPES = (np.int32, np.int64, np.int32, np.int64, np.int32, np.int32)


class Part(NamedTuple):
    """The prediction of the images of one part."""

    masks: Masks  # of all its images
    bad: dict[str, str]  # why an image could not be read, by id


def split_parts(places: np.ndarray) -> list[np.ndarray]:
    """Splits ascending places of images by part; parts without images are left out.

    >>> import numpy as np
    >>> split_parts(np.array([0, 255, 256, 1000]))
    [array([  0, 255]), array([256]), array([1000])]
    """
    return np.split(places, np.flatnonzero(np.diff(places // PART_SIZE)) + 1) if len(places) else []


def split_batches(places: np.ndarray, batch: int) -> list[np.ndarray]:
    """Splits ascending places of images into batches of at most `batch` images.

    No batch crosses the border of a part, so the last one of a part may be smaller.
    """
    return [
        chosen
        for held in split_parts(places)
        for chosen in np.split(held, range(batch, len(held), batch))
    ]


@contextlib.contextmanager
def hold_parts(folder: Path) -> Iterator[None]:
    """Reserves the folder of part files for this process; makes it if it is missing.

    Raises:
        KitError: if another process holds it, or it contains anything but part files.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise KitError(
            f"{folder}: is not a folder, but the parts of the prediction belong there; "
            "remove it or choose another name"
        )
    with hold(folder, "kit predict"):
        clear(folder, LEFT)
        for path in folder.iterdir():
            if not PART_NAME.fullmatch(path.name) or path.is_symlink() or not path.is_file():
                raise KitError(
                    f"{folder}: holds {path.name!a}, which is not a part of a prediction; "
                    "remove it or choose another name"
                )
        yield


def identify(plan: dict[str, Any]) -> str:
    """The key of a prediction, by which its parts are known.

    It is the SHA-256 of the JSON `plan`, which names everything that decides the masks.
    """
    text = json.dumps([__version__, PART_SIZE, plan], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def write_part(folder: Path, number: int, part: Part, key: str) -> None:
    """Writes a part, whole or not at all.

    Args:
        folder: the folder of part files.
        number: of the part.
        part: what to write.
        key: of the prediction, see `identify`.

    Raises:
        KitError: if the disk is full.
    """
    names = [field.name for field in dataclasses.fields(Masks) if field.name != "ids"]
    arrays = [getattr(part.masks, name) for name in names]
    write_arrays(folder / f"part-{number:05d}.npz", arrays, {"key": key, "bad": part.bad})


def read_parts(folder: Path, ids: Sequence[str], key: str) -> dict[int, Part]:
    """Reads the parts of the prediction `key`, by their number.

    Removes damaged parts and those of other predictions, and prints a line about them.
    """
    found, others = dict[int, Part](), 0
    for path in sorted(folder.iterdir()):
        number = int(path.name[5:-4])
        try:
            arrays, words = read_arrays(path)
            if words["key"] == key:
                names = ids[number * PART_SIZE : (number + 1) * PART_SIZE]
                found[number] = _check(names, arrays, words["bad"])
                continue
            others += 1
        except UNREADABLE as error:
            reason = " ".join(str(error).split())[:100] or type(error).__name__
            print(f"kit predict: {path}: is damaged ({reason}); its images are predicted again")
        path.unlink()
    if others:
        print(
            f"kit predict: {folder}: removed {others} parts of another prediction "
            "(other models, cuts or images)"
        )
    return found


def _check(names: Sequence[str], arrays: list[np.ndarray], bad: Any) -> Part:
    """Makes the part of the images `names`; ValueError if the arrays are not a table of masks."""
    if [array.dtype for array in arrays] != list(map(np.dtype, TYPES)):
        raise ValueError("its arrays have other types")
    shapes, objects, labels, runs, start, length = arrays
    count, items, spans = len(names), len(labels), len(start)
    expected = [(count, 2), (count + 1,), (items,), (items + 1,), (spans,), (spans,)]
    if not count or [array.shape for array in arrays] != expected:
        raise ValueError("its arrays have other shapes")
    if (objects[0], objects[-1], runs[0], runs[-1]) != (0, items, 0, spans) or any(
        (x[1:] < x[:-1]).any() for x in (objects, runs)
    ):
        raise ValueError("its offsets are wrong")
    found = Masks(np.array(list(names), object), *arrays)
    area = np.repeat(shapes.astype(np.int64).prod(axis=1)[table.owners(found)], np.diff(runs))
    if (start < 0).any() or (length < 1).any() or (start + length.astype(np.int64) > area).any():
        raise ValueError("a run leaves its image")
    if (
        not isinstance(bad, dict)
        or not set(bad) <= set(names)
        or not all(isinstance(reason, str) for reason in bad.values())
    ):
        raise ValueError("its bad images are not the part's")
    return Part(found, bad)


def remove_parts(folder: Path) -> None:
    """Removes the folder of part files; anything else in it stays, and then so does the folder."""
    for path in folder.iterdir():
        if PART_NAME.fullmatch(path.name):
            path.unlink()
    with contextlib.suppress(OSError):
        folder.rmdir()  # fails if somebody put something there meanwhile
