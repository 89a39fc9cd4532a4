import csv
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from kit.errors import KitError
from kit.models.history import HOLDOUT_COLUMNS
from kit.records.index import open_index, select
from kit.tf.data.batches import batches, scan
from kit.tf.inference.ensemble import forward
from kit.tf.network.losses import CrossEntropy, make_loss
from kit.tf.training.holdout import ObjectF2, score_holdout
from tests.conftest import flip_bytes
from tests.tf.training.conftest import logit_network, small_network


def test_keras_own_fit_gets_the_score_and_the_history(packed, tmp_path):
    network = small_network()
    network.compile("adam", loss=make_loss(["dice", "bce"]))
    score = ObjectF2(packed, [0], csv_path=tmp_path / "history.csv")
    data = batches(packed, [1], batch=2, crop=32)
    fitted = network.fit(data, epochs=2, steps_per_epoch=2, callbacks=[score], verbose=0)
    assert set(HOLDOUT_COLUMNS) <= set(fitted.history) and len(fitted.history["val_object_f2"]) == 2
    with open(tmp_path / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert [float(row["val_object_f2"]) for row in rows] == fitted.history["val_object_f2"]
    index = open_index(packed, [0])
    expected = score_holdout(forward(network), index, make_loss(["dice", "bce"]))
    assert float(rows[-1]["val_loss"]) == pytest.approx(expected["val_loss"], rel=1e-5)
    assert float(rows[0]["val_object_f2_blank"]) == (np.diff(index.truth.objects) == 0).mean()


def test_the_holdouts_score_is_that_of_its_masks(packed):
    """A network that paints the truth scores 1, one that paints nothing the blank submission's."""
    index = open_index(packed, [0])
    truth = {}
    for _, images, masks in scan(index, 1):
        truth[images[0, ::8, ::8].numpy().tobytes()] = masks[0]

    def painted(images):
        return tf.cast(
            tf.stack([truth[image[::8, ::8].numpy().tobytes()] for image in images]), tf.float32
        )

    loss = make_loss("dice")
    found = score_holdout(painted, index, loss)
    assert found["val_pixel_iou"] == found["val_pixel_f2"] == 1 and found[
        "val_loss"
    ] == pytest.approx(0, abs=1e-6)
    assert (
        found["val_object_f2_empty"] == 1 and found["val_object_f2"] > 0.8
    )  # touching ships are one component
    blank = score_holdout(lambda images: tf.zeros(images.shape[:3]), index, loss)
    assert (
        blank["val_object_f2"] == blank["val_object_f2_blank"] == found["val_object_f2_blank"]
        and blank["val_object_f2_ships"] == 0
    )


def fit(network, packed, *callbacks, **options):
    data = batches(packed, [1], batch=2, crop=32)
    if isinstance(network.output, dict):
        data = data.map(lambda images, masks: (images, {"map": masks, "presence": masks[:, 0, 0]}))
    return network.fit(
        data, steps_per_epoch=1, callbacks=callbacks, **{"epochs": 1, "verbose": 0} | options
    )


def two_outputs():
    network = small_network()
    mean = keras.layers.GlobalAveragePooling2D()(network.output)[:, 0]
    return keras.Model(network.input, {"map": network.output, "presence": mean})


def mean_square(truth, prediction):
    return keras.ops.mean((truth - prediction) ** 2)


class NeedsChannel(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return keras.losses.binary_crossentropy(y_true[..., None], y_pred)


BCE = keras.losses.BinaryCrossentropy
CROSS = "binary_crossentropy"


@pytest.mark.parametrize(
    ("make", "loss", "expected"),
    [
        (small_network, CROSS, CROSS),
        (small_network, "BinaryCrossentropy", CROSS),
        (small_network, "crossentropy", CROSS),
        (small_network, keras.losses.binary_crossentropy, CROSS),
        (small_network, BCE(), CROSS),
        (small_network, BCE(reduction="none"), CROSS),
        (small_network, BCE(reduction="sum"), "sum"),
        (small_network, NeedsChannel(), CROSS),
        (small_network, [CROSS], CROSS),
        (small_network, mean_square, "mse"),
        (small_network, CrossEntropy(1.0), CROSS),
        (two_outputs, {"map": CROSS, "presence": "mse"}, CROSS),
        (two_outputs, [CROSS, "mse"], CROSS),
        (two_outputs, {"map": None, "presence": "mse"}, None),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_any_loss_of_keras_gives_its_mean_over_images(packed, make, loss, expected):
    keras.utils.set_random_seed(0)
    network = make()
    network.compile(keras.optimizers.SGD(0.0), loss=loss)
    found = fit(network, packed, ObjectF2(packed, [0])).history["val_loss"]
    values = []
    for _, images, truth in scan(open_index(packed, [0]), 1):
        maps = network(images)
        maps = (maps["map"] if isinstance(maps, dict) else maps)[..., 0].numpy()
        truth = truth.numpy()
        entropy = -np.log(np.where(truth, maps, 1 - maps))
        values.append(
            {
                CROSS: entropy.mean(),
                "sum": entropy.mean(2).sum(),  # Keras sums means over the last axis
                "mse": ((truth - maps) ** 2).mean(),
                None: np.nan,
            }[expected]
        )
    assert found == pytest.approx([np.mean(values)], rel=1e-4, nan_ok=True)


def sized(factor):
    network = small_network()
    return keras.Model(network.input, keras.layers.AveragePooling2D(factor)(network.output))


def lists():
    network = small_network()
    return keras.Model(network.input, [network.output, network.output])


def needs_two_images(truth, prediction):
    return keras.ops.mean(truth[1] - prediction[1])


@pytest.mark.parametrize(
    ("make", "loss", "told"),
    [
        (logit_network, BCE(from_logits=True), "give probabilities"),
        (lambda: sized(2), CROSS, "give one probability per pixel"),
        (lists, CROSS, "give probabilities"),
        (small_network, needs_two_images, "the loss .*needs_two_images.* cannot be computed"),
        (small_network, {"a": CROSS, "b": CROSS}, "loss has the keys a, b; call the maps' output"),
        (small_network, "nothing", "loss 'nothing'"),
    ],
)
def test_what_cannot_be_scored_is_told_before_the_first_step(packed, make, loss, told):
    network = make()
    network.compile("adam", loss=loss)
    weights = network.get_weights()
    with pytest.raises(KitError, match=told):
        fit(network, packed, ObjectF2(packed, [0]))
    assert all(np.array_equal(*pair) for pair in zip(weights, network.get_weights()))


def test_a_csv_that_cannot_be_written_is_told_before_the_first_step(packed, tmp_path):
    network = small_network()
    network.compile("adam", loss=CROSS)
    with pytest.raises(KitError, match="there is no folder"):
        fit(network, packed, ObjectF2(packed, [0], csv_path=tmp_path / "missing" / "a.csv"))


def test_callbacks_behind_it_read_its_values_and_those_before_it_do_not(packed, tmp_path):
    for behind in (True, False):
        network = small_network()
        network.compile(keras.optimizers.SGD(0.0), loss=CROSS)  # no epoch is better than the first
        reading = [
            keras.callbacks.EarlyStopping("val_object_f2", mode="max", patience=1),
            keras.callbacks.ModelCheckpoint(
                tmp_path / "best.keras", "val_object_f2", mode="max", save_best_only=True
            ),
        ]
        callbacks = [ObjectF2(packed, [0]), *reading]
        with pytest.warns(UserWarning):  # Keras warns of a missing value, and of `shuffle`
            fitted = fit(network, packed, *(callbacks if behind else callbacks[::-1]), epochs=4)
        scores = fitted.history["val_object_f2"]
        assert len(scores) == (2 if behind else 4)
        assert (reading[1].best == max(scores)) == behind


def test_a_holdout_without_a_ship_has_no_score_of_ships(packed, tmp_path, capsys):
    index = open_index(packed, [0])
    empty = select(index, np.flatnonzero(np.diff(index.truth.objects) == 0))
    network = small_network()
    network.compile("adam", loss=CROSS)
    score = ObjectF2(empty, csv_path=tmp_path / "a.csv")
    fitted = fit(network, packed, score, verbose=1)  # the bar computes with all values
    assert np.isnan(fitted.history["val_object_f2_ships"][0])
    with open(tmp_path / "a.csv", newline="") as file:
        assert [row["val_object_f2_ships"] for row in csv.DictReader(file)] == [""]


def test_a_damaged_shard_is_named(packed, tmp_path):
    records = shutil.copytree(packed, tmp_path / "records")
    network = small_network()
    network.compile("adam", loss=CROSS)
    score = ObjectF2(records, [0])
    (shard,) = map(flip_bytes, records.glob("*fold0*"))
    with pytest.raises(KitError, match=rf"{shard}: changed.* kit check {records} --repair"):
        fit(network, packed, score)
