"""Image files: whether they are whole, their size, and what they show at 1/8 scale."""

import contextlib
import io
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from ..errors import KitError

END = b"\xff\xd9"  # of every whole JPEG
PNG_END = b"IEND\xaeB`\x82"  # the last chunk's name and checksum
FORMATS = {"jpg": ("JPEG",), "jpeg": ("JPEG",), "png": ("PNG",)}


@contextlib.contextmanager
def wary():
    """Inside the block Pillow refuses an image of more than 89 million pixels; in all threads, so one thread enters it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="PIL")  # of metadata that are odd
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def inspect(name: str, data: bytes) -> tuple[int, int, np.ndarray]:
    """Height and width in px of a whole RGB image, and its gray values at about 1/8 scale, uint8 (height / 8, width / 8) rounded up.

    name: the file's, whose ending says JPEG or PNG (either where it has another). Raises KitError, which says what is wrong, for any file
    that is not whole or not of that kind. A JPEG is decoded once, at 1/8 scale (about 1 ms at 768 x 768).
    """
    if not data:
        raise KitError(f"{name}: the file is empty")
    expected = FORMATS.get(name.rpartition(".")[2].lower(), ("JPEG", "PNG"))
    try:
        with wary(), Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image:
            if image.format not in expected:
                raise KitError(
                    f"{name}: is a {image.format} by its bytes; give the file its right name"
                )
            if image.mode != "RGB":
                raise KitError(f"{name}: its colors are {image.mode}, expected RGB")
            if image.format == "JPEG" and not data.endswith(END):
                raise KitError(
                    f"{name}: is truncated, or more follows it: its {len(data)} bytes do not end with the marker FF D9"
                )
            width, height = image.size
            small = ((width + 7) // 8, (height + 7) // 8)
            image.draft("L", small)
            image.load()
            gray = image.convert("L")
    except (UnidentifiedImageError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise KitError(f"{name}: is no JPEG or PNG of a sensible size") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise KitError(f"{name}: cannot be decoded: {error}") from None
    return (
        height,
        width,
        np.asarray(gray if gray.size == small else gray.resize(small, Image.Resampling.BOX)),
    )


def decode(name: str, data: bytes) -> Image.Image:
    """The RGB image in the bytes of a JPEG or PNG; KitError naming it where it is damaged or too large to be sensible."""
    try:
        with wary(), Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image:
            return image.convert("RGB")
    except (UnidentifiedImageError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise KitError(f"{name}: is no JPEG or PNG of a sensible size") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise KitError(f"{name}: cannot be decoded: {error}") from None


def glance(folder: Path, name: str) -> tuple[int, int]:
    """Height and width in px of the RGB image file `name` in `folder`: see `look`."""
    try:
        with open(folder / name, "rb") as file, wary():
            return look(name, file)
    except OSError as error:
        raise KitError(f"{name}: cannot be read: {error}") from None


def look(name: str, file: BinaryIO) -> tuple[int, int]:
    """Height and width in px of the RGB image in an open file, by its header and its end alone: nothing is decoded (0.1 ms).

    Raises KitError for a file that is not whole by these, and, inside of `wary`, for one too large to be sensible.
    """
    try:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - len(PNG_END)))
        end = file.read()
        file.seek(0)
        with Image.open(file, formats=("JPEG", "PNG")) as image:
            if image.mode != "RGB":
                raise KitError(f"{name}: its colors are {image.mode}, expected RGB")
            if not end.endswith(END if image.format == "JPEG" else PNG_END):
                raise KitError(
                    f"{name}: is truncated, or more follows it: it does not end as a whole {image.format} does"
                )
            return image.height, image.width
    except (UnidentifiedImageError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise KitError(f"{name}: is no JPEG or PNG of a sensible size") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise KitError(f"{name}: cannot be read: {error}") from None
