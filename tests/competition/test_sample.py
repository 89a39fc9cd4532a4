import pytest

from kit.competition.catalog import COMPETITIONS
from kit.competition.conventions import Competition
from kit.competition.keys import Key, read_keys
from kit.competition.sample import read_sample
from kit.errors import KitError
from kit.submission.csv_file import check_csv

LABELED = Competition(
    name="labeled",
    id_column="id",
    label_column="class",
    labels=("large", "small", "stomach"),
    runs_column="predicted",
    row="image and label",
    height=9,
    width=9,
)
SAMPLE = b"id,class,predicted\na,large,\na,small,\na,stomach,\nb,small,\n"


def problems(data, sample, competition=LABELED):
    found = check_csv(data, sample, competition=competition, shape=(9, 9))[0]
    return [(problem.kind, problem.row, problem.image) for problem in found]


def test_the_columns_are_exactly_the_samples():
    sample = b"ImageId,EncodedPixels\na.jpg,1 2\nb.jpg,1 2\n"
    written_with_index = b",ImageId,EncodedPixels\n0,a.jpg,1 10\n1,b.jpg,\n"
    assert problems(written_with_index, sample, "airbus") == [("column not in the sample", 1, "")]
    report = check_csv(written_with_index, sample, shape=(9, 9))[1]
    assert "CSV: 1 problem; Kaggle" in report and "with pandas write index=False" in report
    more = b"ImageId,EncodedPixels,score\na.jpg,1 3,0.5\nb.jpg,,\n"
    assert problems(more, sample, "airbus") == [("column not in the sample", 1, "score")]
    assert problems(sample, more, "airbus") == [("column missing", 1, "score")]
    twice = b"ImageId,EncodedPixels,score,score\na.jpg,1 3,,\nb.jpg,,,\n"
    assert problems(twice, more, "airbus") == [("column not in the sample", 1, "score")]
    assert problems(b"EncodedPixels, ImageId\n1 3,a.jpg\n,b.jpg\n", sample, "airbus") == []


def test_every_row_of_the_sample_is_there_and_no_other():
    assert problems(SAMPLE, SAMPLE) == []
    one = b"id,class,predicted\na,large,1 3\n"
    assert problems(one, SAMPLE) == [
        ("image and label missing", 0, "a,small"),
        ("image and label missing", 0, "a,stomach"),
        ("image and label missing", 0, "b,small"),
    ]
    more = SAMPLE + b"b,large,\nc,small,\n"
    assert problems(more, SAMPLE) == [
        ("image and label not in the sample", 0, "b,large"),
        ("image and label not in the sample", 0, "c,small"),
    ]
    assert problems(SAMPLE + b"b,small,\n", SAMPLE) == [
        ("second row of one image and label", 6, "b")
    ]


def test_keys_are_the_same_in_one_column_or_two():
    steel = COMPETITIONS["severstal"]
    joined = read_keys(b"ImageId_ClassId,EncodedPixels\na_b.jpg_1,\na_b.jpg_1,\nc_4,1 2\n", steel)
    apart = read_keys(b"ImageId,ClassId,EncodedPixels\na_b.jpg,1,\na_b.jpg,1,\nc,4,1 2\n", steel)
    assert joined[0] == apart[0] == [Key("a_b.jpg", "1"), Key("c", "4")]
    assert joined[1] == ["ImageId_ClassId", "EncodedPixels"]
    assert [key.spell(steel) for key in joined[0]] == ["a_b.jpg_1", "c_4"]


def test_a_sample_decides_what_its_competition_leaves_open():
    joined = b"Image_Label,EncodedPixels\na.jpg_Fish,1 1\na.jpg_Sugar,1 1\n"
    found = read_sample(
        joined, Competition(id_column="Image_Label", label_separator="_", row="image and label")
    )
    assert found.competition.labels == ("Fish", "Sugar") and found.ids == ["a.jpg"]
    numbered = Competition(id_column="Image_Label", label_separator="_")
    numbers = b"Image_Label,EncodedPixels\na.jpg_0,1 1\n"
    assert read_sample(numbers, numbered).competition == numbered
    apart = Competition(id_column="id", label_column="class", runs_column="predicted")
    with pytest.raises(KitError, match="CSV row 3: unknown label ''$"):
        read_sample(b"id,class,predicted\na,Fish,\na,,\n", apart)
    with pytest.raises(KitError, match="CSV: its labels cannot be taken: .*printable"):
        read_sample("id,class,predicted\na,Fi\u200bsh,\n".encode(), apart)
