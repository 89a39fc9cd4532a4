import dataclasses

import numpy as np
import pytest

from kit.cuts import Cuts
from kit.errors import KitError
from kit.masks import table
from kit.pages.comparison import (
    compare,
    find_changed,
    judge,
    list_differences,
    make_comparison_page,
)
from kit.pages.html import show, span
from tests.browser import find_faults, open_page
from tests.pages.conftest import make_evaluation
from tests.scoring.test_mistakes import CASES


@pytest.mark.dear
def test_two_models_are_compared_on_the_same_images(evaluation, tmp_path):
    other = make_evaluation(tmp_path, "second", missed=CASES["missed"][0], alarm=[])
    other = dataclasses.replace(other, cuts=Cuts(150))
    other.config.update(steps=7, own={"model": "mine"})
    found = compare([evaluation, other])
    assert (found.f2[1] >= found.f2[0]).all()
    changed = find_changed(found)
    assert {str(evaluation.index.truth.ids[place]) for place in changed} == {
        f"{case}{turn}.jpg" for case in ("missed", "alarm") for turn in (0, 1)
    }
    *rows, (last, cuts) = list_differences([evaluation, other])
    assert (
        rows == [("steps", [None, 7]), ("own", [{}, {"model": "mine"}])]
        and last == "cuts"
        and cuts[1] == "threshold 150"
    )
    words = ["better", "no clear difference", "worse", "no clear difference"]
    assert [judge(bounds) for bounds in ((0.1, 0.2), (-0.1, 0.2), (-0.2, -0.1), None)] == words
    text = make_comparison_page([evaluation, other]).text
    gain, bounds = found.mean(found.f2[1] - found.f2[0])
    assert (
        bounds[0] < gain < bounds[1]
        and show(gain, bounds, "+") in text
        and span(bounds, "+") in text
    )
    path = make_comparison_page([evaluation, other]).save(tmp_path / "both.html")
    with open_page(path) as browser:
        assert len(browser.find_elements("css selector", ".side")) == 2 * len(changed)
        assert find_faults(browser, path) == []
    moved = make_evaluation(tmp_path, "moved")
    moved = dataclasses.replace(
        moved,
        index=dataclasses.replace(
            moved.index, truth=table.select(moved.index.truth, np.arange(16)[::-1])
        ),
    )
    moved.index.truth.ids[:] = evaluation.index.truth.ids
    with pytest.raises(
        KitError, match="moved and first hold out images of the same name with different masks"
    ):
        compare([evaluation, moved])
    third = make_evaluation(tmp_path, "third")
    third.index.truth.ids[:] = [f"other{k}" for k in range(len(third.index))]
    with pytest.raises(KitError, match="third and first hold out no image in common"):
        compare([evaluation, third])


def test_common_images_may_stand_in_another_order(tmp_path):
    first, second = make_evaluation(tmp_path, "first"), make_evaluation(tmp_path, "second")
    order = np.arange(len(second.index))[:2:-1]  # the other way round, without the first three
    parts = {name: table.select(getattr(second, name), order) for name in ("prediction", "ungated")}
    index = dataclasses.replace(
        second.index,
        truth=table.select(second.index.truth, order),
        scenes=second.index.scenes[order],
    )
    found = compare([first, dataclasses.replace(second, index=index, **parts)])
    assert (
        found.places[0].tolist() == sorted(order.tolist())
        and found.places[1].tolist() == list(range(len(order)))[::-1]
    )
    assert np.array_equal(
        found.empty, first.empty[found.places[0]]
    ) and 0 < found.empty.sum() < len(order)
    assert np.array_equal(found.scenes, first.groups[found.places[0]]) and np.array_equal(
        found.f2[0], found.f2[1]
    )


def test_names_that_matplotlib_would_typeset_or_drop(evaluation, tmp_path):
    others = [make_evaluation(tmp_path, name) for name in ("a$^$", "_under", "<b>")]
    text = make_comparison_page([evaluation, *others]).text
    assert (
        all(text.count(word) > 3 for word in ("a$^$", "_under", "&lt;b&gt;"))
        and "<b>, training" not in text
    )
