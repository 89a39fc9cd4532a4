"""Cuts are tuned on the holdout and applied to the test images; a killed prediction resumes."""

import json
import shutil
import signal
import zipfile

import numpy as np
import pytest
import tensorflow as tf

from kit.competition import keys
from kit.cuts import Cuts
from kit.errors import KitError
from kit.masks import dense, table
from kit.records.index import open_index
from kit.submission import csv_file
from kit.submission.parts import PART_SIZE
from kit.system.seals import digest_file
from kit.tf.inference.ensemble import collect, make_mapper
from kit.tf.inference.inference import predict, tune
from kit.tf.inference.load import load_network
from tests.conftest import flip_bytes
from tests.forks import finish
from tests.tf import killed
from tests.tf.detectors import make_detector
from tests.tf.inference.conftest import predict_by_hand, write_tuning

# Tuning.


def test_tuning_writes_the_fields_of_the_format(copy, small):
    tuned = tune(copy, empty_share=0.5, networks=make_detector())
    result = json.loads((copy / "tuning.json").read_text())
    assert result == tuned.fields and list(tuned.prediction.ids) == list(
        open_index(small / "records", [0]).truth.ids
    )
    assert {"threshold", "empty_share", "f2", "f2_low", "f2_high", "f2_plain", "f2_blank"} <= set(
        result
    )
    assert result["f2_low"] <= result["f2"] <= result["f2_high"] and result["empty_share"] == 0.5
    assert result["tta"] == result["scale"] == 1
    assert result["models"] == [
        {"name": "model", "weights": digest_file(copy / "best.weights.h5"), "fold": 0}
    ]


def test_moved_records_are_named_by_an_option(copy, small, tmp_path, tuned_on):
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"records": str(tmp_path / "gone")}))
    with pytest.raises(KitError, match="gone: no such folder of records"):
        tune(copy, networks=make_detector())
    assert (
        tune(
            copy,
            records=shutil.copytree(small / "records", tmp_path / "moved"),
            networks=make_detector(),
        ).fields["f2"]
        == 0.5
    )


def test_a_flipped_byte_in_a_shard_is_one_line(detector, small, tmp_path):
    records = shutil.copytree(small / "records", tmp_path / "records")
    (shard,) = map(flip_bytes, records.glob("*fold0*"))
    model = shutil.copytree(
        detector, tmp_path / "model", ignore=shutil.ignore_patterns("maps")
    )  # else no image would be read
    with pytest.raises(KitError, match=rf"{shard}: changed.* kit check {records} --repair"):
        tune(model, records=records, networks=make_detector())


# Predicting.


def test_an_untuned_model_says_so_and_uses_threshold_128(model, practice, tmp_path, capsys):
    copy = shutil.copytree(model, tmp_path / "model")
    (copy / "tuning.json").unlink(missing_ok=True)
    found = predict(copy, practice, tmp_path / "out.csv")
    assert "not tuned, so threshold 128 and no cuts" in capsys.readouterr().out
    assert csv_file.check_csv(tmp_path / "out.csv", practice / "sample_submission_v2.csv")[0] == []
    network, _ = load_network(copy)
    for image, name in enumerate(found.ids):
        pixels = tf.io.decode_jpeg((practice / "test_v2" / name).read_bytes())[None]
        inside = network(pixels, training=False).numpy()[0]
        predicted = dense.to_labels(found, image) > 0
        decided = (
            abs(inside - 127.5 / 255) > 1e-3
        )  # a batch of another size may sum in another order
        assert np.array_equal(predicted[decided], (inside > 127.5 / 255)[decided])


def test_tuned_cuts_views_and_scale_are_applied_and_said(copy, few, tmp_path, capsys):
    write_tuning(copy, threshold=140, rectangles=True, min_presence=0.2, tta=8)
    found = predict(copy, few, tmp_path / "out.csv", networks=make_detector())
    said = capsys.readouterr().out
    words = "threshold 140, rectangles where they fit, presence of an object at least 0.200"
    assert f"tuning.json: {words}" in said and "other weights" not in said
    ids = keys.read_ids(few / "sample_submission_v2.csv")
    expected = predict_by_hand(
        few, ids, [make_detector()], Cuts(threshold=140, rectangles=True, min_presence=0.2), 8
    )
    assert (
        found == expected
        and len(expected.labels) > 2
        and (table.count_objects(expected) == 0).any()
    )
    report = json.loads((tmp_path / "out.json").read_text())
    assert report["cuts"]["threshold"] == 140 and (report["tta"], report["scale"]) == (8, 1)
    assert (
        report["holdout"] == {"f2": 0.5, "f2_blank": 0.25}
        and report["tensorflow"] == tf.__version__
    )
    assert (
        report["models"][0]["weights"] == digest_file(copy / "best.weights.h5")
        and report["models"][0]["steps"] == 1
    )


def test_the_gate_cuts_between_any_two_probabilities(copy, few, tmp_path):
    ids = keys.read_ids(few / "sample_submission_v2.csv")
    pixels = tf.io.decode_jpeg((few / "test_v2" / ids[1]).read_bytes())[None]
    likely = float(collect([make_mapper(make_detector())(pixels)])[1][0])
    for cut, kept in (
        (likely, True),
        (np.nextafter(likely, 1), False),
    ):  # as float32 the two cuts are one
        write_tuning(copy, min_presence=float(cut))
        found = predict(copy, few, tmp_path / "out.csv", networks=make_detector())
        assert bool(table.count_objects(found)[1]) == kept


def test_other_views_than_tuned_are_used_and_said(copy, few, tmp_path, capsys):
    write_tuning(copy, tta=8)
    found = predict(copy, few, tmp_path / "out.csv", networks=make_detector(), tta=4, scale=1)
    said = capsys.readouterr().out
    assert "--tta 4, but these cuts were chosen with --tta 8" in said and "--scale" not in said
    assert (
        json.loads((tmp_path / "out.json").read_text())["holdout"] == {}
    )  # its figure is not of this
    assert found == predict_by_hand(few, found.ids, [make_detector()], tta=4)


def test_a_tuning_of_other_weights_is_used_and_said(copy, few, tmp_path, capsys):
    write_tuning(copy, models=[{"name": "model", "weights": "0" * 64, "fold": 0}])
    predict(copy, few, tmp_path / "out.csv", networks=make_detector())
    assert "was chosen for other weights than these; kit tune" in capsys.readouterr().out
    assert json.loads((tmp_path / "out.json").read_text())["holdout"] == {}


@pytest.mark.parametrize(
    "fields",
    [
        {"tta": 3},
        {"scale": "2"},
        {"models": [3]},
        {"models": 4},
        {"threshold": 0},
        {"min_worth": None},
    ],
)
def test_a_damaged_tuning_is_named(copy, few, tmp_path, fields):
    write_tuning(copy, **fields)
    with pytest.raises(KitError, match=r"tuning\.json: "):
        predict(copy, few, tmp_path / "out.csv", networks=make_detector())


def test_where_blank_scores_most_no_image_is_looked_at(copy, few, tmp_path, passes):
    write_tuning(copy, blank=True)
    found = predict(copy, few, tmp_path / "out.csv", networks=make_detector())
    assert len(found) == 7 and not len(found.labels) and not passes
    assert (
        csv_file.check_csv(tmp_path / "out.csv", few / "sample_submission_v2.csv", shape=(48, 48))[
            0
        ]
        == []
    )


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_gives_the_bytes_of_its_folder(copy, few, tmp_path, compression):
    with zipfile.ZipFile(tmp_path / "few.zip", "w", compression) as archive:
        for path in sorted(few.rglob("*.*")):
            archive.write(path, path.relative_to(few))
    found = predict(copy, few, tmp_path / "a.csv", networks=make_detector())
    assert (
        predict(copy, tmp_path / "few.zip", tmp_path / "b.csv", networks=make_detector()) == found
        and len(found.labels) > 2
    )
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    a, b = (json.loads((tmp_path / name).read_text()) for name in ("a.json", "b.json"))
    assert all(a[name] == b[name] for name in a if name not in ("submission", "when"))
    assert {path.name for path in tmp_path.iterdir()} == {
        "model",
        "few",
        "few.zip",
        "a.csv",
        "a.json",
        "b.csv",
        "b.json",
    }


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_killed_prediction_goes_on_to_the_same_bytes(copy, small, tmp_path, passes, when, capsys):
    place = small / "competition"
    predict(copy, place, tmp_path / "whole.csv", networks=make_detector())
    assert sum(passes) == 300 > PART_SIZE
    paths = map(str, (copy, place, tmp_path / "out.csv"))
    status, _, errors = finish(killed.predict_one_part, *paths, when)
    assert status == -signal.SIGKILL and not (tmp_path / "out.csv").exists(), errors
    del passes[:]
    predict(copy, place, tmp_path / "out.csv", networks=make_detector())
    assert sum(passes) == (300 if when == "before" else 300 - PART_SIZE)
    assert (when == "after") == (
        f"resuming: {PART_SIZE} of 300 images are done" in capsys.readouterr().out
    )
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert not (tmp_path / "out.csv.parts").exists()


@pytest.mark.parametrize("name", ["load_network", "open_holdout"])
def test_weights_that_change_meanwhile_are_an_error(copy, few, tmp_path, monkeypatch, name):
    from kit.tf.inference import inference

    former = getattr(inference, name)

    def change(*arguments, **options):
        found = former(*arguments, **options)
        with open(copy / "best.weights.h5", "ab") as file:
            file.write(b"0")
        return found

    monkeypatch.setattr(inference, name, change)
    with pytest.raises(KitError, match="its weights changed meanwhile"):
        if name == "load_network":
            predict(copy, few, tmp_path / "out.csv", networks=make_detector())
        else:
            tune(copy, empty_share=0.5, networks=make_detector())
    assert not (tmp_path / "out.csv").exists() and not (copy / "tuning.json").exists()


def test_what_cannot_be_is_refused_before_any_time_is_spent(copy, few, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "kit.tf.inference.inference.load_network", lambda *_: pytest.fail("the model was loaded")
    )
    for out, settings, words in (
        (tmp_path / "missing" / "out.csv", {}, "there is no folder"),
        (tmp_path / "out.json", {}, "another ending"),
        (tmp_path / "out.csv", {"tta": 2}, "--tta 2"),
        (tmp_path / "out.csv", {"scale": 0}, "--scale 0"),
    ):
        with pytest.raises(KitError, match=words):
            predict(copy, few, out, **settings)


def test_prediction_does_not_depend_on_the_progress_bar(copy, few, tmp_path, monkeypatch):
    expected = predict(copy, few, tmp_path / "a.csv", networks=make_detector())
    monkeypatch.setenv("TQDM_DISABLE", "1")
    assert predict(copy, few, tmp_path / "b.csv", networks=make_detector()) == expected
