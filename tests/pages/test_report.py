"""The pages, and what happens on them in a real browser."""

import dataclasses
import re

import numpy as np
import pytest
from PIL import Image

from kit.errors import KitError
from kit.masks import dense, table
from kit.models.evaluation import Evaluation
from kit.objects.extraction import Cuts, read_cuts
from kit.pages import report
from kit.pages.comparison import compare, find_changed, judge, list_differences
from kit.pages.data import count_scenes
from kit.pages.html import show, span
from kit.records.index import Index, open_index
from kit.settings import TrainSettings, TuneSettings, choose_training
from kit.tuning import tuning
from kit.tuning.tuning import Tuning
from tests.browser import find_faults, open_page
from tests.scoring.test_mistakes import CASES, draw

SCRIPT = "<script>document.title='taken'</script>.jpg"
SIDE = 200


def make_evaluation(folder, name="first", **changes) -> Evaluation:
    """A model on the images of CASES, twice; changes: predicted boxes by image instead of theirs."""
    names, truth, prediction, paths = [], [], [], []
    rng = np.random.default_rng(0)
    for turn in range(2):
        for case, (real, found, _) in CASES.items():
            names.append(SCRIPT if (turn, case) == (1, "empty") else f"{case}{turn}.jpg")
            truth.append(draw(*real, side=SIDE))
            prediction.append(draw(*changes.get(case, found), side=SIDE))
            paths.append(folder / f"{case}{turn}.jpg")
            pixels = rng.integers(0, 60, (SIDE, SIDE, 3)) + 150 * (truth[-1] > 0)[..., None]
            Image.fromarray(pixels.astype(np.uint8)).save(paths[-1])
    real, found = dense.from_labels(names, truth), dense.from_labels(names, prediction)
    scenes, count = np.arange(len(names)) % 8, len(names)
    index = Index("records", real, scenes, np.zeros(count, int), np.array(paths, object), np.full(count, -1))
    tuned = tuning.tune_maps(lambda k: ((prediction[k] > 0) * 200).astype(np.uint8), real, scenes, None, TuneSettings(empty_share=0.25))
    config = {**vars(TrainSettings(fold=0)), "records": "/data/records", "records_sha256": "0" * 64, "own": {}}
    history = [
        {"epoch": k, "step": k, "seconds": 1, "learning_rate": 0.1 / k, "loss": 1 / k, "val_loss": 2 / k, "val_pixel_iou": 0.1 * k}
        | {
            "val_pixel_f2": 0.2 * k,
            "val_object_f2": 0.1 * k,
            "val_object_f2_ships": None,
            "val_object_f2_empty": 0.5,
            "val_object_f2_blank": 0.25,
        }
        for k in (1, 2, 3)
    ]
    about = Tuning(tuned.fields, found, tuned.surface, tuned.point, tuned.cuts)
    settings = TuneSettings(empty_share=0.25)
    return Evaluation(name, config, "python 3.11\n", history, index, found, found, read_cuts(tuned.fields, "tuning.json"), about, settings)


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory):
    return make_evaluation(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def page(evaluation, tmp_path_factory):
    return report.describe_model(evaluation).save(tmp_path_factory.mktemp("page") / "report.html")


def names_shown(browser) -> list[str]:
    return browser.execute_script("return [...document.querySelectorAll('.card')].filter(c => c.offsetParent).map(c => c.dataset.name)")


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
        assert [f2[name] for name in choose(browser, "sort", "f2 -1")] == sorted(f2.values(), reverse=True)
        assert choose(browser, "sort", "name 1") == sorted(ids)
        area = dict(zip(ids, (dense.to_labels(evaluation.index.truth, k).astype(bool).sum() for k in range(len(ids)))))
        assert [area[name] for name in choose(browser, "sort", "area -1")] == sorted(area.values(), reverse=True)
        for kind in ("alarm", "missed", "merged", "split"):
            wanted = {f"{case}{turn}.jpg" for case, (_, _, kinds) in CASES.items() for turn in (0, 1) if kind in kinds}
            assert set(choose(browser, "kind", kind)) == wanted
        assert browser.find_element("id", "shown").text == "2 of 16 shown"
        choose(browser, "kind", "")
        counts = dict(zip(ids, table.count_objects(evaluation.index.truth)))
        assert set(choose(browser, "count", "2")) == {name for name, count in counts.items() if count == 2}
        assert browser.title == "Model first"
        assert SCRIPT in browser.find_element("css selector", "#gallery").get_attribute("textContent")
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
            return [float(part) for part in browser.find_element("css selector", "#stage > svg").get_dom_attribute("viewBox").split()]

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
        assert not dialog.is_displayed() and browser.switch_to.active_element.get_attribute("data-name")
        assert find_faults(browser, page) == []


@pytest.mark.dear
def test_every_picture_has_words_and_colors_follow_the_scheme(page, evaluation):
    with open_page(page, width=400, dark=True) as browser:
        assert browser.find_element("css selector", "body").value_of_css_property("background-color") == "rgba(15, 20, 25, 1)"
        pictures = browser.find_elements("css selector", "figure > svg, .card > svg")
        assert len(pictures) == len(evaluation.index) + 9
        assert all(picture.get_attribute("aria-label") for picture in pictures)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 400  # nothing wider than a phone but what scrolls
        label = browser.find_element("css selector", "figure > svg text")
        assert browser.execute_script("return getComputedStyle(arguments[0]).fill", label) == "rgb(230, 237, 243)"


def test_figures_are_those_of_the_scorer(evaluation, page):
    text = page.read_text()
    weighted = evaluation.mean(evaluation.f2)
    assert weighted == pytest.approx(0.25 * evaluation.f2[evaluation.empty].mean() + 0.75 * evaluation.f2[~evaluation.empty].mean())
    low, high = evaluation.bound(evaluation.f2)
    assert low < weighted < high and span((low, high)) in text
    ladder = evaluation.ladder
    assert ladder["as it is"] == weighted < ladder["gate"] < ladder["alarms"] < 1  # missed ships stay missed
    assert all(f">{value:.3f}</text>" in text for value in ladder.values())
    assert "kit train /data/records first" in text
    labels = re.findall(r'<text class="iou"[^>]*>([^<]*)<', text)
    assert sorted(labels) == sorted("0" if iou == 0 else f"{iou:.2f}" for iou in evaluation.mistakes.iou)


def test_the_command_is_the_one_that_trained():
    chosen = choose_training("cpu-hour", fold=None, steps=10, presence=False, augment=())
    command = report.describe_command({**vars(chosen), "records": "my records", "own": {}}, "m")
    assert command == "kit train 'my records' m --preset cpu-hour --fold none --no-presence --steps 10 --augment none"


@pytest.mark.dear
def test_two_models_are_compared_on_the_same_images(evaluation, tmp_path):
    other = make_evaluation(tmp_path, "second", missed=CASES["missed"][0], alarm=[])
    other.config.update(steps=7, own={"model": "mine"})
    found = compare([evaluation, other])
    assert (found.f2[1] >= found.f2[0]).all()
    changed = find_changed(found)
    assert {str(evaluation.index.truth.ids[place]) for place in changed} == {
        f"{case}{turn}.jpg" for case in ("missed", "alarm") for turn in (0, 1)
    }
    *rows, (last, cuts) = list_differences([evaluation, other])
    assert rows == [("steps", [None, 7]), ("own", [{}, {"model": "mine"}])] and last == "cuts" and cuts[1] == "threshold 128"
    words = ["better", "not told apart", "worse", "not told apart"]
    assert [judge(bounds) for bounds in ((0.1, 0.2), (-0.1, 0.2), (-0.2, -0.1), None)] == words
    text = report.describe_models([evaluation, other]).text
    gain, bounds = found.mean(found.f2[1] - found.f2[0])
    assert bounds[0] < gain < bounds[1] and show(gain, bounds, "+") in text and span(bounds, "+") in text
    path = report.describe_models([evaluation, other]).save(tmp_path / "both.html")
    with open_page(path) as browser:
        assert len(browser.find_elements("css selector", ".side")) == 2 * len(changed)
        assert find_faults(browser, path) == []
    moved = make_evaluation(tmp_path, "moved")
    moved = dataclasses.replace(moved, index=dataclasses.replace(moved.index, truth=table.select(moved.index.truth, np.arange(16)[::-1])))
    moved.index.truth.ids[:] = evaluation.index.truth.ids
    with pytest.raises(KitError, match="moved and first hold out images of one name with other masks"):
        compare([evaluation, moved])
    third = make_evaluation(tmp_path, "third")
    third.index.truth.ids[:] = [f"other{k}" for k in range(len(third.index))]
    with pytest.raises(KitError, match="third and first hold out no image in common"):
        compare([evaluation, third])


@pytest.mark.dear
def test_the_page_on_the_data(records, tmp_path):
    made = report.report(records, tmp_path / "data.html")
    assert "is truncated" in made.text
    with open_page(tmp_path / "data.html") as browser:
        assert browser.title == "Records records"
        assert 1 <= len(names_shown(browser)) <= 23
        assert find_faults(browser, tmp_path / "data.html") == []


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
    shown = report.describe_model(evaluation)._repr_html_()
    assert shown.startswith("<iframe") and "<script>" not in shown and shown.count(">") == 2
    path = tmp_path / "notebook.html"
    path.write_text(f"<!doctype html><meta charset=utf-8><link rel=icon href=data:,><body>{shown}", encoding="utf-8")
    with open_page(path) as browser:
        browser.switch_to.frame(0)
        assert len(names_shown(browser)) == len(evaluation.index) and choose(browser, "kind", "merged") != []


def test_a_page_of_more_images_than_fit_says_so(evaluation, monkeypatch):
    monkeypatch.setattr(report, "PICTURES", 8_000)
    text = report.describe_model(evaluation).text
    cards = text.count('class="card"')
    assert 0 < cards < 16 and f"{cards} of 16 images, the worst first" in text
    assert text.count("data:image/webp") == cards and len(gallery_of(text)) < 8_000


def gallery_of(text: str) -> str:
    return text.partition('id="gallery">')[2].partition("<dialog")[0]


def test_of_thousands_of_specks_the_largest_are_drawn_and_the_page_stays_small(tmp_path, monkeypatch):
    """An untrained network's map is full of them."""
    specks = np.zeros((SIDE, SIDE), int)
    specks[::2, ::2] = np.arange(1, SIDE**2 // 4 + 1).reshape(SIDE // 2, -1)
    specks[0:3, 0:3] = 1  # one is larger and takes the place of three
    noisy = dense.from_labels(["a"], [specks])
    e = make_evaluation(tmp_path)
    prediction = table.concatenate([dataclasses.replace(noisy, ids=e.index.truth.ids[[k]]) for k in range(len(e.index))])
    text = report.describe_model(dataclasses.replace(e, prediction=prediction, tuning=None)).text
    assert text.count("9,997 predicted, the 100 largest drawn") == len(e.index)
    assert text.count('class="prediction"') == 100 * len(e.index)
    monkeypatch.setattr(report, "PICTURES", len(gallery_of(text)) // 4)
    fewer = gallery_of(report.describe_model(dataclasses.replace(e, prediction=prediction, tuning=None)).text)
    assert 3 < fewer.count('class="card"') < len(e.index) and len(fewer) < report.PICTURES


def test_names_that_matplotlib_would_typeset_or_drop(evaluation, tmp_path):
    others = [make_evaluation(tmp_path, name) for name in ("a$^$", "_under", "<b>")]
    text = report.describe_models([evaluation, *others]).text
    assert all(text.count(word) > 3 for word in ("a$^$", "_under", "&lt;b&gt;")) and "<b>, training" not in text


def test_one_scene_says_nothing_of_others(evaluation):
    index = dataclasses.replace(evaluation.index, scenes=np.zeros(len(evaluation.index), int))
    alone = dataclasses.replace(evaluation, index=index)
    assert alone.bound(alone.f2) is None and alone.bound(alone.f2, ~alone.empty) is None
    halves = dataclasses.replace(index, scenes=np.where(evaluation.empty, 0, evaluation.index.scenes))  # the empty ones are of one scene
    assert (half := dataclasses.replace(evaluation, index=halves)).bound(half.f2) is None and half.bound(half.f2, ~half.empty)
    text = report.describe_model(alone).text
    assert "Not told apart from the blank submission" in text and "one scene, which says nothing of others" in text
    assert report.describe_models([alone, alone]).text.count("not told apart") == 4


def test_what_a_reader_should_know_of_the_cuts_is_said(evaluation):
    own = {**evaluation.config, "own": {"model": "<mine>"}, "start_from": "other"}
    text = report.describe_model(dataclasses.replace(evaluation, config=own, note="tuned together")).text
    assert "tuned together." in text and "your own model" in text and "&lt;mine&gt;" in text and "began with other" in text
    blank = dataclasses.replace(evaluation, cuts=Cuts(blank=True))
    assert "those of the blank submission" in report.describe_model(blank).text
    assert "cuts that were chosen on the others" in report.describe_model(evaluation).text


@pytest.mark.dear
def test_numbers_stand_inside_of_their_picture(page):
    with open_page(page) as browser:
        script = """return [...document.querySelectorAll(".card text")].map(text => {
            const one = text.getBoundingClientRect(), all = text.closest("svg").getBoundingClientRect();
            return Math.min(one.top - all.top, all.bottom - one.bottom, one.left - all.left, all.right - one.right)})"""
        rooms = browser.execute_script(script)
        assert len(rooms) == 18 and min(rooms) > -1


def test_more_models_than_colors_and_a_page_that_cannot_be_written(records, tmp_path):
    with pytest.raises(KitError, match="at most 6 apart"):
        report.report([tmp_path] * 7)
    with pytest.raises(KitError, match="none"):
        report.report(records, tmp_path / "none" / "page.html")


def test_records_whose_scenes_were_not_searched(records, tmp_path):
    index = open_index(records)
    assert count_scenes(dataclasses.replace(index, scenes=np.full(len(index), -1)))[1].tolist() == []
    with pytest.raises(KitError, match="--records elsewhere: goes with models"):
        report.report(records, records="elsewhere")


def test_a_damaged_image_is_named(evaluation, tmp_path):
    index = dataclasses.replace(evaluation.index, paths=evaluation.index.paths.copy())
    index.paths[0] = tmp_path / "damaged.jpg"
    (tmp_path / "damaged.jpg").write_bytes(b"no image")
    with pytest.raises(KitError, match=f"{index.truth.ids[0]}: is no JPEG or PNG of a sensible size"):
        report.describe_model(dataclasses.replace(evaluation, index=index))


def test_common_images_may_stand_in_another_order(tmp_path):
    first, second = make_evaluation(tmp_path, "first"), make_evaluation(tmp_path, "second")
    order = np.arange(len(second.index))[:2:-1]  # the other way round, without the first three
    parts = {name: table.select(getattr(second, name), order) for name in ("prediction", "ungated")}
    index = dataclasses.replace(second.index, truth=table.select(second.index.truth, order), scenes=second.index.scenes[order])
    found = compare([first, dataclasses.replace(second, index=index, **parts)])
    assert found.places[0].tolist() == sorted(order.tolist()) and found.places[1].tolist() == list(range(len(order)))[::-1]
    assert np.array_equal(found.empty, first.empty[found.places[0]]) and 0 < found.empty.sum() < len(order)
    assert np.array_equal(found.scenes, first.groups[found.places[0]]) and np.array_equal(found.f2[0], found.f2[1])
