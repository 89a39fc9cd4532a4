import dataclasses

import numpy as np
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
    chosen = Cuts(153, 100, 77, min_area=30, min_confidence=0.6, rectangles=True, min_fit=0.5)
    text = cuts.describe_cuts(dataclasses.replace(chosen, min_presence=0.25))
    assert text == (
        "threshold 153, 77 for components below 100 px, at least 30 px, mean probability at least "
        "0.6, rectangles where their soft IoU is at least 0.5, presence of an object at least 0.250"
    )


@pytest.mark.parametrize("name", cuts.COMPONENT_CUTS)
def test_a_cut_drops_what_is_below_it_and_the_first_value_tried_drops_nothing(name):
    cut = cuts.COMPONENT_CUTS[name]
    least = cut["tried"][2] * cut.get("scale", 1)
    columns = {cut["column"]: np.array([0.0, np.nextafter(least, 0), least, 2 * least])}
    assert cuts.keep(columns.__getitem__, **{name: cut["tried"][2]}).tolist() == [
        False,
        False,
        True,
        True,
    ]
    assert cuts.keep({}.__getitem__, **{name: cut["tried"][0]}) is True
    assert list(cut["tried"]) == sorted(cut["tried"]) and getattr(Cuts(), name) == cut["tried"][0]
    assert cut["title"] and name in cut["words"] and Cuts(**{name: cut["tried"][-1]})
