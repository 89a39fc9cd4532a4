import re
import xml.etree.ElementTree as tree

import numpy as np
import pytest

from kit.models.history import COLUMNS
from kit.plots import charts

ROWS = [
    dict.fromkeys(COLUMNS)
    | {"epoch": k, "loss": 1 / k, "val_object_f2": 0.1 * k, "val_object_f2_blank": 0.765}
    for k in (1, 2, 3)
]


def read(svg) -> tuple[tree.Element, list[str]]:
    """The element, and the texts that it shows."""
    root = tree.fromstring(svg)
    return root, [part.text for part in root.iter("{http://www.w3.org/2000/svg}text")]


def test_text_takes_the_color_of_the_page_and_stays_text():
    svg = charts.draw(
        charts.bars,
        ["a < b", "c"],
        [0.25, None],
        "object F2",
        0.765,
        title='bars "of" <a>',
        size=(6, 2),
    )
    root, texts = read(svg)
    assert {"a < b", "c", "0.250", "none", "object F2", "blank submission 0.765"} <= set(texts)
    assert (
        root.attrib["aria-label"] == 'bars "of" <a>'
        and root.attrib["role"] == "img"
        and "width" not in root.attrib
    )
    assert charts.INK not in svg and "currentColor" in svg and "#000000" not in svg
    assert not re.search(
        r"(href|src)=\"(?!#)|url\((?!#)|https?://(?!www\.w3\.org/)", svg
    )  # nothing is asked for elsewhere


def test_the_same_values_draw_the_same_bytes():
    one, other = (
        charts.draw(
            charts.thresholds, {"a": np.linspace(0.9, 0.1, 10)}, 0.5, title="t", size=(4, 3)
        )
        for _ in range(2)
    )
    assert one == other


@pytest.mark.parametrize("panel", charts.PANELS, ids=lambda panel: panel[0])
def test_axes_are_named_and_the_baseline_stands_where_it_belongs(panel):
    for histories in ({"a": ROWS}, {"a": ROWS, "b": ROWS[:1]}, {"a": []}):
        _, texts = read(charts.draw(charts.curves, panel, histories, title="t", size=(6, 3)))
        assert {"epoch", panel[0]} <= set(texts)
        assert ("blank submission 0.765" in texts) == (
            panel[0].startswith("object") and bool(histories["a"])
        )
        if len(histories) > 1:
            assert any(text.startswith("b") for text in texts)


def test_areas_stand_on_a_logarithmic_axis():
    values = np.array([1, 10, 100, 1000])
    for logarithmic in (False, True):
        _, texts = read(
            charts.draw(
                charts.histogram,
                values,
                np.geomspace(1, 1001, 5),
                ("area, px", "objects"),
                logarithmic,
                title="t",
                size=(6, 3),
            )
        )
        assert {"area, px", "objects"} <= set(texts)
