import numpy as np
import pytest

from kit.errors import KitError
from kit.presets import RECIPES
from kit.settings import PackSettings, PracticeSettings, TrainSettings, TuneSettings, choose_training


@pytest.mark.parametrize("cls", [PackSettings, PracticeSettings, TrainSettings, TuneSettings])
def test_defaults_are_legal(cls):
    assert cls() == cls()


@pytest.mark.parametrize(
    "values", [{"batch": np.int64(4)}, {"max_hours": 1}, {"max_hours": None}, {"fold": None}, {"decoder": (9, 8, 7, 6, 5)}]
)
def test_values_of_the_right_kind_are_taken(values):
    found = TrainSettings(**values)
    assert all(getattr(found, name) == value for name, value in values.items())


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"batch": "8"}, "--batch 8: expected int"),
        ({"batch": 8.0}, "--batch 8.0: expected int"),
        ({"batch": True}, "--batch True: expected int"),
        ({"learning_rate": "fast"}, "--learning-rate fast: expected float"),
        ({"encoder": 18}, "--encoder 18: expected str"),
        ({"epochs": None}, "--epochs None: expected int"),
        ({"decoder": {8}}, "--decoder .*: expected tuple"),
        ({"decoder": ()}, "--decoder : give five whole numbers"),
        ({"decoder": (8, 8, 8, 8, 0)}, "--decoder 8,8,8,8,0: give five whole numbers"),
        ({"learning_rate": float("nan")}, "must be a finite number"),
    ],
)
def test_other_values_are_named(values, words):
    with pytest.raises(KitError, match=words):
        TrainSettings(**values)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_legal_and_changes_something(name):
    plain, found = choose_training(), choose_training(name)
    assert plain == TrainSettings() and found.preset == name
    assert all(getattr(found, field) == value != getattr(plain, field) for field, value in RECIPES[name].items())


def test_an_unknown_preset_is_named():
    with pytest.raises(KitError, match="--preset gpu-week: choose one of cpu-hour"):
        choose_training("gpu-week")


def test_a_list_is_the_tuple_that_is_meant():
    assert TuneSettings(options=["size", "gate"]) == TuneSettings(options=("size", "gate"))
    assert TrainSettings(loss=["dice"], decoder=[9, 8, 7, 6, 5]) == TrainSettings(loss=("dice",), decoder=(9, 8, 7, 6, 5))


def test_none_is_a_word_too():
    assert TrainSettings(encoder_weights="none", crop="none") == TrainSettings(encoder_weights=None, crop=None)
    with pytest.raises(KitError, match="--batch none"):
        TrainSettings(batch="none")
