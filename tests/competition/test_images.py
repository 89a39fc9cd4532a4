"""Which image files are whole and read as RGB, and the true cause of each refusal."""

import io
import random
import sys

import numpy as np
import pytest
from PIL import Image

from kit.competition import images
from kit.errors import KitError
from tests.damages import DAMAGES, FOREIGN, JPEG_END, cut, encode, make_images, spoil, zero

SHAPE = (64, 96)
NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (*SHAPE, 3), np.uint8))


def average(image: Image.Image) -> np.ndarray:
    """The gray value of every 8 x 8 px."""
    return np.asarray(image.convert("L"), float).reshape(8, 8, 12, 8).mean((1, 3))


@pytest.fixture
def jpeg(tmp_path):
    NOISE.save(tmp_path / "a.jpg")
    return tmp_path / "a.jpg"


@pytest.fixture(params=[True, False], ids=["strict", "blind"])
def strict(request, monkeypatch):
    """Whether simplejpeg is there."""
    if not request.param:
        monkeypatch.setitem(sys.modules, "simplejpeg", None)
    assert (images.find_strict_decoder() is not None) == request.param
    return request.param


def test_a_whole_image_gives_its_size(jpeg, strict):
    height, width, gray = images.inspect("a.jpg", jpeg.read_bytes())
    assert (height, width) == SHAPE and gray.shape == (8, 12) and gray.dtype == np.uint8
    assert np.abs(gray - average(Image.open(jpeg))).max() < 2


def test_the_gray_values_do_not_depend_on_who_decodes(jpeg, monkeypatch):
    """Else the scenes, and with them the folds, would depend on what is installed."""
    data = jpeg.read_bytes()
    found = images.inspect("a.jpg", data)[2]
    monkeypatch.setitem(sys.modules, "simplejpeg", None)
    assert np.array_equal(images.inspect("a.jpg", data)[2], found)


@pytest.mark.parametrize("kind", DAMAGES)
def test_every_damage_has_its_true_cause(jpeg, strict, kind):
    words = spoil(jpeg, kind)
    if words and (strict or "libjpeg" not in words):
        with pytest.raises(KitError, match=f"^train/a.jpg: {words}"):
            images.inspect("train/a.jpg", jpeg.read_bytes())
    else:
        assert images.inspect("train/a.jpg", jpeg.read_bytes())[:2] == SHAPE


@pytest.mark.parametrize("kind", [*DAMAGES, *FOREIGN])
def test_a_look_says_what_an_inspection_says(jpeg, kind):
    words = spoil(jpeg, kind)
    path = jpeg if kind in DAMAGES else jpeg.rename(jpeg.with_suffix(""))
    if words and kind not in ("closed", "zeroed", "lost"):  # a look decodes nothing
        with pytest.raises(KitError, match=f"^{path.name}: {words}") as error:
            images.glance(path.parent, path.name)
        with pytest.raises(KitError) as same:
            images.inspect(path.name, path.read_bytes())
        assert str(error.value) == str(same.value) and "\n" not in str(error.value)
    else:
        assert images.glance(path.parent, path.name) == SHAPE


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data[: len(data) // 2], "is truncated: its .* lack the chunk IEND"),
        (lambda data: data[:-1], "is truncated"),
        (lambda data: data[:3000] + bytes(50) + data[3050:], "cannot be decoded"),
        (lambda data: data[:3000] + data[4000:], "cannot be decoded"),
        (lambda data: data[:20] + bytes(20) + data[40:], "its header is damaged"),
        (lambda data: data + b"\n", None),
    ],
)
def test_a_png_is_judged_like_a_jpeg(change, words):
    data = change(encode(NOISE, "PNG"))
    if words:
        with pytest.raises(KitError, match=f"^a.png: {words}"):
            images.inspect("a.png", data)
    else:
        assert images.inspect("a.png", data)[:2] == SHAPE


def test_the_end_of_a_thumbnail_is_not_the_end_of_the_image():
    """A thumbnail in a JPEG's header has an end of its own."""
    exif = Image.Exif()
    exif[0x010E] = "\xff\xd9".encode("latin-1") * 9
    data = encode(NOISE, "JPEG", exif=exif)
    assert data.count(JPEG_END) == 10
    assert images.inspect("a.jpg", data + b"\n")[:2] == SHAPE
    with pytest.raises(KitError, match="is truncated"):
        images.inspect("a.jpg", data[:-2] + b"\n")
    with pytest.raises(KitError, match="is truncated"):
        images.inspect("a.jpg", cut(data))


@pytest.mark.parametrize("name", make_images(SHAPE))
def test_every_kind_of_colors_is_read_as_rgb(tmp_path, strict, name):
    data = make_images(SHAPE)[name]
    (tmp_path / name).write_bytes(data)
    height, width, gray = images.inspect(name, data)
    assert (height, width) == images.glance(tmp_path, name) == SHAPE
    whole = images.decode(name, data)
    assert whole.mode == "RGB" and whole.size == SHAPE[::-1]
    assert np.abs(gray - average(whole)).max() < 2


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_the_gray_values_of_odd_sides_are_rounded_up(strict, kind):
    data = encode(NOISE.crop((0, 0, 89, 61)), kind)
    assert images.inspect("a", data)[2].shape == (8, 12)


def test_a_rare_jpeg_is_left_to_the_other_decoder(jpeg):
    """simplejpeg refuses what it does not know, such as a JFIF of version 2."""
    data = jpeg.read_bytes()
    assert data[11] == 1
    odd = data[:11] + b"\2" + data[12:]
    assert images.decode_eighth("a.jpg", odd) is None
    assert images.inspect("a.jpg", odd)[:2] == SHAPE


@pytest.mark.parametrize("shape", [(1, 1), (64, 96), (301, 17)])
@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_a_glance_gives_pillows_size(tmp_path, name, shape):
    Image.fromarray(np.full((*shape, 3), 77, np.uint8)).save(tmp_path / name)
    with Image.open(tmp_path / name) as image:
        assert images.glance(tmp_path, name) == (image.height, image.width) == shape


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda path: path.unlink(), "No such file"),
        (lambda path: (path.unlink(), path.mkdir()), "Is a directory"),
        (lambda path: (path.unlink(), path.symlink_to(path)), "Too many levels of symbolic links"),
    ],
)
def test_a_file_that_cannot_be_read_is_not_called_damaged(jpeg, change, words):
    change(jpeg)
    with pytest.raises(KitError, match=f"^a.jpg: cannot be read: {words}") as error:
        images.glance(jpeg.parent, "a.jpg")
    assert "\n" not in str(error.value)


def test_an_error_of_the_disk_is_not_called_a_damaged_header(jpeg, monkeypatch):
    def fail(*_, **__):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(images.Image, "open", fail)
    with pytest.raises(KitError, match=r"^a\.jpg: cannot be read: Input/output error$"):
        images.glance(jpeg.parent, "a.jpg")


def test_real_images_pass_and_their_damaged_copies_are_found(airbus):
    """Of 60 with a zeroed middle, two or three decode without a warning, as a rule."""
    paths = sorted(airbus.glob("*_v2/*.jpg"))
    assert len(paths) == 1011
    chosen, halves, zeroed = set(random.Random(0).sample(range(1011), 60)), 0, 0
    for place, path in enumerate(paths):
        data = path.read_bytes()
        gray = images.inspect(path.name, data)[2]
        if place in chosen:
            with Image.open(io.BytesIO(data)) as image:
                image.draft("L", (96, 96))
                assert np.array_equal(gray, image.convert("L"))
            for change in (lambda data: cut(data) + JPEG_END, zero):
                try:
                    images.inspect(path.name, change(data))
                except KitError as error:
                    assert "libjpeg warns" in str(error)
                    halves, zeroed = halves + (change is not zero), zeroed + (change is zero)
    assert halves == 60 and zeroed >= 57, (halves, zeroed)
