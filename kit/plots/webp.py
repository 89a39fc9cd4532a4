"""Pictures inside of a page: images of a competition made small enough that a page of many stays easy to mail."""

import base64
import io
from collections.abc import Callable, Iterable
from typing import NamedTuple

from PIL import Image

LONGEST = 16_383  # px of a WebP's side
FULL, SMALL = 60, 45  # WebP quality of pictures at full and at half size


class Picture(NamedTuple):
    """One image as an address that holds the picture itself."""

    data: str  # data:image/webp;base64,...
    shrunk: bool  # it has half the image's size


def embed(
    read: Callable[[int], Image.Image],
    places: Iterable[int],
    budget: int,
    beside: Callable[[int], int] = lambda _: 0,
) -> dict[int, Picture]:
    """Pictures of the images at `places`, the most important first, that together take at most `budget` characters.

    read: an image; beside: characters that an image takes beside its picture. As many as fit at half size are taken; what
    is then left shows the first ones at full size.
    """
    found: dict[int, Picture] = {}
    for place in places:
        picture = _encode(read(place), 2)
        taken = len(picture.data) + beside(place)
        if taken > budget:
            break
        found[place] = picture
        budget -= taken
    for place, picture in found.items():
        full = _encode(read(place), 1)
        more = len(full.data) - len(picture.data)
        if more > budget:
            break
        found[place] = full
        budget -= more
    return found


def _encode(image: Image.Image, factor: int) -> Picture:
    return Picture(shrink(image, factor, SMALL if factor > 1 else FULL), factor > 1)


def shrink(image: Image.Image, factor: int, quality: int = SMALL) -> str:
    """An RGB image, shrunk by a factor (by more where WebP takes no side so long), as the address of a WebP."""
    factor = max(factor, -(-max(image.size) // LONGEST))
    pixels = image
    if factor > 1:
        pixels = image.resize(
            (max(1, image.width // factor), max(1, image.height // factor)), Image.Resampling.BOX
        )
    target = io.BytesIO()
    pixels.save(target, "WEBP", quality=quality)
    return "data:image/webp;base64," + base64.b64encode(target.getvalue()).decode()
