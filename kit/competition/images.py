"""Image files: whether they are whole, their size, and their gray values at 1/8 scale."""

import contextlib
import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from ..errors import KitError

END = b"\xff\xd9"  # the end of every whole JPEG
PNG_END = b"IEND\xaeB`\x82"  # the last chunk's name and checksum
FORMATS = {"jpg": ("JPEG",), "jpeg": ("JPEG",), "png": ("PNG",)}


@contextlib.contextmanager
def wary() -> Iterator[None]:
    """A block in which Pillow refuses images of more than 89 million pixels.

    It holds for all threads, so only one thread may enter it.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="PIL")  # warnings of odd metadata
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


@contextlib.contextmanager
def _naming(name: str, verb: str) -> Iterator[None]:
    """A block whose errors become a KitError that names the file; verb: what cannot be done."""
    try:
        yield
    except (UnidentifiedImageError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise KitError(f"{name}: is not a JPEG or PNG of a sensible size") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise KitError(f"{name}: cannot be {verb}: {error}") from None


@contextlib.contextmanager
def _opening(name: str, data: bytes) -> Iterator[Image.Image]:
    with (
        _naming(name, "decoded"),
        wary(),
        Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image,
    ):
        yield image


def inspect(name: str, data: bytes) -> tuple[int, int, np.ndarray]:
    """Height and width in px of a whole RGB image, and its gray values at about 1/8 scale.

    The gray values are uint8, (height / 8, width / 8) rounded up. A JPEG is decoded once, at 1/8
    scale (about 1 ms at 768 x 768). If the ending of `name` is that of a JPEG or PNG, the file must
    be one; otherwise it may be either.

    Raises:
        KitError: if the file is truncated, damaged or of another kind.
    """
    if not data:
        raise KitError(f"{name}: the file is empty")
    expected = FORMATS.get(name.rpartition(".")[2].lower(), ("JPEG", "PNG"))
    with _opening(name, data) as image:
        if image.format not in expected:
            raise KitError(
                f"{name}: is a {image.format} by its bytes; give the file its right name"
            )
        if image.mode != "RGB":
            raise KitError(f"{name}: its colors are {image.mode}, expected RGB")
        if image.format == "JPEG" and not data.endswith(END):
            raise KitError(
                f"{name}: is truncated or has extra bytes at its end: "
                f"its {len(data)} bytes do not end with the marker FF D9"
            )
        width, height = image.size
        small = ((width + 7) // 8, (height + 7) // 8)
        image.draft("L", small)
        image.load()
        gray = image.convert("L")
    if gray.size != small:
        gray = gray.resize(small, Image.Resampling.BOX)
    return height, width, np.asarray(gray)


def decode(name: str, data: bytes) -> Image.Image:
    """The RGB image in the bytes of a JPEG or PNG.

    Raises:
        KitError: if it is damaged or too large to be sensible.
    """
    with _opening(name, data) as image:
        return image.convert("RGB")


def glance(folder: Path, name: str) -> tuple[int, int]:
    """Height and width in px of the RGB image file `name` in `folder`: see `look`."""
    try:
        with open(folder / name, "rb") as file, wary():
            return look(name, file)
    except OSError as error:
        raise KitError(f"{name}: cannot be read: {error}") from None


def look(name: str, file: BinaryIO) -> tuple[int, int]:
    """Height and width in px of the RGB image in an open file.

    Only the header and the end are read; nothing is decoded (0.1 ms).

    Raises:
        KitError: if these show that the file is truncated, damaged or of another kind, or if it
            is too large to be sensible (inside of `wary` only).
    """
    with _naming(name, "read"):
        file.seek(0, 2)
        file.seek(max(0, file.tell() - len(PNG_END)))
        end = file.read()
        file.seek(0)
        with Image.open(file, formats=("JPEG", "PNG")) as image:
            if image.mode != "RGB":
                raise KitError(f"{name}: its colors are {image.mode}, expected RGB")
            if not end.endswith(END if image.format == "JPEG" else PNG_END):
                raise KitError(
                    f"{name}: is truncated or has extra bytes at its end: "
                    f"it does not end as a whole {image.format} does"
                )
            return image.height, image.width
