import numpy as np
import pytest

from kit.masks import dense
from kit.scoring import groups
from kit.scoring.counts import count
from tests.scoring.test_counts import bars, count_labels


def test_splits_by_count_and_area():
    images = [bars(), bars(5), bars(20, 20), bars(*[20] * 7)]
    found = [bars(3), bars(5), bars(20, 8), bars(*[20] * 7)]
    names = list("abcd")
    counts = count(dense.from_labels(names, images), dense.from_labels(names, found))
    half = 5 / 10  # one of two found, one false alarm
    rows = groups.split_by_count(counts)
    assert [(row["objects"], row["images"], row["f2"]) for row in rows] == [
        ("0", 1, 0.0),
        ("1", 1, 1.0),
        ("2", 1, pytest.approx(half)),
        ("3-5", 0, None),
        ("6+", 1, 1.0),
    ]
    parts = groups.split_by_area(counts)
    assert [(row["area"], row["objects"], row["predicted"]) for row in parts] == [
        ("<100", 10, 11),
        ("<500", 0, 0),
        ("<5,000", 0, 0),
        ("more", 0, 0),
    ]
    assert parts[0]["f2"] == pytest.approx(5 * 9 / (5 * 9 + 4 * 1 + 2)) and parts[1]["f2"] is None


def test_an_object_counts_in_the_part_of_its_own_area():
    truth, prediction = np.zeros((60, 60), int), np.zeros((60, 60), int)
    truth[:10, :9] = 1  # 90 px, found as 110
    prediction[:10, :11] = 1
    prediction[30:55, 30:55] = 2  # 625 px, a false alarm
    small, middle, large, _ = groups.split_by_area(count_labels(truth, prediction))
    assert (small["objects"], middle["predicted"], large["predicted"]) == (1, 1, 1)
    # IoU 90/110 = 0.818 is above seven thresholds. At the other three the ship is a miss among the
    # small ones and a false alarm in the middle.
    assert [small["f2"], middle["f2"], large["f2"]] == pytest.approx([0.7, 0.7, 0])


@pytest.mark.parametrize(
    ("count_", "objects"), [(1, "1"), (2, "2"), (3, "3-5"), (5, "3-5"), (6, "6+"), (7, "6+")]
)
def test_edges_of_the_counts(count_, objects):
    found = groups.split_by_count(count_labels(bars(*[5] * count_), bars()))
    assert [row["objects"] for row in found if row["images"]] == [objects]


@pytest.mark.parametrize(
    ("area", "part"),
    [(99, "<100"), (100, "<500"), (499, "<500"), (500, "<5,000"), (4999, "<5,000"), (5000, "more")],
)
def test_edges_of_the_areas(area, part):
    image = np.zeros((1, 6000), int)
    image[0, :area] = 1
    assert [
        row["area"]
        for row in groups.split_by_area(count_labels(image, 0 * image))
        if row["objects"]
    ] == [part]
