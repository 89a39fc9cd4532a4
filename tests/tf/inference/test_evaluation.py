import json

import numpy as np
import pytest

from kit.errors import KitError
from kit.masks import table
from kit.objects.extraction import find_objects
from kit.pages.model import make_model_page
from kit.tf.inference.evaluation import evaluate
from kit.tf.inference.holdout import open_holdout
from kit.tf.inference.inference import tune
from tests.tf.detectors import make_detector


def test_an_untuned_model_is_seen_at_threshold_128_and_that_is_said(copy, capsys):
    found = evaluate(copy, network=make_detector())
    assert "is not tuned, so threshold 128 and no cuts" in capsys.readouterr().out
    read, truth, _, _ = open_holdout([copy], networks=make_detector())
    assert found.prediction == table.concatenate(
        [find_objects([name], [read(k)]) for k, name in enumerate(truth.ids)]
    )
    assert found.index.truth == truth and found.tuning is None and len(found.history) == 1


def test_a_tuned_model_is_seen_by_cuts_chosen_without_the_image(copy):
    settings = {"empty_share": 0.5, "seed": 3}
    tuned = tune(copy, networks=make_detector(), **settings)
    found = evaluate(copy, network=make_detector())
    assert (
        found.prediction == tuned.prediction
        and np.array_equal(found.tuning.surface, tuned.surface)
        and found.empty_share == 0.5
    )
    written = json.loads((copy / "tuning.json").read_text())
    assert found.mean(found.f2) == pytest.approx(written.get("f2_tuned", written["f2"]))
    if "f2_tuned" not in written:
        assert found.bound(found.f2) == (written["f2_low"], written["f2_high"])
    assert {name: written[name] for name in found.tuning.fields} == found.tuning.fields
    page = make_model_page(found)
    assert "F2 over the cuts" in page.text and found.environment.splitlines()[0] in page.text


@pytest.mark.parametrize(
    "text",
    [
        '{"empty_share": 2}',
        "{}",
        "[]",
        '{"empty_share": 0.5, "seed": "a"}',
        '{"empty_share": 0.5, "tta": "x"}',
    ],
)
def test_a_tuning_of_something_else_is_refused(copy, text):
    (copy / "tuning.json").write_text(text)
    with pytest.raises(KitError, match="tuning.json: .*written by kit tune"):
        evaluate(copy, network=make_detector())


def change(path, **fields) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_cuts_that_were_chosen_for_several_models_are_taken_as_they_stand_and_that_is_said(
    copy, capsys
):
    tune(copy, networks=make_detector(), empty_share=0.5)
    (one,) = json.loads((copy / "tuning.json").read_text())["models"]
    change(copy / "tuning.json", models=[one, one | {"name": "other"}], threshold=77)
    found = evaluate(copy, network=make_detector())
    assert (
        found.tuning is None
        and found.cuts.threshold == 77
        and f"{one['name']} and other together" in found.note
    )
    assert (
        found.note in capsys.readouterr().out
        and found.note.split("/")[-1] in make_model_page(found).text
    )


def test_cuts_that_are_no_longer_what_the_tuner_would_choose_are_said(copy, capsys):
    tune(copy, networks=make_detector(), empty_share=0.5)
    assert evaluate(copy, network=make_detector()).note == ""
    change(copy / "tuning.json", threshold=77)
    assert "holds other cuts" in evaluate(copy, network=make_detector()).note


def test_the_ladder_begins_from_the_same_cuts_without_the_gate(copy):
    tune(copy, networks=make_detector(), empty_share=0.5)
    (one,) = json.loads((copy / "tuning.json").read_text())["models"]
    plain = {"worth": [], "threshold": 128, "rectangles": False, "blank": False}
    change(copy / "tuning.json", models=[one, one], **plain, min_presence=1.0)
    found = evaluate(copy, network=make_detector())
    read, truth, _, _ = open_holdout([copy], networks=make_detector())
    assert len(found.prediction.labels) == 0 and found.ladder["as it is"] == pytest.approx(0.5)
    assert found.ungated == table.concatenate(
        [find_objects([name], [read(k)]) for k, name in enumerate(truth.ids)]
    )


def test_a_model_that_held_nothing_out_has_no_report(copy, capsys):
    change(copy / "config.json", fold=None)
    with pytest.raises(KitError, match="was trained on all folds"):
        evaluate(copy, network=make_detector())
    assert capsys.readouterr().out == ""


def test_a_competition_whose_rows_are_no_objects_has_none_either(copy):
    competition = json.loads((copy / "config.json").read_text())["competition"]
    change(copy / "config.json", competition=competition | {"row": "image"})
    with pytest.raises(KitError, match="cuts are chosen for object F2"):
        evaluate(copy, network=make_detector())
