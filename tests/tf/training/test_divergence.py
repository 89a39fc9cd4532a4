"""A loss or weights that are no numbers stop a training: the step is named, good weights stay."""

import numpy as np
import pytest
import tensorflow as tf

from kit.errors import KitError
from kit.records.index import open_index
from kit.tf.training.training import train
from tests.conftest import arrays_of
from tests.tf.training.conftest import SMALL, TINY

pytestmark = pytest.mark.usefixtures("shallow")


def test_weights_that_are_no_numbers_are_never_saved(packed, tmp_path):

    @tf.custom_gradient
    def poisoned(values):
        return values, lambda upstream: upstream * float("nan")

    def fine_but_for_its_gradient(truth, prediction):
        return tf.reduce_mean((truth - poisoned(prediction)) ** 2, (1, 2))

    settings = {name: value for name, value in SMALL.items() if name != "loss"}
    with pytest.raises(
        KitError, match=r"weights are NaN or infinite in step 1 \(images .*good weights of step 0"
    ):
        train(packed, tmp_path / "model", loss=fine_but_for_its_gradient, **settings)
    good = arrays_of(tmp_path / "model" / "last.weights.h5")
    assert good and all(
        np.isfinite(array).all() for array in good.values() if array.dtype.kind == "f"
    )


def test_a_loss_that_is_no_number_names_step_and_images_and_leaves_good_weights(packed, tmp_path):

    calls = tf.Variable(0)

    def breaks_down(truth, prediction):
        calls.assign_add(1)
        value = tf.reduce_mean((truth - prediction) ** 2, (1, 2))
        return value + tf.where(calls > 2, float("nan"), 0.0)

    settings = {name: value for name, value in SMALL.items() if name != "loss"}
    with pytest.raises(
        KitError,
        match=r"the loss is nan in step 3 \(images \d+\.jpg.*weights of step 2.*--start-from",
    ) as found:
        train(packed, tmp_path / "model", loss=breaks_down, **settings)
    from kit.tf.data.batches import sample

    index = open_index(packed, [1, 2])
    shares = {"ship_share": 0.75, "empty_share": None, "balance": False, "seed": 0}
    images, _ = sample(index, 2, 4, **shares).draw(tf.range(4, 6, dtype=tf.int64))
    assert all(name in str(found.value) for name in index.truth.ids[images.numpy()])
    good = arrays_of(tmp_path / "model" / "last.weights.h5")
    assert good and all(
        np.isfinite(array).all() for array in good.values() if array.dtype.kind == "f"
    )


def test_a_loss_that_is_no_number_stops_with_the_step(packed, tmp_path):
    with pytest.raises(
        KitError, match=r"the (loss is nan|weights are NaN or infinite) in step \d+ \(images "
    ):
        train(packed, tmp_path / "model", **(TINY | {"steps": 20, "learning_rate": 1e30}))
