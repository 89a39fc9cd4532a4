import csv

import numpy as np
import pytest
import tensorflow as tf

from kit.models.history import HOLDOUT_COLUMNS
from kit.records.index import open_index
from kit.tf.data.batches import batches, scan
from kit.tf.inference.ensemble import forward
from kit.tf.network.losses import make_loss
from kit.tf.training.holdout import ObjectF2, score_holdout
from tests.tf.training.conftest import small_network


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
