"""Six rows by hand in the form of each competition's files go in and out unchanged."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.competition import csv_masks, csv_text, keys
from kit.competition.catalog import COMPETITIONS
from kit.competition.conventions import Competition
from kit.errors import KitError
from kit.masks import dense
from kit.masks import table as masks
from tests.competition.conftest import SIX, pixels


@pytest.mark.parametrize("name", SIX)
def test_six_rows_of_a_competition_go_in_and_out_unchanged(name):
    competition, submission, header, lines = SIX[name]
    data = f"{header}\n{lines}\n".encode()
    assert len(lines.splitlines()) == 6
    shapes = {"a": (3, 4), "b": (5, 2), "c": (3, 3)} if name == "dsb2018" else None
    table = csv_masks.read_csv(data, competition, submission=submission, shapes=shapes)
    assert csv_text.format_csv(table, competition, submission=submission) == data
    assert keys.read_ids(data, competition) == list(dict.fromkeys(table.ids))


def test_what_the_six_rows_mean():
    def table(name):
        competition, submission, header, lines = SIX[name]
        return csv_masks.read_csv(
            f"{header}\n{lines}\n".encode(), competition, submission=submission
        )

    salt = table("tgs-salt")
    assert (
        np.argwhere(dense.to_labels(salt, 2)).tolist()[0] == [0, 1]
        and dense.to_labels(salt, 0)[:, 0].all()
    )  # down the columns
    steel = table("severstal")
    assert steel.labels.tolist() == [0, 3, 2, 1, 2, 0] and steel.ids.tolist() == [
        "a.jpg",
        "b.jpg",
        "c.jpg",
        "d.jpg",
    ]
    assert table("severstal submission").labels.tolist() == [0, 1, 2]
    assert (
        table("clouds submission").shapes.tolist() == [[350, 525]] * 2
        and table("clouds").shapes.tolist() == [[1400, 2100]] * 2
    )
    lungs = table("siim-pneumothorax")
    assert pixels(lungs)["a"] == [{0, 1, 2, 8, 9}, {3, 4, 5, 6, 7}] and pixels(lungs)["b"] == []
    across = table("across")
    assert dense.to_labels(across, 1).tolist() == [[0, 0, 0, 0], [1, 1, 1, 0], [1, 1, 0, 0]]
    assert dense.to_labels(across, 5).tolist() == [[0, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize(
    ("name", "lines", "words"),
    [
        ("tgs-salt", "a,1 3\na,9 2", "row 3 (a): a second row of one image"),
        ("severstal", "a,1,1 3\na,1,9 2", "row 3 (a): a second row of one image and label"),
        ("severstal", "a,x,1 3", "row 2 (a): unknown label 'x'"),
        ("severstal", "a,-1,1 3", "row 2 (a): unknown label '-1'"),
        ("clouds", "a_Fish,1 3\na_Cat,9 2", "row 3 (a): unknown label 'Cat'"),
        ("clouds", "aFish,1 3", "row 2: the image id is blank"),
        ("contrails", "a,\n", "row 2 (a): empty cell"),
        ("contrails", "a,-1", "row 2 (a): start below 1 (starts are 1-based)"),
        ("siim-pneumothorax", "a,-1\na,5 5", "row 2 (a): a blank row beside a mask row"),
        ("siim-pneumothorax", "a,5 -5", "row 2 (a): length below 1"),
        ("siim-pneumothorax", "a,-5 5", "row 2 (a): start below 0 (starts are relative)"),
        ("siim-pneumothorax", "a,300 20 0 1", "row 2 (a): run past the last pixel"),
        ("across", "a,5 1 1 1", "row 2 (a): runs do not ascend"),
    ],
)
def test_what_other_competitions_do_not_allow_is_named(name, lines, words):
    competition, _, header, _ = SIX[name]
    with pytest.raises(KitError) as error:
        csv_masks.read_csv(f"{header}\n{lines}\n".encode(), competition)
    assert words in str(error.value)


def test_a_damaged_sample_with_labels_is_refused():
    steel = COMPETITIONS["severstal"]
    for data in (b"ImageId_ClassId,EncodedPixels\n", b"ImageId_ClassId,EncodedPixels\na_1,\nb_"):
        with pytest.raises(KitError, match="holds no row|fewer cells"):
            keys.read_ids(data, steel)


def test_classes_of_one_image_may_overlap():
    competition, _, header, _ = SIX["clouds"]
    table = csv_masks.read_csv(f"{header}\na_Fish,1 5\na_Sugar,3 5\n".encode(), competition)
    assert masks.areas(table).tolist() == [5, 5]


def test_what_a_preset_leaves_open_is_said_and_not_guessed():
    unordered = dataclasses.replace(COMPETITIONS["siim-pneumothorax"], order="")
    with pytest.raises(KitError, match="competition siim-pneumothorax: its order is not set"):
        csv_masks.read_csv(b"ImageId,EncodedPixels\na,0 3\n", unordered)
    numbered = dataclasses.replace(COMPETITIONS["clouds"], labels=())
    table = csv_masks.read_csv(b"Image_Label,EncodedPixels\na_1,1 3\n", numbered)
    with pytest.raises(KitError, match="competition clouds: its labels is not set"):
        csv_text.format_csv(table, numbered)


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(1, 4), st.integers(1, 4)), max_size=5),
    st.booleans(),
)
def test_across_is_down_of_the_transposed_image(boxes, relative):
    image = np.zeros((6, 9), np.int32)
    for number, (at, height, width) in enumerate(boxes):
        image[at : at + height, at : at + width] = number + 1
    down = Competition(height=9, width=6, relative=relative)
    across = Competition(height=6, width=9, order="across", relative=relative)
    text = csv_text.format_csv(dense.from_labels(["a"], [image]), across)
    turned = dense.to_labels(csv_masks.read_csv(text, down), 0).T
    assert np.array_equal(turned > 0, image > 0)
    assert np.array_equal(
        dense.to_labels(csv_masks.read_csv(text, across), 0),
        dense.to_labels(dense.from_labels(["a"], [image]), 0),
    )
