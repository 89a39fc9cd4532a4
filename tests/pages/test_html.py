import pytest

from kit.errors import KitError
from kit.pages.html import Page, render, show, span

HOSTILE = "<img src=x onerror=alert(1)>\"'&"


def test_whatever_a_template_is_given_is_escaped():
    tiles = [(HOSTILE, HOSTILE, HOSTILE)]
    values = dict.fromkeys(("counts", "areas", "scenes", "scene_note", "skipped_note"), "")
    skipped = [{"image": HOSTILE, "reason": HOSTILE}]
    text = render(
        "data.html",
        title=HOSTILE,
        subtitle=HOSTILE,
        tiles=tiles,
        folds=[{"fold": 0}],
        skipped=skipped,
        cards=[],
        total=0,
        searched=True,
        **values,
    ).text
    assert "<img" not in text and text.count("&lt;img src=x onerror=alert(1)&gt;") == 8


def test_a_value_that_is_missing_is_an_error_not_a_blank():
    with pytest.raises(Exception, match="undefined"):
        render("base.html", title="a")


@pytest.mark.parametrize(
    ("value", "interval", "words"),
    [
        (0.5, (0.49, 0.52), "0.500"),
        (0.5, (0.45, 0.55), "0.50"),
        (0.5, (0.2, 0.8), "0.50"),
        (0.5, (0.1, 0.9), "0.5"),
        (0.51234, (0.5122, 0.5124), "0.512"),
        (None, None, "-"),
        (float("nan"), None, "-"),
    ],
)
def test_a_figure_is_as_precise_as_its_interval(value, interval, words):
    assert show(value, interval) == words
    if interval:
        assert all(
            len(part.split(".")[1]) == len(words.split(".")[1])
            for part in span(interval).split(" to ")
        )


def test_a_page_is_written_whole_or_not_at_all(tmp_path):
    assert Page("<p>one").save(tmp_path / "page.html").read_text() == "<p>one"
    with pytest.raises((KitError, OSError)):
        Page("<p>two").save(tmp_path / "none" / "page.html")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
