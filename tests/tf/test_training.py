import csv
import json
import signal

import numpy as np
import pytest

from kit.errors import KitError
from kit.tf.inference import load_model
from kit.tf.training import COLUMNS, train

TINY = {"epochs": 1, "steps": 1, "batch": 2, "crop": 64, "decoder": (16, 8, 8, 8, 4)}


def weights_of(folder):
    return [np.array(value) for value in load_model(folder)[0].get_weights()]


def test_a_training_leaves_history_weights_and_settings(model, records):
    with open(model / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert [(row["epoch"], row["step"]) for row in rows] == [("1", "2"), ("2", "4")]
    for row in rows:
        assert 0 <= float(row["val_object_f2"]) <= 1 and 0 < float(row["val_object_f2_blank"]) < 1 and float(row["loss"]) > 0
    config = json.loads((model / "config.json").read_text())
    assert config["records"] == str(records) and config["encoder"] == "resnet18" and config["seed"] == 0
    assert {"best.weights.h5", "last.weights.h5", "environment.txt"} <= {path.name for path in model.iterdir()}
    assert not [path.name for path in model.iterdir() if "tmp" in path.name]


def test_the_same_seed_gives_the_same_weights(records, tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        train(records, tmp_path / name, seed=seed, **TINY)
    a, b, c = (weights_of(tmp_path / name) for name in "abc")
    assert all(np.array_equal(x, y) for x, y in zip(a, b))
    assert not all(np.array_equal(x, y) for x, y in zip(a, c))


def test_max_hours_stops_saved_in_the_first_epoch(records, tmp_path, capsys):
    history = train(records, tmp_path / "model", max_hours=1e-9, **(TINY | {"steps": 50}))
    assert history == [] and "stopped by --max-hours 1e-09 in epoch 1, step 1" in capsys.readouterr().out
    assert (tmp_path / "model" / "best.weights.h5").is_file() and (tmp_path / "model" / "last.weights.h5").is_file()
    load_model(tmp_path / "model")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_saved(records, tmp_path, capsys, monkeypatch, number):
    def interrupt(step, *_):
        if step == 2:
            signal.raise_signal(number)
        return 1e-3

    before = signal.getsignal(number)
    monkeypatch.setattr("kit.tf.training.cosine", interrupt)
    assert train(records, tmp_path / "model", **(TINY | {"steps": 50})) == []
    assert f"stopped by {number.name} in epoch 1, step 3" in capsys.readouterr().out
    load_model(tmp_path / "model")
    assert signal.getsignal(number) is before


def test_a_signal_while_the_holdout_is_scored_stops_saved(records, tmp_path, capsys, monkeypatch):
    written = []

    def interrupt(folder, name, image):
        if not written:
            signal.raise_signal(signal.SIGTERM)  # a second one would end the process
        written.append(name)

    monkeypatch.setattr("kit.tf.training.tuning.write_map", interrupt)
    assert train(records, tmp_path / "model", **TINY) == []
    assert "stopped by SIGTERM in epoch 1" in capsys.readouterr().out
    load_model(tmp_path / "model")
    assert not (tmp_path / "model" / "maps").exists() and not (tmp_path / "model" / ".maps.tmp").exists()


def test_training_on_all_folds_has_no_holdout(records, tmp_path):
    (row,) = train(records, tmp_path / "model", fold=None, **TINY)
    assert row["val_object_f2"] is None and row["loss"] > 0
    assert (tmp_path / "model" / "best.weights.h5").is_file()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"fold": 9}, "--fold 9: .* has folds 0, 1"),
        ({"encoder": "vgg16"}, "--encoder vgg16: choose one of"),
        ({"best_by": "accuracy"}, "--best-by accuracy: choose one of"),
        ({"decoder": (8, 8)}, "--decoder 8,8: give five whole numbers"),
        ({"seed": 2**32}, "--seed 4294967296: must be at most"),
        ({"crop": 800}, "--crop 800: the images are only 768 x 768"),
        ({"encoder_weights": "imagenet"}, "imagenet: no such file"),
        ({"encoder_weights": "nowhere.h5"}, r"nowhere\.h5"),
        ({"learning_rate": float("inf")}, "--learning-rate inf: must be a finite number"),
        ({"batch": 0}, "--batch 0: must be at least 1"),
    ],
)
def test_unusable_settings_are_named_and_leave_nothing(records, tmp_path, settings, words):
    with pytest.raises(KitError, match=words):
        train(records, tmp_path / "model", **(TINY | settings))
    assert not (tmp_path / "model").exists()


def test_an_existing_model_is_not_overwritten(records, model):
    with pytest.raises(KitError, match="exists already"):
        train(records, model, **TINY)


def test_a_loss_that_is_no_number_stops_with_the_step(records, tmp_path):
    with pytest.raises(KitError, match="the loss of step [0-9]+ is nan"):
        train(records, tmp_path / "model", **(TINY | {"steps": 20, "learning_rate": 1e30}))
