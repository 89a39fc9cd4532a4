import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from kit import masks
from kit.competition import Competition
from kit.errors import KitError

from .conftest import write_csv
from .test_rle import encode_by_hand

labels = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9).flatmap(
    lambda shape: arrays(np.int32, shape, elements=st.integers(0, 3))
)
SMALL = Competition(height=10, width=8)


def read(tmp_path, *rows, competition=SMALL, **options):
    return masks.read_csv(write_csv(tmp_path / "truth.csv", *rows, **options), competition)


@given(labels)
def test_labels_to_runs_and_back(image):
    table = masks.from_labels(["a"], [image])
    back = masks.decode(table, 0)
    values = [value for value in dict.fromkeys(image.T.ravel().tolist()) if value]  # by first pixel, column by column
    assert back.shape == image.shape
    for number, value in enumerate(values):
        assert np.array_equal(back == number + 1, image == value)
    assert [text for _, text in masks.rows(table)] == ([encode_by_hand(image == value) for value in values] or [""])
    assert masks.areas(table).tolist() == [(image == value).sum() for value in values]


@given(st.lists(labels, max_size=4))
def test_boxes_select_and_concatenate_agree_with_dense_masks(images):
    names = [f"{place}.jpg" for place in range(len(images))]
    table = masks.from_labels(names, images)
    for place in range(len(images)):
        one = masks.select(table, [place])
        dense = masks.decode(one, 0)
        assert np.array_equal(dense, masks.decode(table, place))
        for number, box in enumerate(masks.boxes(one)):
            rows, columns = np.where(dense == number + 1)
            assert box.tolist() == [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]
    assert masks.concatenate([masks.select(table, [place]) for place in range(len(images))]) == table
    backwards = masks.select_ids(table, names[::-1])
    assert masks.select_ids(backwards, names) == table
    kept = masks.select_objects(table, masks.areas(table) >= 3)
    assert masks.areas(kept).tolist() == [area for area in masks.areas(table) if area >= 3]
    assert len(kept) == len(table)


def test_rows_of_an_image_may_be_apart_and_blank_images_stay(tmp_path):
    table = read(tmp_path, "b.jpg,1 2", "a.jpg,", "b.jpg,5 1 6 2")
    assert table.ids.tolist() == ["b.jpg", "a.jpg"]
    assert masks.count_objects(table).tolist() == [2, 0]
    assert list(masks.rows(table)) == [("b.jpg", "1 2"), ("b.jpg", "5 1 6 2"), ("a.jpg", "")]


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbfImageId,EncodedPixels\na.jpg,1 2\n",
        b"ImageId,EncodedPixels\r\na.jpg,1 2\r\n",
        b'"ImageId","EncodedPixels"\n"a.jpg","1 2"',
        b"ImageId,EncodedPixels\na.jpg,1 2  \n\n",
        b"EncodedPixels,other,ImageId\n1 2,,a.jpg\n",
    ],
    ids=["byte order mark", "CRLF", "quotes, no last newline", "trailing spaces", "other columns"],
)
def test_ordinary_variants_of_csv_are_read(tmp_path, data):
    (tmp_path / "truth.csv").write_bytes(data)
    assert list(masks.rows(masks.read_csv(tmp_path / "truth.csv", SMALL))) == [("a.jpg", "1 2")]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["a.jpg,1 2", "b.jpg,0 3"], ["truth.csv row 3 (b.jpg)", "start below 1"]),
        (["a.jpg,1 x"], ["row 2 (a.jpg)", "not a whole number", "'x'"]),
        (["a.jpg,80 2"], ["row 2", "past the last pixel"]),
        (["a.jpg,1 5", "a.jpg,5 1"], ["row 3 (a.jpg)", "overlaps the object in row 2"]),
        (["a.jpg,1 5", "a.jpg,"], ["row 3 (a.jpg)", "a blank row beside a mask row"]),
        ([",1 5"], ["row 2", "image id is blank"]),
        (["a.jpg"], ["row 2", "fewer cells"]),
        (["a.jpg,1 2,3"], ["not a CSV"]),
        (['"a.jpg"'], ["row 2", "fewer cells"]),
    ],
)
def test_wrong_rows_are_named_with_file_row_image_and_reason(tmp_path, rows, words):
    with pytest.raises(KitError) as error:
        read(tmp_path, *rows)
    assert all(word in str(error.value) for word in words), error.value
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("header", "words"),
    [("ImageId,Pixels", "EncodedPixels is missing"), ("ImageId,EncodedPixels,EncodedPixels", "EncodedPixels is there twice")],
)
def test_wrong_columns_are_named(tmp_path, header, words):
    with pytest.raises(KitError, match=words):
        read(tmp_path, "a.jpg,1 2,3 4"[: 9 if "," not in header[9:] else 13], header=header)


@pytest.mark.parametrize("data", [b"", b"\n\n", b"ImageId,EncodedPixels\na.jpg,1\0 2\n", b"ImageId,EncodedPixels\n\xff\xfe,1 2\n"])
def test_no_csv_at_all_is_said(tmp_path, data):
    (tmp_path / "truth.csv").write_bytes(data)
    with pytest.raises(KitError, match=r"truth\.csv"):
        masks.read_csv(tmp_path / "truth.csv", SMALL)


def test_a_row_cut_in_a_wide_csv_is_named(tmp_path):
    with pytest.raises(KitError, match=r"row 3: has fewer cells"):
        read(tmp_path, "a.jpg,x,1 2", "b.jpg,x", header="ImageId,other,EncodedPixels")


def test_a_sample_without_rows_is_an_error(tmp_path):
    with pytest.raises(KitError, match="holds no row"):
        masks.read_ids(write_csv(tmp_path / "sample.csv"))


def test_every_problem_is_collected(tmp_path):
    path = write_csv(tmp_path / "p.csv", "a.jpg,1 2", "b.jpg,9", "c.jpg,5 2 1 2", "a.jpg,2 2", "d.jpg,")
    table, problems = masks.inspect_csv(path, SMALL)
    assert sorted(problem.kind for problem in problems) == ["odd count of numbers", "overlapping objects", "runs do not ascend or overlap"]
    assert table.ids.tolist() == ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]


@given(st.lists(st.tuples(st.integers(0, 29), st.integers(1, 8)), max_size=8))
def test_overlaps_are_found_whenever_two_objects_share_a_pixel(spans):
    start, length = (np.array([span[side] for span in spans], np.int32) for side in (0, 1))
    one_each = np.arange(len(spans) + 1)
    shapes = np.array([[10, 10]], np.int32)
    table = masks.Masks(np.array(["a"], object), shapes, np.array([0, len(spans)]), np.zeros(len(spans), np.int32), one_each, start, length)
    taken = [set(range(begin, begin + size)) for begin, size in spans]
    shared = {(a, b) for a in range(len(spans)) for b in range(a) if taken[a] & taken[b]}
    named = {place for pair in masks.overlaps(table) for place in pair}
    assert bool(named) == bool(shared)
    assert named <= {place for pair in shared for place in pair}


def test_real_rows_are_written_back_unchanged(airbus):
    table = masks.read_csv(airbus / "train_ship_segmentations_v2.csv")
    lines = (airbus / "train_ship_segmentations_v2.csv").read_text().splitlines()
    assert sorted(f"{name},{text}" for name, text in masks.rows(table)) == sorted(lines[1:])
    assert len(table) == 971 and len(table.labels) == 3298
