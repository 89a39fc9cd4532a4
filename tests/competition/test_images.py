import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from kit.competition import images
from kit.errors import KitError


@pytest.fixture
def jpeg(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.jpg")
    return tmp_path / "a.jpg"


def test_a_whole_image_gives_its_size(jpeg):
    height, width, gray = images.inspect("a.jpg", jpeg.read_bytes())
    assert (height, width) == (64, 96) and gray.shape == (8, 12) and gray.dtype == np.uint8
    expected = np.asarray(Image.open(jpeg).convert("L"), float).reshape(8, 8, 12, 8).mean((1, 3))
    assert np.abs(gray - expected).max() < 2


def test_a_png_is_seen_at_the_same_scale(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (61, 97, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    assert images.inspect("a.png", (tmp_path / "a.png").read_bytes())[2].shape == (8, 13)


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def bomb(path):
    """A PNG whose header promises 12,000 x 12,000 px."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 12000, 12000, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + header
        + struct.pack(">I", zlib.crc32(header))
    )


def disguise(path):
    Image.open(path).save(path, "PNG")


def without_end(path):
    path.write_bytes(path.read_bytes()[:-2])


def gray(path):
    Image.open(path).convert("L").save(path)


def cmyk(path):
    Image.open(path).convert("CMYK").save(path)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (cut, "is truncated or has extra bytes at its end: its .* do not end with .* FF D9"),
        (without_end, "is truncated"),
        (
            lambda path: path.write_bytes(path.read_bytes()[:200] + images.END),
            "not a JPEG or PNG|cannot be decoded",
        ),
        (disguise, "is a PNG by its bytes"),
        (lambda path: path.write_bytes(b""), "the file is empty"),
        (lambda path: path.write_text("no image"), "is not a JPEG or PNG"),
        (bomb, "is not a JPEG or PNG of a sensible size"),
        (gray, "its colors are L"),
        (cmyk, "its colors are CMYK"),
    ],
)
def test_a_bad_image_is_named_with_its_reason(jpeg, spoil, words):
    spoil(jpeg)
    with pytest.raises(KitError, match=words) as error:
        images.inspect("train/a.jpg", jpeg.read_bytes())
    assert "a.jpg" in str(error.value)


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
@pytest.mark.parametrize("shape", [(1, 1), (64, 96), (301, 17)])
def test_a_glance_gives_pillows_size(tmp_path, name, shape):
    Image.fromarray(np.full((*shape, 3), 77, np.uint8)).save(tmp_path / name)
    with Image.open(tmp_path / name) as image:
        assert images.glance(tmp_path, name) == (image.height, image.width) == shape


def cut_png(path):
    disguise(path)
    cut(path)


def without_end_png(path):
    disguise(path)
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (cut, "is truncated"),
        (without_end, "is truncated"),
        (cut_png, "is truncated"),
        (without_end_png, "is truncated"),
        (
            lambda path: path.write_bytes(path.read_bytes()[:100] + images.END),
            "cannot be read|is not a JPEG",
        ),
        (lambda path: path.write_bytes(b""), "is not a JPEG or PNG"),
        (lambda path: path.write_bytes(images.END), "is not a JPEG or PNG"),
        (lambda path: path.write_text("no image"), "is not a JPEG or PNG"),
        (lambda path: path.unlink(), "cannot be read: .*No such file"),
        (lambda path: (path.unlink(), path.mkdir()), "cannot be read: .*directory"),
        (bomb, "is not a JPEG or PNG of a sensible size"),
        (gray, "its colors are L, expected RGB"),
        (cmyk, "its colors are CMYK, expected RGB"),
    ],
)
def test_a_glance_at_a_bad_image_names_it_in_one_line(jpeg, spoil, words):
    spoil(jpeg)
    with pytest.raises(KitError, match=f"^a.jpg: {words}") as error:
        images.glance(jpeg.parent, "a.jpg")
    assert "\n" not in str(error.value)
