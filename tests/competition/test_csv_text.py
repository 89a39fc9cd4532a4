"""Masks to the text of a CSV; tests/competition/test_csv_masks.py reads such texts back."""

import dataclasses

import numpy as np
import pytest

from kit.competition import csv_masks, csv_text
from kit.competition.catalog import COMPETITIONS
from kit.errors import KitError
from kit.masks import dense
from kit.masks import table as masks


def test_masks_of_one_row_are_joined_when_written():
    two = np.zeros((2, 101, 101), bool)
    two[0, :5, :5] = two[1, 4:9, 4:9] = two[1, 60, 60] = True
    salt = COMPETITIONS["tgs-salt"]
    back = csv_masks.read_csv(
        csv_text.format_csv(dense.from_masks(["a", "b"], [two, two[:0]]), salt), salt
    )
    assert np.array_equal(dense.to_masks(back, 0), two.any(0)[None]) and masks.count_objects(
        back
    ).tolist() == [1, 0]
    steel = dataclasses.replace(COMPETITIONS["severstal"], labels=("1", "2"), height=101, width=101)
    text = csv_text.format_csv(
        dense.from_masks(["a"], [two], [[1, 0]]), steel, submission=True
    ).decode()
    assert text.splitlines()[1].startswith("a_1,409 5 510 5 ") and text.splitlines()[2].startswith(
        "a_2,1 5 102 5 "
    )  # by label


@pytest.mark.parametrize("label", [-1, 2])
def test_an_unknown_label_is_not_written(label):
    table = dense.from_masks(["a"], [np.ones((1, 350, 525), bool)], [[label]])
    for submission in (False, True):
        with pytest.raises(KitError, match=f"label {label} is not one of the competition's: 1, 2"):
            csv_text.format_csv(
                table,
                dataclasses.replace(COMPETITIONS["severstal"], labels=("1", "2")),
                submission=submission,
            )
