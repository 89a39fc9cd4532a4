"""Probability maps on disk: one PNG or .npy per image, named by its id, and presence.csv."""

import io
import os
import struct
from pathlib import Path

import numpy as np
from PIL import Image

from ..competition.conventions import image_path
from ..errors import KitError
from ..system.csv_rows import read_rows
from ..system.npz import UNREADABLE
from .maps import Shape, check_map, to_uint8

PRESENCE_CSV = "presence.csv"  # ImageId,presence: the probability that the image holds any object
HEADER = "ImageId,presence"
UNREADABLE_PNG: tuple[type[Exception], ...] = (
    *UNREADABLE,
    IndexError,
    struct.error,
    Image.DecompressionBombError,
)


def write_map(folder: Path, name: str, image: np.ndarray) -> None:
    """Writes a uint8 map (height, width) as FOLDER/{ImageId}.png, whole or not at all."""
    path = image_path(folder, "{id}.png", name)
    temporary = path.with_name(f".{path.name}.tmp")
    data = io.BytesIO()
    # level 6, the default, takes five times as long and saves 10%
    Image.fromarray(image).save(data, "PNG", compress_level=1)
    temporary.write_bytes(data.getvalue())
    os.replace(temporary, path)


def find_map_file(folder: Path, name: str) -> Path | None:
    """The file of an image's map, or None.

    Raises:
        KitError: if there are two files.
    """
    paths = [image_path(folder, "{id}" + ending, name) for ending in (".png", ".npy")]
    found = [path for path in paths if path.is_file()]
    if len(found) > 1:
        raise KitError(f"{found[0]}: {found[1].name} is there as well; remove one of the two maps")
    return found[0] if found else None


def read_map(folder: Path, name: str, shape: Shape | None = None) -> np.ndarray:
    """The uint8 map (height, width) of an image, from a PNG or a .npy of uint8 or floats in 0..1.

    Raises:
        KitError: if the file is missing or damaged, or `check_map` refuses what it holds.
    """
    path = find_map_file(folder, name)
    if path is None:
        raise KitError(f"{folder / name}.png: the map is missing, and there is no .npy either")
    found = _read_png(path, shape) if path.suffix == ".png" else _read_array(path)
    found = check_map(found, shape, str(path))
    return found if found.dtype == np.uint8 else to_uint8(found)


def _read_png(path: Path, shape: Shape | None) -> np.ndarray:
    try:
        data = path.read_bytes()
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            image.verify()  # the checksums of all chunks
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            if shape is not None and image.size != (shape[1], shape[0]):  # before it costs memory
                size, expected = image.size[::-1], tuple(map(int, shape))
                raise KitError(f"{path}: the map has shape {size}, expected {expected}")
            if image.mode not in ("L", "1"):
                raise KitError(f"{path}: the PNG's mode is {image.mode}, expected 8-bit gray")
            return np.array(image.convert("L"))
    except UNREADABLE_PNG as error:
        raise KitError(f"{path}: cannot be read as a PNG, is it whole? {error}") from None


def _read_array(path: Path) -> np.ndarray:
    try:
        found = np.load(path, allow_pickle=False)
    except UNREADABLE as error:
        raise KitError(
            f"{path}: cannot be read as an array: {' '.join(str(error).split())[:120]}"
        ) from None
    if not isinstance(found, np.ndarray):
        raise KitError(f"{path}: holds several arrays, expected one map")
    return found


def read_presence(folder: Path) -> dict[str, float]:
    """Presence by image id from a folder's presence.csv; {} if there is no such file.

    Raises:
        KitError: if a row holds no probability, or an image has two rows.
    """
    path = folder / PRESENCE_CSV
    if not path.is_file():
        return {}
    rows = read_rows(path, {"ImageId": str, "presence": _read_probability}, key="ImageId")
    return {row["ImageId"]: row["presence"] for row in rows}


def _read_probability(cell: str) -> float:
    value = float(cell)
    if not 0 <= value <= 1:
        raise ValueError("expected a probability from 0 to 1")
    return value


def average(maps: list[np.ndarray]) -> np.ndarray:
    """Mean of one image's uint8 maps by several networks, rounded half up, uint8.

    It is computed in integers, so it is the same on every machine.

    >>> average([np.array([[100]], np.uint8), np.array([[101]], np.uint8)]).tolist()
    [[101]]
    """
    if len(maps) == 1:
        return maps[0]
    total = np.asarray(np.sum(maps, axis=0, dtype=np.uint32))
    return np.asarray((2 * total + len(maps)) // (2 * len(maps)), np.uint8)
