import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given

from kit.competition import csv_masks as rows
from kit.competition.catalog import COMPETITIONS
from kit.errors import KitError
from kit.masks import dense
from kit.masks import table as masks
from kit.scoring import csv_score, scores, summary
from kit.scoring.counts import count
from tests.conftest import write_csv
from tests.oracles import count_by_hand, f2_by_hand
from tests.scoring.test_counts import bars, count_labels, pairs


@given(pairs)
def test_f2_agrees_with_exact_fractions(images):
    assert scores.f2(count_labels(*images))[0] == pytest.approx(float(f2_by_hand(*images)))


def test_every_score_follows_its_definition():
    counts = count_labels(bars(20, 20, 20), bars(20, 10, 20, 3, 3)[:, :400])
    assert (counts.tp[0, 0], counts.fp[0, 0], counts.fn[0, 0]) == (2, 3, 1)
    assert scores.f2_by_threshold(counts)[0, 0] == pytest.approx(10 / 17)
    assert scores.f1_by_threshold(counts)[0, 0] == pytest.approx(4 / 8)
    assert scores.jaccard_by_threshold(counts)[0, 0] == pytest.approx(2 / 6)
    assert scores.dice(counts)[0] == pytest.approx(2 * 50 / (60 + 56))
    nothing = count_labels(bars(), bars())
    for function in (
        scores.f2_by_threshold,
        scores.f1_by_threshold,
        scores.jaccard_by_threshold,
        scores.dice,
    ):
        assert (function(nothing) == 1).all()


def test_one_hit_and_two_false_alarms_is_five_sevenths():
    truth, prediction = np.zeros((9, 9), int), np.zeros((9, 9), int)
    truth[0, :4] = prediction[0, :4] = 1
    prediction[4, 4], prediction[8, 8] = 2, 3
    counts = count_labels(truth, prediction)
    assert scores.f2(counts)[0] == pytest.approx(
        5 / 7
    )  # 0.385 with false alarms and misses swapped
    swapped = count(dense.from_labels(["a"], [prediction]), dense.from_labels(["a"], [truth]))
    assert scores.f2(swapped)[0] == pytest.approx(5 / 13)


def test_empty_images_score_one_or_nothing():
    nothing, something = np.zeros((3, 3), int), np.eye(3, dtype=int)
    for truth, prediction, expected in (
        (nothing, nothing, 1),
        (nothing, something, 0),
        (something, nothing, 0),
    ):
        counts = count_labels(truth, prediction)
        assert scores.f2(counts).tolist() == [expected]


def test_touching_ships_stay_two():
    truth = np.array([[1, 1, 2, 2]] * 4)
    one = count(dense.from_labels(["a"], [truth]), dense.from_labels(["a"], [truth > 0]))
    two = count(dense.from_labels(["a"], [truth]), dense.from_labels(["a"], [truth]))
    assert scores.f2(one)[0] == 0 and scores.f2(two)[0] == 1


def test_score_of_two_files(tmp_path):
    truth = write_csv(tmp_path / "t.csv", "a.jpg,1 10", "b.jpg,", "c.jpg,11 10", "c.jpg,31 10")
    prediction = write_csv(tmp_path / "p.csv", "c.jpg,31 10", "b.jpg,5 5", "a.jpg,1 8")
    result = csv_score.score_csv(truth, prediction, shape=(10, 10), per_image=tmp_path / "per.csv")
    a, c = 6 / 10, 5 / (5 + 4)  # IoU 0.8 is above six thresholds; one of two found, none wrong
    assert result["f2"] == pytest.approx((a + 0 + c) / 3)
    assert (
        result["f2_ships"] == pytest.approx((a + c) / 2)
        and result["f2_empty"] == 0
        and result["f2_blank"] == pytest.approx(1 / 3)
    )
    assert (
        result["tp"] == [2] * 6 + [1] * 4
        and result["fp"] == [1] * 6 + [2] * 4
        and result["fn"] == [1] * 6 + [2] * 4
    )
    assert (result["images"], result["ships"], result["predicted"]) == (3, 3, 3)
    assert json.loads(summary.to_json(result)) == result
    lines = (tmp_path / "per.csv").read_text().splitlines()
    assert lines[0].startswith("ImageId,ships,predicted,f2,tp_50,fp_50,fn_50,tp_55") and lines[
        0
    ].endswith("tp_95,fp_95,fn_95")
    assert [line.split(",")[0] for line in lines[1:]] == ["a.jpg", "b.jpg", "c.jpg"]


def test_a_mean_over_nothing_is_null(tmp_path):
    path = write_csv(tmp_path / "t.csv", "a.jpg,1 10")
    assert csv_score.score_csv(path, path)["f2_empty"] is None
    nothing = csv_score.score_csv(*[write_csv(tmp_path / "none.csv")] * 2)
    assert (
        nothing["f2"] is None
        and nothing["f2_blank"] is None
        and json.loads(summary.to_json(nothing))["images"] == 0
    )


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["a.jpg,1 1"], "1 images of t.csv are missing, the first is b.jpg"),
        (["a.jpg,", "b.jpg,", "x.jpg,"], "x.jpg"),
    ],
)
def test_other_images_are_an_error(tmp_path, rows, words):
    truth = write_csv(tmp_path / "t.csv", "a.jpg,1 10", "b.jpg,")
    with pytest.raises(KitError, match=words):
        csv_score.score_csv(truth, write_csv(tmp_path / "p.csv", *rows))


def test_reweighting():
    values, empty = np.array([1.0, 1.0, 0.5, 0.0]), np.array([True, True, False, False])
    assert scores.f2_weighted(values, empty, 0.8) == pytest.approx(0.8 * 1 + 0.2 * 0.25)
    assert np.isnan(scores.f2_weighted(values, empty | True, 0.8))


@given(pairs)
def test_pixel_scores_are_those_of_dense_masks(images):
    truth, prediction = (image > 0 for image in images)
    both, missed, false = (
        (truth & prediction).sum(),
        (truth & ~prediction).sum(),
        (prediction & ~truth).sum(),
    )
    counts = count_labels(*images)
    assert scores.pixel_f2(counts) == pytest.approx(
        5 * both / (5 * both + 4 * missed + false) if both + missed + false else 1
    )
    assert scores.pixel_iou(counts) == (
        pytest.approx(both / (both + missed + false)) if truth.any() else None
    )


def test_the_table_of_images_has_the_counts_of_each_threshold(tmp_path):
    truth, prediction = bars(20, 20, 20), bars(20, 15, 11, 3, 3)
    lines = summary.format_per_image(count_labels(truth, prediction)).splitlines()
    row = dict(zip(lines[0].split(","), lines[1].split(",")))
    for k, tp, fp, fn in zip(range(10, 20), *count_by_hand(truth, prediction)):
        assert [int(row[f"{name}_{5 * k}"]) for name in ("tp", "fp", "fn")] == [tp, fp, fn]
    by_threshold = summary.summarize(count_labels(truth, prediction))["f2_by_threshold"]
    wanted = [
        5 * tp / (5 * tp + 4 * fn + fp) for tp, fp, fn in zip(*count_by_hand(truth, prediction))
    ]
    assert by_threshold == pytest.approx(wanted) and by_threshold[0] > by_threshold[-1]


def test_a_missing_row_of_a_label_is_an_error(tmp_path):
    steel = dataclasses.replace(COMPETITIONS["severstal"], labels=("1", "2"))
    truth = write_csv(tmp_path / "t.csv", "a,2,1 10", header="ImageId,ClassId,EncodedPixels")
    with pytest.raises(
        KitError, match="the prediction has no row a_2; give it at least a blank one"
    ):
        csv_score.score_csv(
            truth,
            write_csv(tmp_path / "p.csv", "a_1,", header="ImageId_ClassId,EncodedPixels"),
            competition=steel,
        )


def test_two_arrays():
    truth = np.array([[1, 1, 0, 2, 2]])
    assert scores.object_f2(truth, truth) == 1 and scores.object_f2(truth > 0, truth > 0) == 1
    touching = np.array([[1, 1, 2, 2]])
    assert (
        scores.object_f2(touching, touching > 0) == 0
    )  # components of a boolean mask: one object, IoU 0.5 with each
    corner = np.eye(2, dtype=bool)
    assert scores.object_f2(np.array([[1, 0], [0, 1]]), corner, connectivity=8) == 1
    assert scores.object_f2(np.array([[1, 0], [0, 1]]), corner) == 0
    for bad in (np.zeros((2, 2), float), np.zeros((1, 2, 2), bool)):
        with pytest.raises(KitError, match="expected a boolean mask or a label image"):
            scores.object_f2(bad, bad)


@pytest.mark.parametrize(
    ("preset", "truth", "prediction", "wanted"),
    [
        (
            "tgs-salt",
            "a,1 101\nb,\nc,1 10",
            "a,1 101\nb,5 1\nc,1 8",
            {"jaccard": (1 + 0 + 0.6) / 3, "jaccard_ships": 0.8, "ships": 2},
        ),
        (
            "severstal",
            "a,1,1 10\na,2,5 4",
            "a_1,1 10\na_2,\nb_1,\nb_2,7 1",
            {"dice": (1 + 0 + 1 + 0) / 4, "images": 4},
        ),
        ("severstal", "a,1,1 10", "a_1,6 10\na_2,", {"dice": (0.5 + 1) / 2, "dice_blank": 0.5}),
    ],
)
def test_other_competitions_are_scored_by_their_rules(tmp_path, preset, truth, prediction, wanted):
    competition = COMPETITIONS[preset]
    if preset == "severstal":  # absent ids are empty; labels are open in the preset
        competition = dataclasses.replace(competition, labels=("1", "2"))
    truth = write_csv(
        tmp_path / "t.csv",
        truth,
        header="id,rle_mask" if preset == "tgs-salt" else "ImageId,ClassId,EncodedPixels",
    )
    header = "id,rle_mask" if preset == "tgs-salt" else "ImageId_ClassId,EncodedPixels"
    result = csv_score.score_csv(
        truth, write_csv(tmp_path / "p.csv", prediction, header=header), competition=competition
    )
    assert {name: result[name] for name in wanted} == pytest.approx(wanted)
    assert summary.format_summary(result)


def test_an_open_score_is_said(tmp_path):
    path = write_csv(tmp_path / "t.csv", "a,-", header="record_id,encoded_pixels")
    with pytest.raises(KitError, match="competition contrails: its score is not set"):
        csv_score.score_csv(
            path, path, competition=dataclasses.replace(COMPETITIONS["contrails"], score="")
        )


def test_truth_against_itself_its_union_and_shifted_on_real_images(airbus):
    table = rows.read_csv(airbus / "train_ship_segmentations_v2.csv")
    assert summary.summarize(count(table, table))["f2"] == 1
    from skimage.measure import label

    ships = np.flatnonzero(masks.count_objects(table))
    table = masks.select(table, ships)
    union = dense.from_labels(
        table.ids,
        [label(dense.to_labels(table, image) > 0, connectivity=1) for image in range(len(table))],
    )
    assert (
        0.91 <= scores.f2(count(table, union)).mean() <= 0.98
    )  # FACTS: ships relabeled from their union
    few = masks.select(table, range(0, len(table), 12))
    images = [dense.to_labels(few, image) for image in range(len(few))]
    shifted = [np.pad(image, ((1, 0), (0, 0)))[:-1] for image in images]
    found = scores.f2(count(few, dense.from_labels(few.ids, shifted)))
    assert found == pytest.approx(
        [float(f2_by_hand(*crop_pair(*pair))) for pair in zip(images, shifted)]
    )


def crop_pair(truth, prediction):
    """Both without the rows and columns that are empty in both, to speed up the slow oracle."""
    where = np.argwhere((truth > 0) | (prediction > 0))
    (top, left), (bottom, right) = where.min(0), where.max(0) + 1
    return truth[top:bottom, left:right], prediction[top:bottom, left:right]
