"""CSVs to masks and back: ordinary variants, and every kind of illegal row."""

import numpy as np
import pandas as pd
import pytest

from kit.competition import csv_masks, csv_text, keys
from kit.competition.catalog import COMPETITIONS
from kit.competition.conventions import Competition
from kit.errors import KitError
from kit.masks import dense
from kit.masks import table as masks
from tests.competition.conftest import SIX, pixels
from tests.conftest import write_csv

SMALL = Competition(height=10, width=8)


def read(tmp_path, *lines, competition=SMALL, **options):
    return csv_masks.read_csv(write_csv(tmp_path / "truth.csv", *lines, **options), competition)


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
            keys.read_ids(data)


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


def test_real_rows_are_written_back_unchanged(airbus):
    text = (airbus / "train_ship_segmentations_v2.csv").read_bytes()
    table = csv_masks.read_csv(text)
    lines = text.splitlines()
    assert sorted(csv_text.format_csv(table).splitlines()[1:]) == sorted(lines[1:])
    assert len(table) == 971 and len(table.labels) == 3298
