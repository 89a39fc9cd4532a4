"""CSVs to masks and back.

Ordinary variants, every kind of illegal row, other competitions' conventions, and 100,000 mutated
texts.
"""

import dataclasses
import random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.competition import csv_masks, csv_text
from kit.competition.conventions import COMPETITIONS, Competition
from kit.errors import KitError
from kit.masks import dense
from kit.masks import table as masks
from tests.conftest import write_csv
from tests.oracles import read_by_hand

SMALL = Competition(height=10, width=8)


def read(tmp_path, *lines, competition=SMALL, **options):
    return csv_masks.read_csv(write_csv(tmp_path / "truth.csv", *lines, **options), competition)


def pixels(table) -> dict:
    """Pixels of every object of every image."""
    found = {}
    for image, name in enumerate(table.ids):
        found[name] = []
        for item in range(table.objects[image], table.objects[image + 1]):
            runs = range(table.runs[item], table.runs[item + 1])
            found[name].append(
                {
                    p
                    for run in runs
                    for p in range(table.start[run], table.start[run] + table.length[run])
                }
            )
    return found


def test_rows_of_an_image_may_be_apart_and_blank_images_stay(tmp_path):
    table = read(tmp_path, "b.jpg,1 2", "a.jpg,", "b.jpg,5 1 6 2")
    assert table.ids.tolist() == ["b.jpg", "a.jpg"]
    assert masks.count_objects(table).tolist() == [2, 0]
    assert (
        csv_text.format_csv(table) == b"ImageId,EncodedPixels\nb.jpg,1 2\nb.jpg,5 1 6 2\na.jpg,\n"
    )


VARIANTS = {
    "byte order mark": b"\xef\xbb\xbfImageId,EncodedPixels\na.jpg,1 2\n",
    "CRLF": b"ImageId,EncodedPixels\r\na.jpg,1 2\r\n",
    "quotes, no last newline": b'"ImageId","EncodedPixels"\n"a.jpg","1 2"',
    "trailing spaces and lines": b"ImageId,EncodedPixels\na.jpg,1 2  \n\n",
    "spaces after a quote": b'"ImageId",EncodedPixels\n"a.jpg","1 2" \n',
    "other columns": b"EncodedPixels,other,ImageId\n1 2,,a.jpg\n",
    "a comma in another column": b'x,ImageId,EncodedPixels\n"1,\n2",a.jpg,1 2\n',
}


@pytest.mark.parametrize("data", VARIANTS.values(), ids=VARIANTS)
def test_ordinary_variants_of_csv_are_read(tmp_path, data):
    (tmp_path / "truth.csv").write_bytes(data)
    for source in (
        tmp_path / "truth.csv",
        str(tmp_path / "truth.csv"),
        data,
        pd.read_csv(tmp_path / "truth.csv"),
    ):
        assert pixels(csv_masks.read_csv(source, SMALL)) == {"a.jpg": [{0, 1}]}


def test_a_data_frame_is_read_with_its_blanks():
    frame = pd.DataFrame({"ImageId": ["a", "b", "c"], "EncodedPixels": ["1 2", None, np.nan]})
    assert pixels(csv_masks.read_csv(frame, SMALL)) == {"a": [{0, 1}], "b": [], "c": []}
    with pytest.raises(KitError, match=r"DataFrame row 2 \(a\): odd count"):
        csv_masks.read_csv(frame.assign(EncodedPixels="1"), SMALL)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["a.jpg,1 2", "b.jpg,0 3"], ["truth.csv row 3 (b.jpg)", "start below 1"]),
        (["a.jpg,1 x"], ["row 2 (a.jpg)", "not a whole number", "'x'"]),
        (["a.jpg,  1 x "], ["row 2 (a.jpg)", "not a whole number: 'x'"]),
        (["a.jpg,1 2 3"], ["row 2 (a.jpg)", "odd count"]),
        (["a.jpg,80 2"], ["row 2", "past the last pixel"]),
        (
            ["a.jpg,1 18446744073709551617"],
            ["row 2", "number beyond 64 bits: '18446744073709551617'"],
        ),
        (["a.jpg,1 5", "a.jpg,5 1"], ["row 3 (a.jpg)", "overlaps the object in row 2"]),
        (
            ["a.jpg,5 1", "b.jpg,1 1", "a.jpg,1 5"],
            ["row 4 (a.jpg)", "overlaps the object in row 2"],
        ),
        (["a.jpg,1 5", "a.jpg,"], ["row 3 (a.jpg)", "a blank row beside a mask row"]),
        ([",1 5"], ["row 2", "image id is blank"]),
        (["a.jpg"], ["row 2 (a.jpg)", "fewer cells"]),
        (["", "a.jpg,1 2"], ["row 2", "fewer cells"]),
        (["a.jpg,1 2,3"], ["row 2 (a.jpg)", "more cells"]),
        (['"a.jpg"'], ["row 2", "fewer cells"]),
        (['a.jpg,"1 2"3'], ["row 2", "stray quote"]),
        (['a"b.jpg,1 2'], ["row 2", "stray quote"]),
        (['"a.jpg" ,1 2'], ["row 2", "stray quote"]),
        (['a.jpg,"1 2', "b.jpg,1 2"], ["row 2", "quote that is never closed"]),
        (["a.jpg,1 2\rb.jpg,1 2"], ["row 2", "stray carriage return"]),
        (["a.jpg,1 2", "b.jpg,1\0 2"], ["row 3 (b.jpg)", "NUL byte"]),
        (['b.jpg,"1\0 2"'], ["row 2 (b.jpg)", "NUL byte"]),
    ],
)
def test_wrong_rows_are_named_with_file_row_image_and_reason(tmp_path, lines, words):
    with pytest.raises(KitError) as error:
        read(tmp_path, *lines)
    assert all(word in str(error.value) for word in words), error.value
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("ImageId,Pixels", "EncodedPixels is missing"),
        ("ImageId,EncodedPixels,EncodedPixels", "EncodedPixels appears twice"),
    ],
)
def test_wrong_columns_are_named(tmp_path, header, words):
    with pytest.raises(KitError, match=words):
        read(tmp_path, "a.jpg,1 2,3 4"[: 9 if "," not in header[9:] else 13], header=header)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "first line is empty"),
        (b"\n\n", "first line is empty"),
        (b"ImageId\0,EncodedPixels\na.jpg,1 2\n", "row 1: holds a NUL byte"),
        (b"ImageId,EncodedPixels\na.jpg,\n\xff\xfe,1 2\n", "row 3: not UTF-8"),
        ("ImageId,EncodedPixels\na.jpg,1 2\n".encode("utf-16"), "not UTF-8"),
        (b'Image"Id,EncodedPixels\n', "row 1: not the header of a CSV"),
        (b'"ImageId,EncodedPixels\n' + b"a.jpg,1 2\n" * 10**5, "longer than 64 KB"),
    ],
)
def test_no_csv_at_all_is_said(tmp_path, data, words):
    (tmp_path / "truth.csv").write_bytes(data)
    with pytest.raises(KitError, match=rf"truth\.csv.*{words}"):
        csv_masks.read_csv(tmp_path / "truth.csv", SMALL)


def test_a_header_alone_is_a_table_without_images():
    for data in (b"ImageId,EncodedPixels", b"ImageId,EncodedPixels\n\r\n\n"):
        assert len(csv_masks.read_csv(data)) == 0
        with pytest.raises(KitError, match="holds no row"):
            csv_masks.read_ids(data)


def test_every_problem_is_collected_in_a_table(tmp_path):
    path = write_csv(
        tmp_path / "p.csv",
        "a.jpg,1 2",
        "b.jpg,9",
        "c.jpg,5 2 1 2",
        "a.jpg,2 2",
        "d.jpg,",
        "e.jpg,1 1,1",
        ",",
        "a.jpg,",
    )
    table, problems = csv_masks.read_csv(path, SMALL, strict=False)
    assert problems.columns.tolist() == ["kind", "row", "image", "detail"]
    assert problems[["kind", "row", "image"]].values.tolist() == [
        ["odd count of numbers", 3, "b.jpg"],
        ["runs do not ascend or overlap", 4, "c.jpg"],
        ["overlapping objects", 5, "a.jpg"],
        ["more cells than the header", 7, "e.jpg"],
        ["no image id", 8, ""],
        ["blank row beside a mask row", 9, "a.jpg"],
    ]
    assert table.ids.tolist() == ["a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg"]
    assert csv_masks.read_csv(b"ImageId,EncodedPixels\n", strict=False)[1].empty


def test_what_is_left_of_an_illegal_file_is_legal():
    competition, _, header, _ = SIX["tgs-salt"]
    table, problems = csv_masks.read_csv(
        f"{header}\na,1 3\na,9 2\nb,\nb,\n".encode(), competition, strict=False
    )
    assert pixels(table) == {"a": [{0, 1, 2}], "b": []} and problems["row"].tolist() == [3, 5]
    lines = ["a,3 4", "a,9 9", "a,1 5", "a,5 1", "a,30 1", "a,17 2", "a,60 4"]
    table, problems = csv_masks.read_csv(
        "\n".join(["ImageId,EncodedPixels", *lines]).encode(), SMALL, strict=False
    )
    assert masks.overlaps(table) == [] and problems["row"].tolist() == [4, 5, 7]
    assert pixels(table)["a"] == [set(range(8, 17)), set(range(0, 5)), {29}, set(range(59, 63))]


def test_thousands_of_nested_rows_are_judged_at_once():
    """Innermost first: if each pass removed only the outermost row, every row would need a pass."""
    lines = "\n".join(f"a,{place} {768 * 768 - 2 * place}" for place in range(2000, 0, -1))
    table, problems = csv_masks.read_csv(f"ImageId,EncodedPixels\n{lines}\n".encode(), strict=False)
    assert len(problems) == 1999 and masks.areas(table).tolist() == [768 * 768 - 2]


def test_ids_that_need_quotes_survive():
    names = ['a,"b".jpg', "two\nlines.jpg", "é.jpg", " spaces .jpg"]
    table = dense.from_labels(names, [[[1]], [[0]], [[1]], [[1]]])
    assert csv_masks.read_csv(csv_text.format_csv(table), Competition(height=1, width=1)) == table


def test_one_id_written_two_ways_is_one_image():
    table = csv_masks.read_csv(
        b'ImageId,EncodedPixels\n"a""b",1 1\n"a""b",3 1\n"c",1 1\nc,3 1\n', SMALL
    )
    assert table.ids.tolist() == ['a"b', "c"] and masks.count_objects(table).tolist() == [2, 2]


def test_sizes_may_differ_from_image_to_image():
    data = b"ImageId,EncodedPixels\na,4 1\nb,5 1\n"
    table = csv_masks.read_csv(data, COMPETITIONS["dsb2018"], shapes={"a": (2, 2), "b": (2, 3)})
    assert table.shapes.tolist() == [[2, 2], [2, 3]]
    with pytest.raises(KitError, match=r"row 3 \(b\): run past the last pixel"):
        csv_masks.read_csv(data, COMPETITIONS["dsb2018"], shapes={"a": (2, 2), "b": (2, 2)})
    with pytest.raises(KitError, match="image b: its size is not among those given"):
        csv_masks.read_csv(data, COMPETITIONS["dsb2018"], shapes={"a": (2, 2)})
    with pytest.raises(
        KitError,
        match="competition dsb2018: its height is not set, but needed here; give --shape HxW",
    ):
        csv_masks.read_csv(data, COMPETITIONS["dsb2018"])


# Six rows by hand, in the form of each competition's files. Fields that its conventions leave open
# have arbitrary values here.
CLOUDS = dataclasses.replace(COMPETITIONS["clouds"], labels=("Fish", "Flower", "Sugar"))
SIX = {
    "airbus": (
        COMPETITIONS["airbus"],
        False,
        "ImageId,EncodedPixels",
        "a.jpg,1 3\na.jpg,769 2\nb.jpg,\nc.jpg,589824 1\nd.jpg,\ne.jpg,10 2 13 1",
    ),
    "tgs-salt": (
        COMPETITIONS["tgs-salt"],
        False,
        "id,rle_mask",
        "a,1 101\nb,\nc,102 5 10201 1\nd,\ne,1 10201\nf,7 1",
    ),
    "dsb2018": (
        COMPETITIONS["dsb2018"],
        False,
        "ImageId,EncodedPixels",
        "a,1 3\na,5 2\na,9 1\nb,1 1\nb,8 2\nc,4 4 9 1",
    ),
    "severstal": (
        COMPETITIONS["severstal"],
        False,
        "ImageId,ClassId,EncodedPixels",
        "a.jpg,1,1 3\na.jpg,4,2 9\nb.jpg,3,257 2\nc.jpg,2,409600 1\nc.jpg,3,5 5\nd.jpg,1,7 7",
    ),
    "severstal submission": (
        dataclasses.replace(COMPETITIONS["severstal"], labels=("1", "2", "3")),
        True,
        "ImageId_ClassId,EncodedPixels",
        "a.jpg_1,1 3\na.jpg_2,\na.jpg_3,\nb_c.jpg_1,\nb_c.jpg_2,257 2 300 4\nb_c.jpg_3,2 3",
    ),
    "clouds": (
        CLOUDS,
        False,
        "Image_Label,EncodedPixels",
        "a.jpg_Fish,1 3\na.jpg_Flower,\na.jpg_Sugar,2 1400\n"
        "b.jpg_Fish,\nb.jpg_Flower,2940000 1\nb.jpg_Sugar,",
    ),
    "clouds submission": (
        CLOUDS,
        True,
        "Image_Label,EncodedPixels",
        "a.jpg_Fish,1 3\na.jpg_Flower,\na.jpg_Sugar,2 350\n"
        "b.jpg_Fish,\nb.jpg_Flower,183750 1\nb.jpg_Sugar,",
    ),
    "siim-pneumothorax": (
        dataclasses.replace(COMPETITIONS["siim-pneumothorax"], order="down", height=16, width=20),
        False,
        "ImageId,EncodedPixels",
        "a,0 3 5 2\na,3 5\nb,-1\nc,319 1\nd,-1\ne,100 10 6 4 10 1",
    ),
    "contrails": (
        COMPETITIONS["contrails"],
        False,
        "record_id,encoded_pixels",
        "1,1 3\n2,-\n3,65536 1\n4,-\n5,-\n6,9 1 300 20",
    ),
    "across": (
        Competition(
            name="across",
            id_column="Id",
            runs_column="Predicted",
            row="image",
            order="across",
            height=3,
            width=4,
        ),
        False,
        "Id,Predicted",
        "a,1 4\nb,5 3 9 2\nc,\nd,12 1\ne,1 12\nf,2 1 6 1",
    ),
}


@pytest.mark.parametrize("name", SIX)
def test_six_rows_of_a_competition_go_in_and_out_unchanged(name):
    competition, submission, header, lines = SIX[name]
    data = f"{header}\n{lines}\n".encode()
    assert len(lines.splitlines()) == 6
    shapes = {"a": (3, 4), "b": (5, 2), "c": (3, 3)} if name == "dsb2018" else None
    table = csv_masks.read_csv(data, competition, submission=submission, shapes=shapes)
    assert csv_text.format_csv(table, competition, submission=submission) == data
    assert csv_masks.read_ids(data, competition) == list(dict.fromkeys(table.ids))


def test_every_preset_is_tested():
    assert set(COMPETITIONS) <= {name.split(" ")[0] for name in SIX}


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
    assert steel.labels.tolist() == [1, 4, 3, 2, 3, 1] and steel.ids.tolist() == [
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
            csv_masks.read_ids(data, steel, labels=True)


def test_classes_of_one_image_may_overlap():
    competition, _, header, _ = SIX["clouds"]
    table = csv_masks.read_csv(f"{header}\na_Fish,1 5\na_Sugar,3 5\n".encode(), competition)
    assert masks.areas(table).tolist() == [5, 5]


def test_what_a_preset_leaves_open_is_said_and_not_guessed():
    with pytest.raises(KitError, match="competition siim-pneumothorax: its order is not set"):
        csv_masks.read_csv(
            b"ImageId,EncodedPixels\na,0 3\n",
            COMPETITIONS["siim-pneumothorax"],
            shapes={"a": (9, 9)},
        )
    table = csv_masks.read_csv(b"Image_Label,EncodedPixels\na_1,1 3\n", COMPETITIONS["clouds"])
    with pytest.raises(KitError, match="competition clouds: its labels is not set"):
        csv_text.format_csv(table, COMPETITIONS["clouds"])


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


BASE = [
    b"ImageId,EncodedPixels\na.jpg,1 3 10 2\na.jpg,20 5\nb.jpg,\nc.jpg,99 2\n",
    b'\xef\xbb\xbf"ImageId","EncodedPixels"\r\n"a.jpg","5 1 6 2"\r\nb.jpg,"100 1"\r\nc.jpg,',
    b'x,EncodedPixels,ImageId\n"1,\n""2",1 100,d\n,3 4 7 1,e\n,,\xc3\xa9\n',
]
ALPHABET = [bytes([c]) for c in b'0123456789 ,\n\r"-+.x\t\0\xff\xc3']
ALPHABET += [
    b"\r\n",
    b'""',
    b"a.jpg,",
    b"a.jpg,1 3\n",
    b"9223372036854775807 ",
    b"9223372036854775808",
    b"\xef\xbb\xbf",
    b" 1 ",
    b"ImageId",
]


def mutate(data: bytes, rng: random.Random) -> bytes:
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 5))):
        at, kind = rng.randrange(len(data) + 1), rng.randrange(6)
        if kind == 0:
            data = data[:at] + rng.choice(ALPHABET) + data[at:]
        elif kind == 1:
            data = data[:at] + data[at + rng.choice((1, 1, 2, 5)) :]
        elif kind == 2:
            data = data[:at] + rng.choice(ALPHABET) + data[at + 1 :]
        elif kind == 3:  # a line once more, or elsewhere
            lines = data.split(b"\n")
            lines.insert(rng.randrange(len(lines) + 1), rng.choice(lines))
            data = b"\n".join(lines)
        elif kind == 4:  # a number changes
            digits = [place for place, byte in enumerate(data) if 48 <= byte < 58]
            if digits:
                place = rng.choice(digits)
                data = (
                    data[:place]
                    + rng.choice((b"0", b"1", b"9", b"10", b"101", b"-1"))
                    + data[place + 1 :]
                )
        else:
            data = data[:at]
    return data


@pytest.mark.dear
def test_a_hundred_thousand_mutated_texts_never_crash_and_are_never_wrongly_read():
    rng, legal = random.Random(0), 0
    competition = Competition(height=10, width=10)
    for number in range(100_000):
        data = mutate(BASE[number % len(BASE)], rng)
        wanted = read_by_hand(data, 10, 10)
        try:
            table, problems = csv_masks.inspect_submission(data, competition)
        except KitError:
            assert wanted is None, data
            continue
        assert (wanted is None) == bool(problems), (data, problems)
        if wanted is not None:
            legal += 1
            assert pixels(table) == wanted, data
    assert 10_000 < legal < 90_000  # both kinds were there


def test_real_rows_are_written_back_unchanged(airbus):
    text = (airbus / "train_ship_segmentations_v2.csv").read_bytes()
    table = csv_masks.read_csv(text)
    lines = text.splitlines()
    assert sorted(csv_text.format_csv(table).splitlines()[1:]) == sorted(lines[1:])
    assert len(table) == 971 and len(table.labels) == 3298
