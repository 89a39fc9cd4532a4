"""The pages, and what happens on them in a real browser."""

import dataclasses
import re

import numpy as np
import pytest

from kit.cuts import Cuts
from kit.errors import KitError
from kit.masks import dense, table
from kit.pages import report
from kit.pages.html import span
from kit.settings import choose_training
from tests.browser import find_faults, open_page
from tests.pages.conftest import SCRIPT, SIDE, make_evaluation, names_shown
from tests.scoring.test_mistakes import CASES


def choose(browser, which: str, value: str) -> list[str]:
    script = "const s = document.getElementById(arguments[0]); s.value = arguments[1]; s.dispatchEvent(new Event('change'))"
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


def test_figures_are_those_of_the_scorer(evaluation, page):
    text = page.read_text()
    weighted = evaluation.mean(evaluation.f2)
    assert weighted == pytest.approx(
        0.25 * evaluation.f2[evaluation.empty].mean()
        + 0.75 * evaluation.f2[~evaluation.empty].mean()
    )
    low, high = evaluation.bound(evaluation.f2)
    assert low < weighted < high and span((low, high)) in text
    ladder = evaluation.ladder
    assert (
        ladder["as it is"] == weighted < ladder["gate"] < ladder["alarms"] < 1
    )  # missed ships stay missed
    assert all(f">{value:.3f}</text>" in text for value in ladder.values())
    assert "kit train /data/records first" in text
    labels = re.findall(r'<text class="iou"[^>]*>([^<]*)<', text)
    assert sorted(labels) == sorted(
        "0" if iou == 0 else f"{iou:.2f}" for iou in evaluation.mistakes.iou
    )


def test_the_command_is_the_one_that_trained():
    chosen = choose_training("cpu-hour", fold=None, steps=10, presence=False, augment=())
    command = report.describe_command({**vars(chosen), "records": "my records", "own": {}}, "m")
    assert (
        command
        == "kit train 'my records' m --preset cpu-hour --fold none --no-presence --steps 10 --augment none"
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
    shown = report.make_model_page(evaluation)._repr_html_()
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


def test_names_that_matplotlib_would_typeset_or_drop(evaluation, tmp_path):
    others = [make_evaluation(tmp_path, name) for name in ("a$^$", "_under", "<b>")]
    text = report.make_comparison_page([evaluation, *others]).text
    assert (
        all(text.count(word) > 3 for word in ("a$^$", "_under", "&lt;b&gt;"))
        and "<b>, training" not in text
    )


def test_what_a_reader_should_know_of_the_cuts_is_said(evaluation):
    own = {**evaluation.config, "own": {"model": "<mine>"}, "start_from": "other"}
    text = report.make_model_page(
        dataclasses.replace(evaluation, config=own, note="tuned together")
    ).text
    assert (
        "tuned together." in text
        and "your own model" in text
        and "&lt;mine&gt;" in text
        and "began with other" in text
    )
    blank = dataclasses.replace(evaluation, cuts=Cuts(blank=True))
    assert "those of the blank submission" in report.make_model_page(blank).text
    assert "cuts that were chosen on the others" in report.make_model_page(evaluation).text


def test_more_models_than_colors_and_a_page_that_cannot_be_written(records, tmp_path):
    with pytest.raises(KitError, match="at most 6 apart"):
        report.report([tmp_path] * 7)
    with pytest.raises(KitError, match="none"):
        report.report(records, tmp_path / "none" / "page.html")


def test_one_scene_says_nothing_of_others(evaluation):
    index = dataclasses.replace(evaluation.index, scenes=np.zeros(len(evaluation.index), int))
    alone = dataclasses.replace(evaluation, index=index)
    assert alone.bound(alone.f2) is None and alone.bound(alone.f2, ~alone.empty) is None
    halves = dataclasses.replace(
        index, scenes=np.where(evaluation.empty, 0, evaluation.index.scenes)
    )  # the empty ones are of one scene
    assert (half := dataclasses.replace(evaluation, index=halves)).bound(
        half.f2
    ) is None and half.bound(half.f2, ~half.empty)
    text = report.make_model_page(alone).text
    assert (
        "Not told apart from the blank submission" in text
        and "one scene, which says nothing of others" in text
    )
    assert report.make_comparison_page([alone, alone]).text.count("not told apart") == 4
