import keras
import numpy as np
import pytest
import tensorflow as tf

from kit.tf.network.norm import BatchNormalization
from kit.tf.network.unet import unet


def pass_through(cls, values, training, **options):
    """Output, gradients of input, scale and shift, and the statistics afterwards."""
    layer = cls(momentum=0.8, epsilon=2e-5, **options)
    layer.build(values.shape)
    for number, variable in enumerate(layer.trainable_variables):
        variable.assign(np.linspace(0.5, 2 + number, values.shape[-1]))
    for variable in layer.non_trainable_variables:
        variable.assign(np.linspace(0.1, 3, values.shape[-1]))
    with tf.GradientTape() as tape:
        tape.watch(values)
        found = layer(values, training=training)
        total = tf.reduce_sum(
            tf.cast(found, tf.float32) ** 3
            * tf.reshape(tf.range(tf.size(found), dtype=tf.float32), found.shape)
        )
    return [
        found,
        *tape.gradient(total, [values, *layer.trainable_variables]),
        *layer.non_trainable_variables,
    ]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False}, {"trainable": False}])
def test_fused_equals_keras(training, options):
    values = tf.constant(np.random.default_rng(0).normal(3, 2, (3, 5, 4, 6)), tf.float32)
    for mine, theirs in zip(
        *(
            pass_through(cls, values, training, **options)
            for cls in (BatchNormalization, keras.layers.BatchNormalization)
        )
    ):
        assert np.allclose(mine, theirs, rtol=1e-4, atol=1e-4 * np.abs(theirs).max())


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_half_precision_keeps_its_statistics_in_float32(kind):
    values = tf.cast(np.random.default_rng(0).normal(300, 2, (3, 5, 4, 6)), kind)
    found, *_, mean, variance = pass_through(
        BatchNormalization, values, True, dtype=f"mixed_{kind}"
    )
    assert found.dtype == kind and mean.dtype == variance.dtype == "float32"
    exact = tf.cast(values, tf.float32).numpy()
    assert np.allclose(mean, 0.8 * np.linspace(0.1, 3, 6) + 0.2 * exact.mean((0, 1, 2)), rtol=1e-4)
    assert np.allclose(
        variance, 0.8 * np.linspace(0.1, 3, 6) + 0.2 * exact.var((0, 1, 2)), rtol=1e-3
    )


@pytest.mark.parametrize("encoder", ["resnet18", "slim"])
def test_networks_use_it_and_know_no_other(encoder):
    network = unet(encoder, filters=(8, 8, 8, 8, 4))
    kinds = {
        type(layer)
        for layer in network._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
    }
    assert kinds == {BatchNormalization}
