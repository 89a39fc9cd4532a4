"""Image files of every kind that is damaged, foreign or odd, with what the kit says of them."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

JPEG_END = b"\xff\xd9"


def find_middle(data: bytes) -> int:
    """A place in the middle of a JPEG's scan, behind all headers."""
    begin = data.index(b"\xff\xda")
    return begin + (len(data) - begin) // 2


def cut(data: bytes) -> bytes:
    return data[: find_middle(data)]


def zero(data: bytes) -> bytes:
    middle, size = find_middle(data), len(data) // 8
    return data[:middle] + bytes(size) + data[middle + size :]


def break_header(data: bytes) -> bytes:
    return data[:160] + JPEG_END


def lose_table(data: bytes) -> bytes:
    """The scan names a table that the header lacks."""
    place = data.index(b"\xff\xda") + 6
    return data[:place] + b"\x33" + data[place + 1 :]


def encode(image: Image.Image, kind: str, **options) -> bytes:
    target = io.BytesIO()
    image.save(target, kind, **options)
    return target.getvalue()


def disguise(data: bytes) -> bytes:
    return encode(Image.open(io.BytesIO(data)), "PNG")


# How a JPEG is spoiled, and the words of its refusal. None: it is whole.
DAMAGES = {
    "cut": (cut, r"is truncated: its \d+ bytes lack the marker FF D9, which ends a JPEG"),
    "closed": (lambda data: cut(data) + JPEG_END, "libjpeg warns: Corrupt JPEG data: premature"),
    "zeroed": (zero, "libjpeg warns: Corrupt JPEG data"),
    "header": (break_header, "its header is damaged"),
    "lost": (lose_table, "cannot be decoded"),
    "misnamed": (disguise, "is a PNG by its bytes; give the file its right name"),
    "zeros": (lambda data: data + bytes(4), None),
    "newline": (lambda data: data + b"\n", None),
    "thumbnail": (lambda data: data + data, None),
    "stump": (lambda data: data + cut(data), None),
}


def chunk(name: bytes, data: bytes) -> bytes:
    whole = struct.pack(">I", len(data)) + name + data
    return whole + struct.pack(">I", zlib.crc32(whole[4:]))


def write_png(shape: tuple[int, int], depth: int, color: int, extra: bytes = b"") -> bytes:
    """A PNG of noise with any depth in bits and any type of colors."""
    height, width = shape
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color]
    rows = np.random.default_rng(depth + color).integers(
        0, 256, (height, (width * channels * depth + 7) // 8 + 1), np.uint8
    )
    rows[:, 0] = 0  # no filter
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + extra
        + chunk(b"IDAT", zlib.compress(rows.tobytes()))
        + chunk(b"IEND", b"")
    )


def make_images(shape: tuple[int, int], seed: int = 0) -> dict[str, bytes]:
    """The bytes of an image in every kind of colors that is read, by a name with its ending."""
    rng = np.random.default_rng(seed)
    smooth = np.add.outer(np.arange(shape[0]), np.arange(shape[1])) * 255 // sum(shape)
    color = Image.fromarray((smooth[..., None] // [1, 2, 3]).astype(np.uint8))
    noise = Image.fromarray(rng.integers(0, 256, (*shape, 4), np.uint8))
    palette = noise.convert("RGB").quantize(200)
    alphas = bytes(rng.integers(0, 256, 200, np.uint8))
    gray = noise.convert("L")
    return {
        "RGB.png": encode(noise.convert("RGB"), "PNG"),
        "RGB-transparent.png": encode(noise.convert("RGB"), "PNG", transparency=(1, 2, 3)),
        "RGBA.png": encode(noise, "PNG"),
        "RGBA-opaque.png": encode(noise.convert("RGB").convert("RGBA"), "PNG"),
        "L.png": encode(gray, "PNG"),
        "L-transparent.png": encode(gray, "PNG", transparency=7),
        "LA.png": encode(noise.convert("LA"), "PNG"),
        "P.png": encode(palette, "PNG"),
        "P-transparent.png": encode(palette, "PNG", transparency=3),
        "P-alphas.png": encode(palette, "PNG", transparency=alphas),
        "P-4.png": encode(noise.convert("RGB").quantize(16), "PNG"),
        "1.png": encode(gray.convert("1"), "PNG"),
        "L-2.png": write_png(shape, 2, 0),
        "L-4.png": write_png(shape, 4, 0),
        "gamma.png": write_png(shape, 8, 2, chunk(b"gAMA", struct.pack(">I", 100_000))),
        "RGB.jpg": encode(color, "JPEG"),
        "L.jpg": encode(color.convert("L"), "JPEG"),
        "L-progressive.jpg": encode(color.convert("L"), "JPEG", progressive=True),
        "MPO.jpg": encode(color, "MPO", save_all=True, append_images=[color]),
    }


TIFF = (Image.new("RGB", (9, 9)), "TIFF")
# Files that are refused as images of a competition, and the words of the refusal.
FOREIGN = {
    "empty": (b"", "the file is empty"),
    "text": (b"no image", "is neither a JPEG nor a PNG; it begins with the bytes 6e 6f 20 69 6d"),
    "hole": (bytes(5000), "is neither a JPEG nor a PNG; it begins with the bytes 00 00"),
    "TIFF": (encode(*TIFF), "is a TIFF file by its bytes"),
    "big TIFF": (encode(*TIFF, big_tiff=True), "is a TIFF file by its bytes"),
    "DICOM": (bytes(128) + b"DICM\2\0\0\0", "is a DICOM file by its bytes"),
    "NumPy": (b"\x93NUMPY\1\0v\0{'descr'", "is a NumPy file by its bytes"),
    "GIF": (encode(Image.new("L", (9, 9)), "GIF"), "is a GIF file by its bytes"),
    "WebP": (encode(Image.new("RGB", (9, 9)), "WEBP"), "is a WebP file by its bytes"),
    "CMYK": (encode(Image.new("CMYK", (9, 9)), "JPEG"), "its colors are CMYK, .*save it as RGB"),
    "bomb": (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 12_000, 12_000, 8, 2, 0, 0, 0))
        + chunk(b"IEND", b""),
        "has more than 89,478,485 px by its header",
    ),
    **{
        f"16 bits, colors {color}": (write_png((9, 9), 16, color), "has 16 bits per channel")
        for color in (0, 2, 4, 6)
    },
}


def spoil(path: Path, kind: str) -> str | None:
    """Spoils a JPEG file or replaces it by a foreign one; gives the refusal's words, or None."""
    if kind in FOREIGN:
        data, words = FOREIGN[kind]
    else:
        change, words = DAMAGES[kind]
        data = change(path.read_bytes())
    path.write_bytes(data)
    return words
