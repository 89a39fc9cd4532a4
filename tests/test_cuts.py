import dataclasses

import pytest

from kit import cuts
from kit.cuts import Cuts
from kit.errors import KitError


@pytest.mark.parametrize(
    "fields",
    [
        {"threshold": 0},
        {"threshold": 256},
        {"threshold": 128.5},
        {"threshold": True},
        {"min_area": -1},
        {"min_area": 1.5},
        {"min_confidence": float("nan")},
        {"min_confidence": 1.1},
        {"min_peak": 300},
        {"min_presence": float("inf")},
        {"rectangles": 1},
        {"blank": "no"},
        {"small_area": 10, "small_threshold": 200},
    ],
)
def test_what_is_no_cut_is_refused(fields):
    good = dataclasses.asdict(Cuts())
    assert cuts.from_json(good | {"f2": 1}) == Cuts()
    with pytest.raises(KitError, match=[*fields][-1]):
        cuts.from_json(good | fields)
    for name in good:
        with pytest.raises(KeyError, match=f"'{name}'"):
            cuts.from_json({key: value for key, value in good.items() if key != name})


def test_cuts_are_told_in_words():
    assert cuts.describe_cuts(Cuts()) == "threshold 128"
    text = cuts.describe_cuts(Cuts(153, 30, 0.6, 100, 77, 204, True, 0.5, 0.25))
    assert text == (
        "threshold 153, 77 for components below 100 px, at least 30 px, mean probability at least 0.6, a pixel of at least 204, "
        "rectangles where they fit to 0.5, images with an object by at least 0.250"
    )
