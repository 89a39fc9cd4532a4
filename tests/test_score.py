import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kit import masks, score
from kit.competition import Competition
from kit.errors import KitError

from .conftest import write_csv

SMALL = Competition(height=10, width=10)
label_images = arrays(np.int32, (6, 7), elements=st.integers(0, 4))


def count_by_hand(truth: np.ndarray, prediction: np.ndarray):
    """The slow oracle on two label images, in exact fractions: (tp, fp, fn), each of ten thresholds."""
    from fractions import Fraction

    a = [truth == value for value in np.unique(truth) if value]
    b = [prediction == value for value in np.unique(prediction) if value]
    ious = [[Fraction(int((x & y).sum()), int((x | y).sum())) for y in b] for x in a]
    tp = [sum(any(iou > Fraction(level, 20) for iou in row) for row in ious) for level in range(10, 20)]
    return tp, [len(b) - hits for hits in tp], [len(a) - hits for hits in tp]


@given(label_images, label_images)
def test_counts_agree_with_a_dense_loop(truth, prediction):
    counts = score.count(masks.from_labels(["a"], [truth]), masks.from_labels(["a"], [prediction]))
    assert (counts.tp[0].tolist(), counts.fp[0].tolist(), counts.fn[0].tolist()) == count_by_hand(truth, prediction)
    assert counts.pixels[0].tolist() == [((truth > 0) & (prediction > 0)).sum(), (truth > 0).sum(), (prediction > 0).sum()]


@given(label_images, label_images)
def test_flips_and_turns_of_both_sides_change_nothing(truth, prediction):
    plain = score.count(masks.from_labels(["a"], [truth]), masks.from_labels(["a"], [prediction]))
    for change in (np.fliplr, np.flipud, np.rot90):
        other = score.count(masks.from_labels(["a"], [change(truth)]), masks.from_labels(["a"], [change(prediction)]))
        assert np.array_equal(plain.tp, other.tp) and np.array_equal(plain.pixels, other.pixels)


def row(value: int, size: int) -> np.ndarray:
    image = np.zeros((1, 100), np.int32)
    image[0, :size] = value
    return image


@pytest.mark.parametrize("k", range(10, 20))
def test_iou_of_exactly_the_threshold_is_no_hit(k):
    counts = score.count(masks.from_labels(["a"], [row(1, 20)]), masks.from_labels(["a"], [row(1, k)]))
    assert counts.tp[0].tolist() == [1 if level < k else 0 for level in range(10, 20)]


def test_one_hit_and_two_false_alarms_is_five_sevenths():
    truth, prediction = np.zeros((9, 9), int), np.zeros((9, 9), int)
    truth[0, :4] = prediction[0, :4] = 1
    prediction[4, 4], prediction[8, 8] = 2, 3
    counts = score.count(masks.from_labels(["a"], [truth]), masks.from_labels(["a"], [prediction]))
    assert score.f2(counts)[0] == pytest.approx(5 / 7)  # 0.385 with false alarms and misses swapped
    swapped = score.count(masks.from_labels(["a"], [prediction]), masks.from_labels(["a"], [truth]))
    assert score.f2(swapped)[0] == pytest.approx(5 / 13)


def test_empty_images_score_one_or_nothing():
    nothing, something = np.zeros((3, 3), int), np.eye(3, dtype=int)
    for truth, prediction, expected in ((nothing, nothing, 1), (nothing, something, 0), (something, nothing, 0)):
        counts = score.count(masks.from_labels(["a"], [truth]), masks.from_labels(["a"], [prediction]))
        assert score.f2(counts).tolist() == [expected]


def test_touching_ships_stay_two():
    truth = np.array([[1, 1, 2, 2]] * 4)
    one = score.count(masks.from_labels(["a"], [truth]), masks.from_labels(["a"], [truth > 0]))
    two = score.count(masks.from_labels(["a"], [truth]), masks.from_labels(["a"], [truth]))
    assert score.f2(one)[0] == 0 and score.f2(two)[0] == 1


def test_overlap_is_an_error():
    image = masks.from_labels(["a"], [np.array([[1, 1, 2]])])
    bad = masks.Masks(
        image.ids, image.shapes, image.objects, image.labels, image.runs, np.array([0, 1], np.int32), np.array([2, 2], np.int32)
    )
    with pytest.raises(KitError, match="prediction, image a: two objects overlap"):
        score.count(masks.from_labels(["a"], [np.array([[1, 1, 2]])]), bad)


def test_score_of_two_files(tmp_path):
    truth = write_csv(tmp_path / "t.csv", "a.jpg,1 10", "b.jpg,", "c.jpg,11 10", "c.jpg,31 10")
    prediction = write_csv(tmp_path / "p.csv", "c.jpg,31 10", "b.jpg,5 5", "a.jpg,1 8")
    result = score.score_csv(truth, prediction, shape=(10, 10), per_image=tmp_path / "per.csv")
    a, c = 6 / 10, 5 / (5 + 4)  # IoU 0.8 is above six thresholds; one of two found, none wrong
    assert result["f2"] == pytest.approx((a + 0 + c) / 3)
    assert result["f2_ships"] == pytest.approx((a + c) / 2) and result["f2_empty"] == 0 and result["f2_blank"] == pytest.approx(1 / 3)
    assert result["tp"] == [2] * 6 + [1] * 4 and result["fp"] == [1] * 6 + [2] * 4 and result["fn"] == [1] * 6 + [2] * 4
    assert (result["images"], result["ships"], result["predicted"]) == (3, 3, 3)
    assert json.loads(score.to_json(result)) == result
    lines = (tmp_path / "per.csv").read_text().splitlines()
    assert lines[0].startswith("ImageId,ships,predicted,f2,tp_50,fp_50,fn_50,tp_55") and lines[0].endswith("tp_95,fp_95,fn_95")
    assert [line.split(",")[0] for line in lines[1:]] == ["a.jpg", "b.jpg", "c.jpg"]


def test_a_mean_over_nothing_is_null(tmp_path):
    path = write_csv(tmp_path / "t.csv", "a.jpg,1 10")
    assert score.score_csv(path, path)["f2_empty"] is None
    nothing = score.score_csv(*[write_csv(tmp_path / "none.csv")] * 2)
    assert nothing["f2"] is None and nothing["f2_blank"] is None and json.loads(score.to_json(nothing))["images"] == 0


@pytest.mark.parametrize(
    ("rows", "words"), [(["a.jpg,1 1"], "1 images of t.csv are missing, the first is b.jpg"), (["a.jpg,", "b.jpg,", "x.jpg,"], "x.jpg")]
)
def test_other_images_are_an_error(tmp_path, rows, words):
    truth = write_csv(tmp_path / "t.csv", "a.jpg,1 10", "b.jpg,")
    with pytest.raises(KitError, match=words):
        score.score_csv(truth, write_csv(tmp_path / "p.csv", *rows))


def test_reweighting_and_interval():
    values, empty = np.array([1.0, 1.0, 0.5, 0.0]), np.array([True, True, False, False])
    assert score.f2_weighted(values, empty, 0.8) == pytest.approx(0.8 * 1 + 0.2 * 0.25)
    low, high = score.interval(lambda index: values[index].mean(), np.arange(4))
    assert low < values.mean() < high
    assert score.interval(lambda index: values[index].mean(), np.zeros(4)) == (0.625, 0.625)  # one scene: nothing to resample


def test_real_truth_scores_one_and_its_union_less(airbus):
    table = masks.select(masks.read_csv(airbus / "train_ship_segmentations_v2.csv"), range(200))
    assert score.summarize(score.count(table, table))["f2"] == 1
    from skimage.measure import label

    union = masks.from_labels(table.ids, [label(masks.decode(table, image) > 0, connectivity=1) for image in range(len(table))])
    ships = masks.count_objects(table) > 0
    assert 0.88 < score.f2(score.count(table, union))[ships].mean() < 0.99
    shifted = [np.roll(masks.decode(table, image), 1, 0) for image in range(len(table))]
    for image in shifted:
        image[0] = 0
    moved = score.f2(score.count(table, masks.from_labels(table.ids, shifted)))[ships].mean()
    assert 0.5 < moved < 0.75
