import pytest

from kit.errors import KitError
from kit.presets import RECIPES
from kit.settings import TrainSettings, choose_training


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_legal_and_changes_something(name):
    plain, found = choose_training(), choose_training(name)
    assert plain == TrainSettings() and found.preset == name
    assert all(getattr(found, field) == value != getattr(plain, field) for field, value in RECIPES[name].items())


def test_an_unknown_preset_is_named():
    with pytest.raises(KitError, match="--preset gpu-week: choose one of cpu-hour"):
        choose_training("gpu-week")
