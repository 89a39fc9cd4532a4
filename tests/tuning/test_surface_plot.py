import numpy as np
import pytest
from PIL import Image

from kit.tuning import search
from kit.tuning.surface_plot import draw_surface

POINT = (1, 3, 2)
FIELDS = {
    "f2": 0.8,
    "f2_low": 0.78,
    "f2_high": 0.83,
    "f2_plain": 0.5,
    "f2_blank": 0.765,
    "empty_share": 0.765,
    "images": 194,
    "blank": False,
}


@pytest.mark.parametrize("blank", [False, True])
@pytest.mark.parametrize("gated", [False, True])
def test_the_surface_is_drawn_with_and_without_a_gate_and_where_blank_wins(tmp_path, blank, gated):
    rng = np.random.default_rng(0)
    surface = rng.uniform(0.5, 0.7 if blank else 0.8, search.SHAPE).astype(np.float32)
    if not gated:
        surface[..., 1:] = -np.inf
    fields = FIELDS | {"blank": blank} | ({"f2_tuned": 0.7, "f2": 0.765} if blank else {})
    draw_surface(surface, POINT, fields, tmp_path / "surface.png")
    with Image.open(tmp_path / "surface.png") as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    assert pixels.shape[0] > 400 and pixels.shape[1] > 1200
    red = (pixels[..., 0] > 200) & (pixels[..., 1] < 60) & (pixels[..., 2] < 60)
    assert red.sum() > 300  # the frames of the chosen cells
    draw_surface(surface, POINT, fields, tmp_path / "again.png")
    assert (tmp_path / "surface.png").read_bytes() == (tmp_path / "again.png").read_bytes()
    draw_surface(surface, None, fields, tmp_path / "again.png")  # threshold 128 alone
    assert (tmp_path / "surface.png").read_bytes() != (tmp_path / "again.png").read_bytes()
