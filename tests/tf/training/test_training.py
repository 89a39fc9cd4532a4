"""A training: what it leaves in its folder, what its settings change, and what it refuses."""

import csv
import dataclasses
import json
import os
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from kit import settings
from kit.encoders import ENCODERS
from kit.errors import KitError
from kit.models.history import COLUMNS, name_weights
from kit.presets import PRESETS
from kit.records.index import open_index
from kit.tf.data import augmentation
from kit.tf.data.batches import batches
from kit.tf.inference.load import load_network
from kit.tf.network import precision
from kit.tf.network.encoder import FAMILIES
from kit.tf.network.losses import LOSS_CLASSES
from kit.tf.training import training
from kit.tf.training.schedule import SCHEDULES
from kit.tf.training.steps import OPTIMIZER_CLASSES
from kit.tf.training.training import train
from tests.conftest import flip_bytes
from tests.tf.training.conftest import TINY, logit_network, small_network

pytestmark = pytest.mark.usefixtures("shallow")


def test_the_settings_offer_what_there_is():
    assert {encoder.family for encoder in ENCODERS.values()} == set(FAMILIES) and tuple(
        LOSS_CLASSES
    ) == settings.LOSSES
    assert (
        settings.AUGMENTATIONS == augmentation.NAMES
        and tuple(OPTIMIZER_CLASSES) == settings.OPTIMIZERS
    )
    (schedule,) = [
        field for field in dataclasses.fields(settings.TrainSettings) if field.name == "schedule"
    ]
    assert schedule.metadata["choices"] == tuple(SCHEDULES)


def test_a_training_leaves_history_weights_and_settings(model, practice):
    with open(model / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert [(row["epoch"], row["step"]) for row in rows] == [("1", "2"), ("2", "4")]
    for row in rows:
        assert (
            0 <= float(row["val_object_f2"]) <= 1
            and 0 < float(row["val_object_f2_blank"]) < 1
            and float(row["loss"]) > 0
        )
    config = json.loads((model / "config.json").read_text())
    assert (
        config["records"].endswith("/records")
        and config["encoder"] == "slim"
        and config["seed"] == 0
    )
    assert open_index(config["records"]).truth.ids[0] in os.listdir(practice / "train_v2")
    assert {"best.weights.h5", "last.weights.h5", "environment.txt"} <= {
        path.name for path in model.iterdir()
    }
    assert not [path.name for path in model.iterdir() if "tmp" in path.name]


def test_a_preset_gives_what_is_not_given(packed, tmp_path):
    for _ in range(2):  # the second time it is finished
        train(packed, tmp_path / "model", fold=None, preset="cpu-hour", presence=False, **TINY)
    config, recipe = (
        json.loads((tmp_path / "model" / "config.json").read_text()),
        PRESETS["cpu-hour"],
    )
    given = {"presence": False, "fold": None} | TINY
    expected = json.loads(
        json.dumps(
            dataclasses.asdict(settings.TrainSettings()) | recipe | given | {"preset": "cpu-hour"}
        )
    )
    expected["mixed"] = precision.choose_precision("auto")
    assert {name: config[name] for name in expected} == expected
    with pytest.raises(KitError, match=r"began with --output 2, now it is 1; only --epochs"):
        train(
            packed,
            tmp_path / "model",
            fold=None,
            preset="cpu-hour",
            presence=False,
            **TINY,
            output=1,
        )


def test_a_recipe_that_has_changed_since_is_named(packed, tmp_path, monkeypatch):
    quick = {"fold": None, "preset": "cpu-hour"} | TINY
    train(packed, tmp_path / "model", **quick)
    monkeypatch.setitem(PRESETS, "cpu-hour", PRESETS["cpu-hour"] | {"clip": 0.5})
    with pytest.raises(
        KitError, match=r"began with --clip 1.0, now it is 0.5 by --preset cpu-hour; only"
    ):
        train(packed, tmp_path / "model", **quick)
    train(packed, tmp_path / "model", **quick, clip=1.0)


def test_pixel_weight_reaches_the_loss(packed, tmp_path):
    (light,), (heavy,) = (
        train(packed, tmp_path / str(weight), fold=None, **TINY, loss=("bce",), pixel_weight=weight)
        for weight in (1.0, 10.0)
    )
    assert heavy["loss"] == pytest.approx(10 * light["loss"], rel=1e-5)


def test_whole_images_train_a_coarse_map(packed, tmp_path, monkeypatch):
    options = TINY | {"fold": None, "encoder": "slim", "crop": None, "batch": 1, "output": 2}
    assert batches(packed, batch=1, crop=None).element_spec[0].shape == (1, 48, 48, 3)
    assert batches(packed, batch=1, crop=None, shrink=5).element_spec[1].shape == (1, 10, 10)
    (row,) = train(packed, tmp_path / "model", **options)
    assert row["loss"] > 0

    def open_oblong(*arguments):
        index = open_index(*arguments)
        shapes = index.truth.shapes.copy()
        shapes[0] = 32, 72
        return dataclasses.replace(index, truth=dataclasses.replace(index.truth, shapes=shapes))

    monkeypatch.setattr(training, "open_index", open_oblong)
    with pytest.raises(KitError, match="--crop none: images of several sizes need"):
        train(packed, tmp_path / "other", **options)


def test_training_on_all_folds_has_no_holdout(packed, tmp_path):
    (row,) = train(packed, tmp_path / "model", fold=None, **TINY)
    assert row["val_object_f2"] is None and row["loss"] > 0
    assert (tmp_path / "model" / "best.weights.h5").is_file()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"fold": 9}, "--fold 9: .* has folds 0, 1, 2"),
        ({"encoder": "vgg16"}, "--encoder vgg16: choose one of"),
        ({"best_by": "accuracy"}, "--best-by accuracy: choose one of"),
        ({"filters": (8, 8)}, "--filters 8,8: give five whole numbers"),
        ({"seed": 2**32}, "--seed 4294967296: must be at most"),
        ({"crop": 800}, "--crop 800: the images are only 48 x 48"),
        ({"crop": 33, "output": 2}, "--crop 33: give a multiple of 2 px"),
        ({"loss": ("hinge",)}, "--loss hinge: choose among dice"),
        ({"augment": ("mirror",)}, "--augment mirror: choose among"),
        ({"devices": ("GPU:9",)}, "--devices GPU:9: this machine has CPU:0"),
        ({"ship_share": 0.8, "empty_share": 0.4}, "together more than 1"),
        ({"start_from": "nowhere"}, "nowhere: holds no best.weights.h5"),
        ({"encoder": "slim", "encoder_weights": "imagenet"}, "the encoder slim has none"),
        ({"encoder_weights": "nowhere.h5"}, r"nowhere\.h5"),
        ({"learning_rate": float("inf")}, "--learning-rate inf: must be a finite number"),
        ({"batch": 0}, "--batch 0: must be at least 1"),
    ],
)
def test_unusable_settings_are_named_and_leave_nothing(packed, tmp_path, change, words):
    with pytest.raises(KitError, match=words):
        train(packed, tmp_path / "model", **(TINY | change))
    assert not (tmp_path / "model").exists()


def test_a_folder_that_is_no_model_is_not_touched(packed, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(KitError, match="is not a model folder"):
        train(packed, tmp_path, **TINY)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_weights_of_the_best_and_the_last_two_epochs_are_kept(packed, tmp_path):
    chosen = TINY | {
        "epochs": 5,
        "keep": 1,
        "best_by": "loss",
        "fold": None,
        "loss": ["dice", "bce"],
        "schedule": "constant",
        "learning_rate": 1e-2,
    }
    history = train(packed, tmp_path / "model", **chosen)
    best = min(history, key=lambda row: row["loss"])
    wanted = {name_weights(row) for row in (best, *history[-2:])}
    assert {path.name for path in (tmp_path / "model").glob("epoch-*")} == wanted
    assert (tmp_path / "model" / "best.weights.h5").read_bytes() == (
        tmp_path / "model" / name_weights(best)
    ).read_bytes()
    assert (tmp_path / "model" / "last.weights.h5").read_bytes() == (
        tmp_path / "model" / name_weights(history[-1])
    ).read_bytes()


def test_ones_own_network_loss_augmentation_and_schedule_are_used(packed, tmp_path):
    seen = []

    def squared(truth, prediction):
        return tf.reduce_mean((truth - prediction) ** 2, (1, 2))

    def darken(image, mask, seed):
        seen.append(image.shape)
        return image // 2, mask

    def rate(step, steps, epoch):
        seen.append((step, steps, epoch))
        return 0.25

    own = {"model": small_network, "loss": [squared, "dice"], "augment": darken, "schedule": rate}
    history = train(
        packed, tmp_path / "model", **own, epochs=2, steps=2, batch=2, crop=32, warmup=0.0
    )
    assert seen[0] == (32, 32, 3) and {(step, 4, 2) for step in range(4)} <= set(seen)
    assert (
        len(history) == 2
        and history[0]["learning_rate"] == 0.25e-3
        and 0 < history[0]["val_loss"] < 2
    )
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert (
        config["own"]["model"] == "small_network"
        and "squared" in config["own"]["loss"]
        and "darken" in config["own"]["augment"]
    )
    with pytest.raises(KitError, match="its network is not the kit's but small_network"):
        load_network(tmp_path / "model")
    network, _ = load_network(tmp_path / "model", small_network())
    assert network(np.zeros((1, 64, 64, 3), np.uint8)).shape == (1, 64, 64, 1)


@pytest.mark.parametrize("resumed", [False, True])
def test_an_own_network_of_logits_is_told_before_it_trains(packed, tmp_path, resumed):
    networks = [small_network(), logit_network()]
    settings = {"model": lambda: networks.pop(0), "steps": 1, "batch": 2, "crop": 32}
    settings["fold"] = None  # so no scoring finds it
    if resumed:
        train(packed, tmp_path / "model", epochs=1, **settings)
    else:
        del networks[0]
    told = r"network output map goes from \S+ to \S+, expected .*; give probabilities, of logits"
    with pytest.raises(KitError, match=told):
        train(packed, tmp_path / "model", epochs=2, **settings)
    assert (tmp_path / "model" / "history.csv").is_file() == resumed


def test_an_own_network_of_smaller_maps_is_told_before_it_trains(packed, tmp_path):
    network = small_network()
    half = keras.Model(network.input, keras.layers.AveragePooling2D(2)(network.output))
    with pytest.raises(KitError, match="maps of 16 x 16 px for images of 32 x 32 px"):
        train(packed, tmp_path / "model", model=half, epochs=1, steps=1, batch=2, crop=32)


@pytest.mark.parametrize("fold", [0, 1])
def test_a_damaged_shard_is_named_with_the_way_out(packed, tmp_path, fold):
    """One that trains, and one of the holdout."""
    records = shutil.copytree(packed, tmp_path / "records")
    (shard,) = map(flip_bytes, records.glob(f"*fold{fold}*"))
    with pytest.raises(KitError, match=rf"^{shard}: changed.*; kit check {records} --repair"):
        train(
            records, tmp_path / "model", model=small_network(), epochs=1, steps=30, batch=2, crop=32
        )
