import base64
import io

import numpy as np
from PIL import Image

from kit.plots.webp import embed


def make_image(place: int) -> Image.Image:
    return Image.fromarray(
        np.random.default_rng(place).integers(0, 255, (64, 96, 3)).astype(np.uint8)
    )


def open_picture(picture) -> Image.Image:
    head, _, data = picture.data.partition(",")
    assert head == "data:image/webp;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def test_pictures_fit_into_the_budget_the_first_ones_at_full_size():
    everything = embed(make_image, range(6), 10**6)
    assert list(everything) == list(range(6)) and not any(
        picture.shrunk for picture in everything.values()
    )
    assert {open_picture(picture).size for picture in everything.values()} == {(96, 64)}
    whole = sum(len(picture.data) for picture in everything.values())
    some = embed(make_image, range(6), whole * 2 // 3)
    assert [picture.shrunk for picture in some.values()] == sorted(
        picture.shrunk for picture in some.values()
    )
    assert not some[0].shrunk and some[5].shrunk and open_picture(some[5]).size == (48, 32)
    assert sum(len(picture.data) for picture in some.values()) <= whole * 2 // 3
    few = embed(make_image, range(6), len(some[5].data) * 3)
    assert 0 < len(few) < 6 and all(picture.shrunk for picture in few.values())
    assert sum(len(picture.data) for picture in few.values()) <= len(some[5].data) * 3
    beside = embed(make_image, range(6), len(some[5].data) * 3, lambda _: len(some[5].data))
    assert 0 < len(beside) < len(few)
    assert embed(make_image, range(6), 10) == {} == embed(make_image, [], 10**6)


def test_a_side_longer_than_webp_takes_is_shrunk():
    (picture,) = embed(lambda _: Image.new("RGB", (17_000, 4)), [0], 10**6).values()
    assert open_picture(picture).size == (8_500, 2)
