import dataclasses

import numpy as np
import pytest

from kit.errors import KitError
from kit.masks import dense, table
from kit.pages import gallery
from kit.pages.model import make_model_page
from tests.browser import open_page
from tests.pages.conftest import SIDE, make_evaluation


def test_a_page_of_more_images_than_fit_says_so(evaluation, monkeypatch):
    monkeypatch.setattr(gallery, "PICTURES", 8_000)
    text = make_model_page(evaluation).text
    cards = text.count('class="card"')
    assert 0 < cards < 16 and f"{cards} of 16 images, the worst first" in text
    assert text.count("data:image/webp") == cards and len(gallery_of(text)) < 8_000


def gallery_of(text: str) -> str:
    return text.partition('id="gallery">')[2].partition("<dialog")[0]


def test_of_thousands_of_specks_the_largest_are_drawn_and_the_page_stays_small(
    tmp_path, monkeypatch
):
    """An untrained network's map is full of them."""
    specks = np.zeros((SIDE, SIDE), int)
    specks[::2, ::2] = np.arange(1, SIDE**2 // 4 + 1).reshape(SIDE // 2, -1)
    specks[0:3, 0:3] = 1  # one is larger and takes the place of three
    noisy = dense.from_labels(["a"], [specks])
    e = make_evaluation(tmp_path)
    prediction = table.concatenate(
        [dataclasses.replace(noisy, ids=e.index.truth.ids[[k]]) for k in range(len(e.index))]
    )
    text = make_model_page(dataclasses.replace(e, prediction=prediction, tuning=None)).text
    assert text.count("9,997 predicted, the 100 largest drawn") == len(e.index)
    assert text.count('class="prediction"') == 100 * len(e.index)
    monkeypatch.setattr(gallery, "PICTURES", len(gallery_of(text)) // 4)
    fewer = gallery_of(
        make_model_page(dataclasses.replace(e, prediction=prediction, tuning=None)).text
    )
    assert 3 < fewer.count('class="card"') < len(e.index) and len(fewer) < gallery.PICTURES


@pytest.mark.dear
def test_numbers_stand_inside_of_their_picture(page):
    with open_page(page) as browser:
        script = """return [...document.querySelectorAll(".card text")].map(text => {
            const one = text.getBoundingClientRect();
            const all = text.closest("svg").getBoundingClientRect();
            return Math.min(one.top - all.top, all.bottom - one.bottom,
                            one.left - all.left, all.right - one.right)})"""
        rooms = browser.execute_script(script)
        assert len(rooms) == 18 and min(rooms) > -1


def test_a_damaged_image_is_named(evaluation, tmp_path):
    index = dataclasses.replace(evaluation.index, paths=evaluation.index.paths.copy())
    index.paths[0] = tmp_path / "damaged.jpg"
    (tmp_path / "damaged.jpg").write_bytes(b"no image")
    with pytest.raises(KitError, match=f"^{index.truth.ids[0]}: cannot be decoded$"):
        make_model_page(dataclasses.replace(evaluation, index=index))
