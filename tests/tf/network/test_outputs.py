import numpy as np
import pytest
import tensorflow as tf

from kit.errors import KitError
from kit.tf.failures import explained
from kit.tf.network.outputs import check_outputs, take_map, take_presence

IMAGES = np.zeros((2, 6, 5, 3), np.uint8)
SOUND = tf.fill((2, 6, 5), 0.5)


def test_maps_and_presence_are_taken_from_any_form():
    for found in (SOUND, SOUND[..., None], {"map": SOUND}, {"map": SOUND[..., None]}):
        assert np.array_equal(take_map(found), SOUND) and take_presence(found) is None
    assert take_presence({"map": SOUND, "presence": 3}) == 3


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ([SOUND, SOUND], "the network gives a list"),
        ({"mask": SOUND}, "the network gives a dict"),
        (tf.stack([SOUND, SOUND], 3), r"shape \(2, 6, 5, 2\)"),
        (SOUND[:, 0], r"shape \(2, 5\)"),
    ],
)
def test_outputs_without_maps_are_named(found, told):
    with pytest.raises(KitError, match=f"{told}.*give probabilities"):
        take_map(found)


@pytest.mark.parametrize("graph", [True, False])
@pytest.mark.parametrize(
    ("value", "told"),
    [
        (-3.25, r"goes from -3.25 to 0.5, expected .*; give probabilities"),
        (1.5, r"goes from 0.5 to 1.5, expected .*; give probabilities"),
        (np.nan, "holds NaN or infinity"),
        (np.inf, "holds NaN or infinity"),
    ],
)
def test_what_is_no_probability_is_told(graph, value, told):
    check = explained(tf.function(check_outputs) if graph else check_outputs)
    for dtype in (tf.float32, tf.float16):
        bad = tf.cast(tf.tensor_scatter_nd_update(SOUND, [[1, 2, 3]], [value]), dtype)
        with pytest.raises(KitError, match=f"network output map {told}"):
            check(bad, None, IMAGES)
        with pytest.raises(KitError, match=f"network output presence {told}"):
            check(SOUND, bad[:, 2, 3], IMAGES)


def test_rounding_is_no_error():
    near = tf.constant([[[-1e-6, 1 + 1e-6]]])
    for maps in (near, tf.constant([[[0.0, 1.001]]], tf.float16), tf.constant([[[0, 1]]])):
        found, _ = check_outputs(maps, None, IMAGES[:1, :1, :2])
        assert np.array_equal(found, maps)


def test_maps_of_another_size_are_named():
    with pytest.raises(KitError, match="gives maps of 3 x 5 px for images of 6 x 5 px; give one"):
        check_outputs(SOUND[:, ::2], None, IMAGES)
