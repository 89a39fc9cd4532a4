"""Pictures inside a page: images of a competition, made so small that the page is easy to mail."""

import base64
import io
from collections.abc import Callable, Iterable
from typing import NamedTuple

from PIL import Image

LONGEST = 16_383  # the longest side of a WebP, px
FULL, SMALL = 60, 45  # WebP quality at full and at half size


class Picture(NamedTuple):
    """One image as a data URL."""

    data: str  # data:image/webp;base64,...
    shrunk: bool  # whether it has half the image's size


def embed(
    read: Callable[[int], Image.Image],
    places: Iterable[int],
    budget: int,
    beside: Callable[[int], int] = lambda _: 0,
) -> dict[int, Picture]:
    """Pictures of as many images as the budget allows, by place.

    First, as many images as fit are taken at half size. What is left of the budget then goes to
    full size, image by image.

    Args:
        read: returns the image at a place.
        places: of the images, the most important first.
        budget: characters that all pictures together may take.
        beside: characters that the image at a place takes in addition to its picture.
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
    """An RGB image, shrunk by a factor, as the data URL of a WebP.

    The factor is larger if a side would be too long for WebP.
    """
    factor = max(factor, -(-max(image.size) // LONGEST))
    if factor > 1:
        size = max(1, image.width // factor), max(1, image.height // factor)
        image = image.resize(size, Image.Resampling.BOX)
    target = io.BytesIO()
    image.save(target, "WEBP", quality=quality)
    return "data:image/webp;base64," + base64.b64encode(target.getvalue()).decode()
