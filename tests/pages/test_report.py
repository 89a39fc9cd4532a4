"""The pages, and what happens on them in a real browser."""

import pytest

from kit.errors import KitError
from kit.masks import dense, table
from kit.pages import report
from kit.pages.model import make_model_page
from tests.browser import find_faults, open_page
from tests.pages.conftest import SCRIPT, SIDE, names_shown
from tests.scoring.test_mistakes import CASES


def choose(browser, which: str, value: str) -> list[str]:
    script = (
        "const s = document.getElementById(arguments[0]); s.value = arguments[1]; "
        "s.dispatchEvent(new Event('change'))"
    )
    browser.execute_script(script, which, value)
    return names_shown(browser)


@pytest.mark.dear
def test_the_page_sorts_filters_and_asks_for_nothing(page, evaluation):
    ids, f2 = evaluation.index.truth.ids, dict(zip(evaluation.index.truth.ids, evaluation.f2))
    with open_page(page) as browser:
        shown = names_shown(browser)
        assert sorted(shown) == sorted(ids) and [f2[name] for name in shown] == sorted(f2.values())
        assert [f2[name] for name in choose(browser, "sort", "f2 -1")] == sorted(
            f2.values(), reverse=True
        )
        assert choose(browser, "sort", "name 1") == sorted(ids)
        area = dict(
            zip(
                ids,
                (
                    dense.to_labels(evaluation.index.truth, k).astype(bool).sum()
                    for k in range(len(ids))
                ),
            )
        )
        assert [area[name] for name in choose(browser, "sort", "area -1")] == sorted(
            area.values(), reverse=True
        )
        for kind in ("alarm", "missed", "merged", "split"):
            wanted = {
                f"{case}{turn}.jpg"
                for case, (_, _, kinds) in CASES.items()
                for turn in (0, 1)
                if kind in kinds
            }
            assert set(choose(browser, "kind", kind)) == wanted
        assert browser.find_element("id", "shown").text == "2 of 16 shown"
        choose(browser, "kind", "")
        counts = dict(zip(ids, table.count_objects(evaluation.index.truth)))
        assert set(choose(browser, "count", "2")) == {
            name for name, count in counts.items() if count == 2
        }
        assert browser.title == "Model first"
        assert SCRIPT in browser.find_element("css selector", "#gallery").get_attribute(
            "textContent"
        )
        assert find_faults(browser, page) == []


@pytest.mark.dear
def test_an_image_opens_zooms_and_closes_by_keyboard_alone(page):
    from selenium.webdriver.common.keys import Keys

    with open_page(page) as browser:
        body = browser.switch_to.active_element
        for _ in range(8):  # past the three lists, to the first card
            body.send_keys(Keys.TAB)
            body = browser.switch_to.active_element
            if "card" in (body.get_attribute("class") or ""):
                break
        first = body.get_attribute("data-name")
        body.send_keys(Keys.ENTER)
        dialog = browser.find_element("id", "zoom")
        assert dialog.is_displayed() and first in browser.find_element("id", "zoom-name").text

        def box():
            return [
                float(part)
                for part in browser.find_element("css selector", "#stage > svg")
                .get_dom_attribute("viewBox")
                .split()
            ]

        def press(key):
            browser.switch_to.active_element.send_keys(key)

        assert box() == [0, 0, SIDE, SIDE]
        press("+")
        press("+")
        assert box()[2] == pytest.approx(0.64 * SIDE) and box()[0] == pytest.approx(0.18 * SIDE)
        press("0")
        assert box() == [0, 0, SIDE, SIDE]
        lines = browser.find_elements("css selector", "#stage .prediction")
        assert lines and lines[0].value_of_css_property("display") != "none"
        press("p")
        assert lines[0].value_of_css_property("display") == "none"
        press(Keys.ARROW_RIGHT)
        assert first not in browser.find_element("id", "zoom-name").text
        press(Keys.ESCAPE)
        assert not dialog.is_displayed() and browser.switch_to.active_element.get_attribute(
            "data-name"
        )
        assert find_faults(browser, page) == []


@pytest.mark.dear
def test_every_picture_has_words_and_colors_follow_the_scheme(page, evaluation):
    with open_page(page, width=400, dark=True) as browser:
        assert (
            browser.find_element("css selector", "body").value_of_css_property("background-color")
            == "rgba(15, 20, 25, 1)"
        )
        pictures = browser.find_elements("css selector", "figure > svg, .card > svg")
        assert len(pictures) == len(evaluation.index) + 9
        assert all(picture.get_attribute("aria-label") for picture in pictures)
        assert (
            browser.execute_script("return document.documentElement.scrollWidth") <= 400
        )  # nothing wider than a phone but what scrolls
        label = browser.find_element("css selector", "figure > svg text")
        assert (
            browser.execute_script("return getComputedStyle(arguments[0]).fill", label)
            == "rgb(230, 237, 243)"
        )


@pytest.mark.dear
def test_the_page_of_a_model_that_was_trained_on_practice_images(model, tmp_path):
    page = report.report(model, tmp_path / "page.html")
    assert isinstance(page._repr_html_(), str)
    with open_page(tmp_path / "page.html") as browser:
        names = names_shown(browser)
        assert len(names) == 12 and sorted(choose(browser, "sort", "name 1")) == sorted(names)
        browser.find_element("css selector", ".card").click()
        assert browser.find_element("id", "zoom").is_displayed()
        assert find_faults(browser, tmp_path / "page.html") == []


@pytest.mark.dear
def test_a_page_shows_itself_in_a_notebook(evaluation, tmp_path):
    shown = make_model_page(evaluation)._repr_html_()
    assert shown.startswith("<iframe") and "<script>" not in shown and shown.count(">") == 2
    path = tmp_path / "notebook.html"
    path.write_text(
        f"<!doctype html><meta charset=utf-8><link rel=icon href=data:,><body>{shown}",
        encoding="utf-8",
    )
    with open_page(path) as browser:
        browser.switch_to.frame(0)
        assert (
            len(names_shown(browser)) == len(evaluation.index)
            and choose(browser, "kind", "merged") != []
        )


def test_more_models_than_colors_and_a_page_that_cannot_be_written(records, tmp_path):
    with pytest.raises(KitError, match="at most 6; compare fewer"):
        report.report([tmp_path] * 7)
    with pytest.raises(KitError, match="none"):
        report.report(records, tmp_path / "none" / "page.html")
