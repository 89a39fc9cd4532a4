import numpy as np
import pytest

from kit.errors import KitError
from kit.settings import TrainSettings


@pytest.mark.parametrize(
    "values",
    [
        {"batch": np.int64(4)},
        {"max_hours": 1},
        {"max_hours": None},
        {"fold": None},
        {"filters": (9, 8, 7, 6, 5)},
    ],
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
        ({"filters": {8}}, "--filters .*: expected tuple"),
        ({"filters": ()}, "--filters : give five whole numbers"),
        ({"filters": (8, 8, 8, 8, 0)}, "--filters 8,8,8,8,0: give five whole numbers"),
        ({"learning_rate": float("nan")}, "must be a finite number"),
    ],
)
def test_other_values_are_named(values, words):
    with pytest.raises(KitError, match=words):
        TrainSettings(**values)


def test_a_list_is_the_tuple_that_is_meant():
    assert TrainSettings(loss=["dice"], filters=[9, 8, 7, 6, 5]) == TrainSettings(
        loss=("dice",), filters=(9, 8, 7, 6, 5)
    )


def test_none_is_a_word_too():
    assert TrainSettings(encoder_weights="none", crop="none") == TrainSettings(
        encoder_weights=None, crop=None
    )
    with pytest.raises(KitError, match="--batch none"):
        TrainSettings(batch="none")
