import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from kit.errors import KitError
from kit.tf.network.losses import make_loss
from kit.tf.network.norm import BatchNormalization
from kit.tf.network.unet import unet
from kit.tf.training.steps import Averages, choose_strategy, make_optimizer, make_step
from tests.forks import finish
from tests.tf import replicas

CASES = {
    "shallow": ("shallow", 0, "sgd"),
    "clipped": ("shallow", 0.05, "sgd"),
    "deep": ("deep", 1, "sgd"),
    "muon": ("shallow", 0, "muon"),
    "scaled muon": ("shallow", 0.5, "scaled muon"),
    "frozen first": ("deep", 1, "thawing"),
}


@pytest.fixture(scope="module")
def compared(once) -> dict:
    """What tests.tf.replicas finds of each case, in one child for all: most is traced once."""

    def make(folder):
        status, output, errors = finish(replicas.compare, *CASES.values())
        assert status == 0, errors[-2000:]
        (folder / "found.txt").write_text(output)

    lines = (once("replicas", make) / "found.txt").read_text().splitlines()
    return dict(zip(CASES, map(json.loads, lines), strict=True))


@pytest.mark.parametrize("case", CASES)
def test_two_replicas_equal_one_device_on_the_same_batch(compared, case):
    found = compared[case]
    assert found["replicas"] == [1, 2]
    assert np.allclose(*found["losses"], rtol=1e-5)
    assert max(found["far"]) < 1e-5, "gradients, statistics (not with Muon), weights, averages"
    if case == "scaled muon":  # a gradient that overflows changes nothing but the scale
        assert found["overflow"] == {"changed": False, "scale": pytest.approx(0.5)}


@pytest.fixture
def small():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 3), dtype="uint8")
    floats = keras.layers.Rescaling(1 / 255)(inputs)
    return keras.Model(
        inputs, keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid")(floats)
    )


IMAGES = np.random.default_rng(0).integers(0, 255, (4, 8, 8, 3), np.uint8)
TRUTH = (IMAGES[..., 0] > 128).astype(np.uint8)


@pytest.mark.parametrize("clip", [0.01, 0, 100])
def test_a_step_is_the_gradient_of_the_mean_loss_clipped_and_applied(small, clip):
    loss, optimizer = make_loss(["dice", "bce"]), keras.optimizers.SGD(0.5)
    optimizer.build(small.trainable_variables)
    before = [np.array(value) for value in small.trainable_variables]
    with tf.GradientTape() as tape:
        expected = tf.reduce_mean(loss.call(TRUTH, small(IMAGES)))
    gradients, norm = tf.clip_by_global_norm(
        tape.gradient(expected, small.trainable_variables), clip or 1e9
    )
    assert 0.02 < norm < 50  # so that one clips, the other does not
    step = make_step(small, optimizer, loss, choose_strategy(), batch=4, clip=clip)
    assert float(step(IMAGES, TRUTH)) == pytest.approx(float(expected), rel=1e-6)
    for old, new, gradient in zip(before, small.trainable_variables, gradients):
        assert np.allclose(np.array(new), old - 0.5 * gradient, atol=1e-7)


@pytest.mark.parametrize("synchronized", [False, True])
def test_a_frozen_layer_stays_as_it_is_and_has_no_gradient(synchronized):
    layers, inputs = keras.layers, keras.Input((8, 8, 3), dtype="uint8")
    norm = BatchNormalization(momentum=0.5, synchronized=synchronized)
    kept = layers.Conv2D(4, 3, trainable=False)
    encoder = keras.Sequential([layers.Conv2D(2, 3), norm, kept], name="encoder")
    head = layers.Conv2DTranspose(1, 5, activation="sigmoid")
    network = keras.Model(inputs, head(encoder(layers.Rescaling(1 / 255)(inputs))))
    optimizer = keras.optimizers.SGD(0.5)
    optimizer.build(network.trainable_variables)
    order = [variable.path for variable in network.variables]

    def take(frozen) -> int:
        before = [[np.array(v) for v in layer.variables] for layer in (encoder, head)]
        step = make_step(
            network,
            optimizer,
            make_loss("bce"),
            choose_strategy(),
            batch=4,
            clip=0.01,
            frozen=frozen,
        )
        step(tf.constant(IMAGES), tf.constant(TRUTH))
        moved = [
            [np.linalg.norm(np.array(v) - old) for v, old in zip(layer.variables, values)]
            for layer, values in zip((encoder, head), before)
        ]
        if frozen:
            assert not any(moved[0])
            assert np.linalg.norm(moved[1]) == pytest.approx(0.5 * 0.01, rel=1e-3)
        else:
            assert all(moved[0][:-2]) and not any(moved[0][-2:])
        graph = step.get_concrete_function(tf.constant(IMAGES), tf.constant(TRUTH)).graph
        return [op.type for op in graph.get_operations()].count("Conv2DBackpropFilter")

    assert (take(encoder), take(None)) == (1, 3)
    assert order == [variable.path for variable in network.variables]


def test_gradients_are_added_in_pairs_in_a_fixed_order():
    """AddN of three adds in an order that depends on time, so runs differed in the last digit."""
    inputs = keras.Input((8, 8, 3), dtype="uint8")
    read_often = keras.layers.Rescaling(1 / 255)(inputs)
    read_often = keras.layers.Conv2D(2, 3, padding="same")(read_often)
    readers = [keras.layers.Conv2D(1, 3, padding="same")(read_often) for _ in range(4)]
    network = keras.Model(inputs, keras.layers.Activation("sigmoid")(keras.layers.add(readers)))
    optimizer = keras.optimizers.SGD(0.5)
    optimizer.build(network.trainable_variables)
    step = make_step(network, optimizer, make_loss("bce"), choose_strategy(), batch=4, clip=1)
    graph = step.get_concrete_function(tf.constant(IMAGES), tf.constant(TRUTH)).graph
    sums = [len(op.inputs) for op in graph.get_operations() if op.type == "AddN"]
    assert sums.count(2) >= 3 and max(sums) == 2
    if not tf.config.list_physical_devices("GPU"):  # it would join the pairs again
        options = tf.config.optimizer.get_experimental_options()
        assert options["arithmetic_optimization"] is False


def test_averages_follow_the_weights_and_leave_them_alone(small):
    optimizer = make_optimizer(0.1)
    optimizer.build(small.trainable_variables)
    averages = Averages(small, 0.5)
    step = make_step(
        small, optimizer, make_loss("bce"), choose_strategy(), batch=4, clip=0, averages=averages
    )
    expected = [np.array(value) for value in small.weights]
    for count in range(1, 5):
        step(IMAGES, TRUTH)
        momentum = min(0.5, (1 + count) / (10 + count))
        expected = [
            momentum * old + (1 - momentum) * np.array(new)
            for old, new in zip(expected, small.weights)
        ]
    own = [np.array(value) for value in small.weights]
    with averages.in_place():
        assert all(
            np.allclose(np.array(value), want, atol=1e-6)
            for value, want in zip(small.weights, expected)
        )
        assert not np.allclose(own[0], np.array(small.weights[0]))
    assert all(np.array_equal(np.array(value), want) for value, want in zip(small.weights, own))


@pytest.mark.parametrize(
    ("encoder", "side", "mixed"),
    [
        ("resnet18", 64, "float16"),
        pytest.param(  # a float16 sum of so many pixels is infinite
            *("plain", 768, "float16"), marks=pytest.mark.prove("a CPU computes float16 slowly")
        ),
        ("slim", 64, "bfloat16"),
    ],
)
def test_mixed_precision_trains_and_gives_numbers(shallow, encoder, side, mixed):
    keras.utils.set_random_seed(0)
    network = unet(encoder, filters=(8, 8, 8, 8, 4), mixed=mixed, presence=True)
    optimizer = make_optimizer(1e-3, mixed)
    optimizer.build(network.trainable_variables)
    before = np.array(network.trainable_variables[-2])
    step = make_step(
        network, optimizer, make_loss(["dice", "balanced"]), choose_strategy(), batch=1, clip=1.0
    )
    image = np.random.default_rng(0).integers(0, 255, (1, side, side, 3), np.uint8)
    truth = np.zeros((1, side, side), np.uint8)
    truth[0, side // 8 : side // 2, side // 8 : side // 2] = 1
    losses = [float(step(image, truth)) for _ in range(2)]
    assert np.isfinite(losses).all()
    assert all(np.isfinite(np.array(value)).all() for value in network.weights)
    assert not np.array_equal(before, np.array(network.trainable_variables[-2]))


def test_an_unknown_device_is_named():
    with pytest.raises(KitError, match="--devices TPU:7: this machine has CPU:0"):
        choose_strategy(["TPU:7", "CPU:0"])


@pytest.mark.parametrize(("gpus", "mirrored"), [(0, False), (1, False), (2, True)])
def test_several_gpus_are_used_unasked(monkeypatch, gpus, mirrored):
    class Device:
        name = "/physical_device:GPU:0"

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: [Device()] * gpus)
    monkeypatch.setattr(
        tf.distribute, "MirroredStrategy", lambda devices=None: ("mirrored", devices)
    )
    assert (choose_strategy() == ("mirrored", None)) == mirrored
