import dataclasses

import pytest

from kit import cuts
from kit.cuts import TERMS, Cuts
from kit.errors import KitError

WORTH = tuple(range(TERMS))


@pytest.mark.parametrize(
    "fields",
    [
        {"threshold": 0},
        {"threshold": 256},
        {"threshold": 128.5},
        {"threshold": True},
        {"min_worth": -1},
        {"min_worth": float("nan")},
        {"worth": (1.0, 2.0)},
        {"worth": ("1",) * TERMS},
        {"worth": (float("nan"),) * TERMS},
        {"min_presence": float("inf")},
        {"rectangles": 1},
        {"blank": "no"},
    ],
)
def test_what_is_no_cut_is_refused(fields):
    good = dataclasses.asdict(Cuts())
    assert cuts.from_json(good | {"f2": 1}) == Cuts()
    assert cuts.from_json(good | {"worth": list(WORTH)}) == Cuts(worth=WORTH)
    with pytest.raises(KitError, match=[*fields][-1]):
        cuts.from_json(good | fields)
    for name in good:
        with pytest.raises(KeyError, match=f"'{name}'"):
            cuts.from_json({key: value for key, value in good.items() if key != name})


def test_cuts_are_told_in_words():
    assert cuts.describe_cuts(Cuts()) == "threshold 128"
    chosen = Cuts(worth=WORTH, min_worth=0.1, rectangles=True, min_presence=0.25)
    assert cuts.describe_cuts(chosen) == (
        "the outlines worth the most, of at least 0.1, rectangles where they fit, presence of an "
        "object at least 0.250"
    )
