"""The part files of a prediction under way: the masks of one shard of images each, in a folder beside the submission."""

import contextlib
import dataclasses
import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .. import __version__
from ..errors import KitError
from ..masks import table
from ..masks.table import Masks
from ..system.locks import clear, hold
from ..system.npz import UNREADABLE, read_arrays, write_arrays

PART_SIZE = 256  # images of one part file
PART_NAME = re.compile(r"part-(\d{5,})\.npz")
LEFT = re.compile(r"\.part-\d{5,}\.npz\.\d+\.tmp\.npz")
TYPES = (
    np.int32,
    np.int64,
    np.int32,
    np.int64,
    np.int32,
    np.int32,
)  # of shapes, objects, labels, runs, start, length


class Part(NamedTuple):
    """What became of one shard."""

    masks: Masks  # of all its images
    bad: dict[str, str]  # of those that could not be read: why


def split_shards(places: np.ndarray) -> list[np.ndarray]:
    """Ascending places of images as those of one shard after the other; shards without any are left out."""
    return np.split(places, np.flatnonzero(np.diff(places // PART_SIZE)) + 1) if len(places) else []


def split_batches(places: np.ndarray, batch: int) -> list[np.ndarray]:
    """Ascending places of images in batches, none of them over a shard's border; a shard's last one is as large as what is left."""
    return [
        part
        for shard in split_shards(places)
        for part in np.split(shard, range(batch, len(shard), batch))
    ]


@contextlib.contextmanager
def hold_parts(folder: Path):
    """The folder of part files, made where it is missing, for this process alone; KitError where it holds anything else."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise KitError(
            f"{folder}: is no folder, and the parts of the prediction belong there; remove it or choose another name"
        )
    with hold(folder, "kit predict"):
        clear(folder, LEFT)
        for path in folder.iterdir():
            if not PART_NAME.fullmatch(path.name) or path.is_symlink() or not path.is_file():
                raise KitError(
                    f"{folder}: holds {path.name!a}, which is no part of a prediction; remove it or choose another name"
                )
        yield


def identify(plan: dict) -> str:
    """A prediction's key, by which its parts are known: SHA-256 of the JSON words `plan`, all that its masks follow from."""
    return hashlib.sha256(
        json.dumps([__version__, PART_SIZE, plan], sort_keys=True).encode()
    ).hexdigest()


def write_part(folder: Path, number: int, part: Part, key: str) -> None:
    """The part of shard `number`, whole or not at all; KitError on a full disk."""
    arrays = [
        getattr(part.masks, field.name)
        for field in dataclasses.fields(Masks)
        if field.name != "ids"
    ]
    write_arrays(folder / f"part-{number:05d}.npz", arrays, {"key": key, "bad": part.bad})


def read_parts(folder: Path, ids: Sequence[str], key: str) -> dict[int, Part]:
    """The parts of the prediction `key` by number of their shard; the others, and damaged ones, are removed, and that is said."""
    found, others = dict[int, Part](), 0
    for path in sorted(folder.iterdir()):
        number = int(path.name[5:-4])
        try:
            arrays, words = read_arrays(path)
            if words["key"] == key:
                found[number] = _check(
                    ids[number * PART_SIZE : (number + 1) * PART_SIZE], arrays, words["bad"]
                )
                continue
            others += 1
        except UNREADABLE as error:
            reason = " ".join(str(error).split())[:100] or type(error).__name__
            print(f"kit predict: {path}: is damaged ({reason}); its images are predicted again")
        path.unlink()
    if others:
        print(
            f"kit predict: {folder}: held {others} parts of other work (other models, cuts or images), which are removed"
        )
    return found


def _check(names: Sequence[str], arrays: list[np.ndarray], bad) -> Part:
    """The part of the images `names`; ValueError where the arrays are no table of their masks."""
    if [array.dtype for array in arrays] != list(map(np.dtype, TYPES)):
        raise ValueError("its arrays are of other types")
    shapes, objects, labels, runs, start, length = arrays
    count, items, spans = len(names), len(labels), len(start)
    expected = [(count, 2), (count + 1,), (items,), (items + 1,), (spans,), (spans,)]
    if not count or [array.shape for array in arrays] != expected:
        raise ValueError("its arrays are of other shapes")
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
        raise ValueError("its bad images are not those of the shard")
    return Part(found, bad)


def remove_parts(folder: Path) -> None:
    """Removes the folder of part files, and nothing else that lies there."""
    for path in folder.iterdir():
        if PART_NAME.fullmatch(path.name):
            path.unlink()
    with contextlib.suppress(OSError):
        folder.rmdir()  # not where somebody put something there meanwhile
