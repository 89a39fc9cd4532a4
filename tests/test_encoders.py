"""The figures of the registry are those of the networks that are built."""

import pytest

from kit.encoders import ENCODERS

CHEAP = ("mobilenet", "efficientnetlite0", "convnext_tiny", "plain", "slim")


def count_operations(network, side: int) -> int:
    """The operations of a forward pass for one image, as TensorFlow's profiler counts them."""
    import tensorflow as tf

    profiler = tf.compat.v1.profiler
    image = tf.TensorSpec((1, side, side, 3), tf.uint8)
    made = tf.function(network).get_concrete_function(image, training=False)
    builder = profiler.ProfileOptionBuilder(profiler.ProfileOptionBuilder.float_operation())
    options = builder.with_empty_output().build()
    return profiler.profile(made.graph, options=options).total_float_ops


def check_figures(name: str) -> None:
    from kit.tf.network.encoder import encoder

    network, known = encoder(name), ENCODERS[name]
    counted = network.count_params(), count_operations(network, 256) / 1e9
    # What an entry should say; versions of Keras differ a little in their activations.
    assert counted == (known.parameters, pytest.approx(known.gflops, rel=0.01, abs=0.005))


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", CHEAP)
def test_parameters_and_cost_are_those_of_the_encoder(name):
    check_figures(name)


@pytest.mark.prove("builds the largest encoders")
@pytest.mark.tensorflow
@pytest.mark.parametrize("name", sorted(set(ENCODERS) - set(CHEAP)))
def test_parameters_and_cost_are_those_of_the_other_encoders(name):
    check_figures(name)


def test_only_weights_have_an_accuracy():
    for known in ENCODERS.values():
        assert (known.top1 is None) == (known.weights is None)
        assert known.top1 is None or 65 < known.top1 < 90
