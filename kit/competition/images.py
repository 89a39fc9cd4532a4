"""Image files: whether they are whole, their size, and their gray values at 1/8 scale."""

import contextlib
import io
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from ..errors import KitError
from .sources import LARGEST

JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
# What a file is, by the bytes that stand at a place in it.
KINDS = (
    (0, JPEG, "JPEG"),
    (0, PNG, "PNG"),
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (0, b"II+\0", "TIFF"),  # with places of 64 bits
    (0, b"MM\0+", "TIFF"),
    (128, b"DICM", "DICOM"),
    (0, b"\x93NUMPY", "NumPy"),
    (0, b"GIF8", "GIF"),
    (0, b"BM", "BMP"),
    (8, b"WEBP", "WebP"),
)
FORMATS = {"jpg": "JPEG", "jpeg": "JPEG", "png": "PNG"}  # by the ending of a name
ENDS = {"JPEG": b"\xff\xd9", "PNG": b"IEND\xaeB`\x82"}  # the last chunk's name and checksum
# A JPEG's marker that begins a segment or ends the image: in a scan FF stands before 00, before
# the number of a restart, or before another FF.
MARKER = re.compile(rb"\xff([\x02-\xcf\xd9-\xfe])")
# Pillow's modes whose three channels are the same bytes in Pillow and TensorFlow. Alpha and the
# transparent color of a palette are left out, and gray comes three times.
MODES = ("RGB", "RGBA", "L", "LA", "P", "1")
LOSS = re.compile("premature end|corrupt", re.IGNORECASE)  # in libjpeg's warnings of lost pixels
BLIND = (
    "simplejpeg is missing, so libjpeg's warnings are not seen, and a JPEG that is damaged in its "
    "middle may pass for whole; pip install simplejpeg"
)


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
def _opening(name: str, file: BinaryIO, words: str) -> Iterator[Image.Image]:
    """Pillow's image in a block whose errors become a KitError that says `words` of the file."""
    try:
        with Image.open(file, formats=("JPEG", "PNG")) as image:
            yield image
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise KitError(
            f"{name}: has more than {Image.MAX_IMAGE_PIXELS:,} px by its header; cut it into tiles"
        ) from None
    except UnidentifiedImageError:
        raise KitError(f"{name}: {words}") from None
    except (OSError, SyntaxError, ValueError) as error:
        if getattr(error, "errno", None):  # the disk's, not Pillow's
            raise
        raise KitError(f"{name}: {words}: {error}") from None


def inspect(name: str, data: bytes) -> tuple[int, int, np.ndarray]:
    """Height and width in px of a whole image, and its gray values at about 1/8 scale.

    The gray values are uint8, (height / 8, width / 8) rounded up. A JPEG is decoded once, at 1/8
    scale (about 1 ms at 768 x 768). See `look` for what is refused.

    Raises:
        KitError: if the file is truncated, damaged or of a kind that is not packed.
    """
    with wary():
        height, width = look(name, io.BytesIO(data))
        gray = decode_eighth(name, data)
        if gray is not None:
            return height, width, gray
        small = ((width + 7) // 8, (height + 7) // 8)
        with _opening(name, io.BytesIO(data), "cannot be decoded") as image:
            image.draft("L", small)
            image.load()
            whole = image.convert("L")
    return height, width, np.asarray(whole.resize(small, Image.Resampling.BOX))


def find_strict_decoder() -> Callable[..., Any] | None:
    """simplejpeg's decoder, which stops where libjpeg warns; None if it is not installed."""
    try:
        import simplejpeg
    except ImportError:
        return None
    decoder: Callable[..., Any] = simplejpeg.decode_jpeg
    return decoder


def decode_eighth(name: str, data: bytes) -> np.ndarray | None:
    """Gray values of a JPEG at 1/8 scale, uint8 (height / 8, width / 8) rounded up.

    None for a PNG, without simplejpeg, and for the rare JPEGs that simplejpeg does not know (a JFIF
    of version 2, chroma at a quarter of the height): whoever decodes them next judges them.

    Raises:
        KitError: if libjpeg warns that pixels are lost.
    """
    decode = find_strict_decoder() if data.startswith(JPEG) else None
    if decode is None:
        return None
    try:
        found: np.ndarray = decode(
            data, "GRAY", fastdct=True, min_height=1, min_width=1, strict=True
        )
    except ValueError as error:
        if LOSS.search(str(error)):
            raise KitError(f"{name}: libjpeg warns: {error}; get the file again") from None
        return None
    return found[..., 0]


def decode(name: str, data: bytes) -> Image.Image:
    """The RGB image in the bytes of a JPEG or PNG.

    Raises:
        KitError: if it is damaged or too large to be sensible.
    """
    with wary(), _opening(name, io.BytesIO(data), "cannot be decoded") as image:
        return image.convert("RGB")


def glance(folder: Path, name: str) -> tuple[int, int]:
    """Height and width in px of the image file `name` in `folder`: see `look`."""
    try:
        with open(folder / name, "rb") as file, wary():
            return look(name, file)
    except OSError as error:
        raise KitError(f"{name}: cannot be read: {error.strerror or error}") from None


def look(name: str, file: BinaryIO) -> tuple[int, int]:
    """Height and width in px of the image in an open file.

    Only the header and the end are read; nothing is decoded (0.1 ms). The file may be a JPEG or a
    PNG, and must be what the ending of `name` says. Bytes behind its end do no harm.

    Raises:
        KitError: if these show that the file is truncated, damaged or of another kind, or if it
            is too large to be sensible (inside of `wary` only).
    """
    start = file.read(132)
    kind = _identify(name, start)
    if kind == "PNG" and start[12:16] == b"IHDR" and start[24:25] > b"\x08":
        raise KitError(
            f"{name}: has {start[24]} bits per channel, records keep 8 (TensorFlow would keep the "
            "high byte only); scale its values and save it as an 8-bit PNG"
        )
    if not _find_end(kind, file):
        last = "marker FF D9" if kind == "JPEG" else "chunk IEND"
        raise KitError(
            f"{name}: is truncated: its {file.tell()} bytes lack the {last}, which ends a {kind}; "
            "get the file again"
        )
    file.seek(0)
    with _opening(name, file, "its header is damaged") as image:
        if image.mode not in MODES:
            raise KitError(
                f"{name}: its colors are {image.mode}, which each decoder turns into RGB in a way "
                "of its own; save it as RGB"
            )
        return image.height, image.width


def _identify(name: str, start: bytes) -> str:
    """JPEG or PNG, by the first bytes of a file; raises KitError if it is another or misnamed."""
    if not start:
        raise KitError(f"{name}: the file is empty")
    kind = next((kind for place, mark, kind in KINDS if start.startswith(mark, place)), None)
    if kind is None:
        raise KitError(
            f"{name}: is neither a JPEG nor a PNG; it begins with the bytes {start[:8].hex(' ')}"
        )
    if kind not in ENDS:
        raise KitError(
            f"{name}: is a {kind} file by its bytes, records keep JPEG and PNG; "
            "save it as an 8-bit PNG"
        )
    if FORMATS.get(name.rpartition(".")[2].lower(), kind) != kind:
        raise KitError(f"{name}: is a {kind} by its bytes; give the file its right name")
    return kind


def _find_end(kind: str, file: BinaryIO) -> bool:
    """Whether a file holds the end of its JPEG or PNG; then other bytes may follow.

    The end of a thumbnail inside of a JPEG's header does not count, so the segments are walked.
    """
    end = ENDS[kind]
    file.seek(max(0, file.seek(0, 2) - len(end)))
    if file.read() == end:
        return True
    file.seek(0)
    data = file.read(LARGEST)
    if kind == "PNG":
        return end in data
    place = len(JPEG) - 1
    while found := MARKER.search(data, place):
        if found[0] == end:
            return True
        place = found.end() + int.from_bytes(data[found.end() : found.end() + 2], "big")
    return False
