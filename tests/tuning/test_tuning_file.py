import dataclasses
import json

import pytest

from kit.cuts import Cuts
from kit.errors import KitError
from kit.settings import TuneSettings
from kit.tuning.tuning_file import describe_tuning, read_tuning

FIELDS = {
    **dataclasses.asdict(Cuts(153, rectangles=True)),
    "empty_share": 0.5,
    "f2": 0.7,
    "f2_low": 0.6,
    "f2_high": 0.8,
    "f2_plain": 0.65,
}
FIELDS |= {"f2_blank": 0.5, "tta": 4, "scale": 2, "seed": 3}
FIELDS |= {"models": [{"name": "one", "weights": "ab", "fold": 0}]}


def write(folder, fields):
    (folder / "tuning.json").write_text(json.dumps(fields))
    return folder / "tuning.json"


def test_what_was_chosen_and_how_is_read_back(tmp_path):
    saved = read_tuning(write(tmp_path, FIELDS))
    assert saved.cuts == Cuts(153, rectangles=True)
    assert saved.settings == TuneSettings(empty_share=0.5, tta=4, scale=2, seed=3)
    assert saved.figures["f2_low"] == 0.6 and saved.models == [{"name": "one", "weights": "ab"}]
    alone = read_tuning(write(tmp_path, dataclasses.asdict(Cuts())))  # by hand
    assert (alone.cuts, alone.settings, alone.figures, alone.models) == (
        Cuts(),
        TuneSettings(),
        {},
        [],
    )


@pytest.mark.parametrize(
    "change",
    [
        {"threshold": 0},
        {"worth": [1.0, 2.0]},
        {"models": 3},
        {"models": [{}]},
        {"tta": 3},
        {"f2": 2},
        {"f2": "x"},
    ],
)
def test_what_kit_tune_did_not_write_is_refused_with_the_way_out(tmp_path, change):
    with pytest.raises(KitError, match=r"tuning\.json: .*tune again"):
        read_tuning(write(tmp_path, FIELDS | change))
    with pytest.raises(KitError, match=r"tuning\.json: not written by kit tune \('threshold'\)"):
        read_tuning(
            write(tmp_path, {name: value for name, value in FIELDS.items() if name != "threshold"})
        )


def test_it_is_told_in_three_lines():
    assert describe_tuning(FIELDS).splitlines() == [
        "threshold 153, rectangles where they fit",
        "object F2 at 50.0% empty images: 0.700 (95% interval 0.600 to 0.800; "
        "cuts chosen on some scenes, scored on the others)",
        "threshold 128 alone 0.650, blank submission 0.500",
    ]
