"""Image files: what their header says, and whether they are whole."""

from __future__ import annotations

import warnings
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from .errors import KitError


def inspect(path: Path) -> tuple[int, int]:
    """(height, width) in px of a whole RGB JPEG or PNG; raises KitError, which says what is wrong, for any other file.

    Every file is decoded once, a JPEG at 1/8 scale (1 to 2 ms at 768 x 768).
    """
    name = f"{path.parent.name}/{path.name}"
    try:
        if path.stat().st_size == 0:
            raise KitError(f"{name}: the file is empty")
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(path, formats=("JPEG", "PNG"))
        with image:
            if image.mode != "RGB":
                raise KitError(f"{name}: its colors are {image.mode}, expected RGB")
            width, height = image.size
            image.draft("RGB", (width // 8, height // 8))
            image.load()
    except FileNotFoundError:
        raise KitError(f"{name}: no such file") from None
    except (UnidentifiedImageError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise KitError(f"{name}: is no JPEG or PNG of a sensible size") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise KitError(f"{name}: cannot be decoded: {error}") from None
    return height, width
