import keras
import numpy as np
import pytest
import tensorflow as tf

from kit.tf.network.unet import unet
from kit.tf.training.muon import MOMENTUM, RMS, Muon, is_matrix, orthogonalize
from kit.tf.training.steps import make_optimizer


def turn_slowly(matrix, steps=5):
    """Newton-Schulz turns as Jordan 2024 writes them, in float64."""
    values = matrix.astype(np.float64) / np.linalg.norm(matrix)
    for _ in range(steps):
        square = values @ values.T
        values = 3.4445 * values + (-4.7750 * square + 2.0315 * square @ square) @ values
    return values


@pytest.mark.parametrize("shape", [(30, 8), (8, 30), (16, 16), (2016, 224), (5, 1), (1, 5), (1, 1)])
def test_singular_values_become_about_equal(shape):
    matrix = np.random.default_rng(0).normal(0, 1e-3, shape).astype(np.float32)
    found = orthogonalize(tf.constant(matrix)).numpy()
    assert np.allclose(found, turn_slowly(matrix), atol=1e-3)
    values = np.linalg.svd(found, compute_uv=False)
    assert values.max() < 1.25 and np.median(values) > 0.65


def test_small_singular_values_and_zeros_stay_numbers():
    left, right = (np.linalg.qr(np.random.default_rng(k).normal(size=(40, 8)))[0] for k in (1, 2))
    matrix = (left * 10.0 ** -np.arange(8)) @ right.T[:, :12]
    assert np.allclose(
        orthogonalize(tf.constant(matrix, tf.float32)), turn_slowly(matrix), atol=2e-2
    )
    assert not orthogonalize(tf.zeros((6, 3))).numpy().any()


def apply(optimizer, variables, gradients):
    optimizer.build(variables)
    for gradient in gradients:
        optimizer.apply(gradient, variables)
    return [np.array(variable) for variable in variables]


def test_kernels_turn_and_everything_else_is_adams():
    draw = np.random.default_rng(0).normal
    shapes = [
        (3, 3, 8, 4),
        (3, 3, 3, 4),
        (3, 3, 8, 1),
        (8, 4),
        (4,),
    ]  # a kernel, the first's, a head's, a dense layer's, a bias
    start = [draw(0, 1, shape).astype(np.float32) for shape in shapes]
    gradients = [[tf.constant(draw(0, 1, shape), tf.float32) for shape in shapes] for _ in range(3)]
    mine, adam = (
        apply(cls(0.01), [keras.Variable(values) for values in start], gradients)
        for cls in (Muon, keras.optimizers.Adam)
    )
    for found, expected in zip(mine[1:], adam[1:]):
        assert np.allclose(found, expected, atol=1e-7)
    kernel, momentum = start[0].reshape(72, 4).astype(np.float64), 0.0
    for gradient in (values[0].numpy().reshape(72, 4) for values in gradients):
        momentum = MOMENTUM * momentum + gradient
        kernel -= 0.01 * RMS * 72**0.5 * turn_slowly(gradient + MOMENTUM * momentum)
    assert np.allclose(mine[0].reshape(72, 4), kernel, atol=1e-5)


@pytest.mark.parametrize(("encoder", "count"), [("efficientnetlite0", 16), ("convnext_tiny", 18)])
def test_depthwise_kernels_are_no_matrices(encoder, count):
    """Keras's DepthwiseConv2D and ConvNeXt's convolution of as many groups as channels."""
    kernels = [v for v in unet(encoder).trainable_variables if len(v.shape) == 4]
    others = [v.path for v in kernels if not is_matrix(v.shape)]
    depthwise = [path for path in others if "depthwise" in path]
    assert depthwise == [v.path for v in kernels if "depthwise" in v.path]
    assert len(depthwise) == count and len(others) == count + 2  # the first and the last


def test_an_update_is_as_long_as_adams():
    kernel = keras.Variable(np.zeros((3, 3, 64, 48), np.float32))
    (found,) = apply(
        Muon(1.0), [kernel], [[tf.random.stateless_normal(kernel.shape, (1, 2)) * 1e-4]]
    )
    assert np.sqrt(np.mean(found**2)) == pytest.approx(RMS, rel=0.2)


def test_it_is_made_by_name_and_scales_float16():
    assert type(make_optimizer(0.1, None, "muon")) is Muon
    assert type(make_optimizer(0.1, "float16", "muon").inner_optimizer) is Muon
    kernel = keras.Variable(np.zeros((3, 3, 8, 4), np.float32))
    gradient = tf.random.stateless_normal(kernel.shape, (1, 2))
    scaled = make_optimizer(0.1, "float16", "muon")
    scaled.build([kernel])
    (mine,) = apply(scaled, [kernel], [[gradient * scaled.dynamic_scale]])
    (plain,) = apply(Muon(0.1), [keras.Variable(np.zeros((3, 3, 8, 4), np.float32))], [[gradient]])
    assert np.allclose(mine, plain, atol=1e-5)
