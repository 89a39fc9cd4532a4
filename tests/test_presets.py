import pytest

import kit
from kit.errors import KitError
from kit.presets import PRESETS
from kit.settings import TrainSettings, choose_training


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_legal_and_changes_something(name):
    plain, found = choose_training(), choose_training(name)
    assert plain == TrainSettings() and found.preset == name
    assert all(
        getattr(found, field) == value != getattr(plain, field)
        for field, value in PRESETS[name].items()
    )


def test_an_unknown_preset_is_named():
    with pytest.raises(KitError, match="--preset gpu-week: choose one of cpu-hour"):
        choose_training("gpu-week")


def test_a_competition_is_not_a_preset():
    with pytest.raises(
        KitError,
        match=r"preset 'severstal': choose one of cpu-hour, .*; "
        r"competitions are in kit\.COMPETITIONS",
    ):
        kit.PRESETS["severstal"]
    assert kit.COMPETITIONS["severstal"].score == "dice" and kit.PRESETS is PRESETS
