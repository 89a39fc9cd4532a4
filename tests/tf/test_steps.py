import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from kit.errors import KitError
from kit.tf.losses import make_loss
from kit.tf.steps import Averages, choose_strategy, make_optimizer, make_step
from kit.tf.unet import unet

TWO_DEVICES = """
import json, sys
import kit.tf
import keras, numpy as np, tensorflow as tf
from kit.tf.losses import make_loss
from kit.tf.steps import Averages, choose_strategy, make_optimizer, make_step
from kit.tf.unet import unet

def shallow(synchronized):
    layers = keras.layers
    inputs = layers.Input((None, None, 3), dtype="uint8")
    x = layers.Rescaling(1 / 255)(inputs)
    for filters in (8, 8):
        x = layers.BatchNormalization(synchronized=synchronized)(layers.Conv2D(filters, 3, padding="same")(x))
        x = layers.Activation("tanh")(x)
    return keras.Model(inputs, layers.Conv2D(1, 3, padding="same", activation="sigmoid")(x))

def deep(synchronized):
    return unet("resnet18", decoder=(8, 8, 8, 8, 4), output=2, presence=True, synchronized=synchronized)

tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2)
rng = np.random.default_rng(0)
images = rng.integers(0, 255, (2, 4, 96, 96, 3), np.uint8)
truth = np.zeros((2, 4, 96, 96), np.uint8)
truth[:, 0, 3:30, 5:20], truth[:, 0, 40:42, 40:43], truth[:, 1, 10:14, :], truth[:, 3, 50:80, 50:90] = 1, 2, 1, 3

found = []
for devices in ([], ["CPU:0", "CPU:1"]):
    strategy = choose_strategy(devices)
    with strategy.scope():
        keras.utils.set_random_seed(1)
        network = (shallow if sys.argv[2] == "shallow" else deep)(bool(devices))
        # Adam's first step is a sign, which rounding turns where a gradient is 0.
        if sys.argv[3] == "sgd":
            optimizer = keras.optimizers.SGD(0.02, momentum=0.9)
        else:
            optimizer = make_optimizer(0.02, "float16" if sys.argv[3] == "scaled muon" else None, "muon")
        optimizer.build(network.trainable_variables)
    averages = Averages(network, 0.9)
    options = {"batch": 4, "clip": float(sys.argv[1]), "averages": averages}
    step = make_step(network, optimizer, make_loss(["dice", "balanced", "focal"]), strategy, **options)
    data = tf.data.Dataset.from_tensor_slices((images, truth)).unbatch().batch(4)
    losses, parts = [], []
    for batch in strategy.experimental_distribute_dataset(data):
        losses.append(float(step(*batch)))
        if not parts:  # momentum is the gradient here
            moments = [v for v in optimizer.variables if "momentum" in v.path]
            statistics = [v for v in network.non_trainable_variables if "moving" in v.path]
            groups = [moments, statistics, network.variables, averages.kept]
            if sys.argv[3] != "sgd":  # a kernel that is not Adam's
                groups = [[v for v in group if tuple(v.shape) == (3, 3, 8, 8)] for group in groups if group is not statistics]
            for group in groups:
                parts.append(np.concatenate([np.array(v, np.float64).ravel() for v in group]))
    found.append((losses, parts))
if sys.argv[3] == "scaled muon":  # a gradient that overflows changes nothing but the scale
    optimizer.dynamic_scale.assign(3e38)
    before = [np.array(v) for v in network.trainable_variables]
    make_step(network, optimizer, make_loss("focal", factor=1e6), strategy, batch=4, clip=float(sys.argv[1]))(*batch)
    assert all(np.array_equal(old, new) for old, new in zip(before, network.trainable_variables))
    assert np.isclose(np.array(optimizer.dynamic_scale), 1.5e38)
one, two = found
print(json.dumps({
    "replicas": choose_strategy(["CPU:0", "CPU:1"]).num_replicas_in_sync,
    "losses": [one[0], two[0]],
    "far": [float(np.linalg.norm(a - b) / np.linalg.norm(a)) for a, b in zip(one[1], two[1])],
}))
"""


# Rounding alone (a batch in another order) changes a gradient of 18 layers with batch norms by 7e-4, so it is compared in two.
@pytest.mark.parametrize(
    ("net", "clip", "gradient", "optimizer"),
    [
        ("shallow", 0, 1e-5, "sgd"),
        ("shallow", 0.05, 1e-5, "sgd"),
        ("deep", 1, 0.05, "sgd"),
        ("shallow", 0, 1e-5, "muon"),
        ("shallow", 0.5, 1e-5, "scaled muon"),
    ],
)
def test_two_replicas_equal_one_device_on_the_same_batch(net, clip, gradient, optimizer):
    done = subprocess.run([sys.executable, "-c", TWO_DEVICES, str(clip), net, optimizer], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["replicas"] == 2
    assert np.allclose(*found["losses"], rtol=1e-5)
    assert found["far"][0] < gradient, "relative distance of the whole vectors"
    assert max(found["far"][1:]) < 1e-5, "statistics of batch norms (not with muon), weights, averages"


@pytest.fixture
def small():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 3), dtype="uint8")
    floats = keras.layers.Rescaling(1 / 255)(inputs)
    return keras.Model(inputs, keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid")(floats))


IMAGES = np.random.default_rng(0).integers(0, 255, (4, 8, 8, 3), np.uint8)
TRUTH = (IMAGES[..., 0] > 128).astype(np.uint8)


@pytest.mark.parametrize("clip", [0.01, 0, 100])
def test_a_step_is_the_gradient_of_the_mean_loss_clipped_and_applied(small, clip):
    loss, optimizer = make_loss(["dice", "bce"]), keras.optimizers.SGD(0.5)
    optimizer.build(small.trainable_variables)
    before = [np.array(value) for value in small.trainable_variables]
    with tf.GradientTape() as tape:
        expected = tf.reduce_mean(loss.call(TRUTH, small(IMAGES)))
    gradients, norm = tf.clip_by_global_norm(tape.gradient(expected, small.trainable_variables), clip or 1e9)
    assert 0.02 < norm < 50  # so that one clips, the other does not
    step = make_step(small, optimizer, loss, choose_strategy(), batch=4, clip=clip)
    assert float(step(IMAGES, TRUTH)) == pytest.approx(float(expected), rel=1e-6)
    for old, new, gradient in zip(before, small.trainable_variables, gradients):
        assert np.allclose(np.array(new), old - 0.5 * gradient, atol=1e-7)


def test_averages_follow_the_weights_and_leave_them_alone(small):
    optimizer = make_optimizer(0.1)
    optimizer.build(small.trainable_variables)
    averages = Averages(small, 0.5)
    step = make_step(small, optimizer, make_loss("bce"), choose_strategy(), batch=4, clip=0, averages=averages)
    expected = [np.array(value) for value in small.weights]
    for count in range(1, 5):
        step(IMAGES, TRUTH)
        momentum = min(0.5, (1 + count) / (10 + count))
        expected = [momentum * old + (1 - momentum) * np.array(new) for old, new in zip(expected, small.weights)]
    own = [np.array(value) for value in small.weights]
    with averages.in_place():
        assert all(np.allclose(np.array(value), want, atol=1e-6) for value, want in zip(small.weights, expected))
        assert not np.allclose(own[0], np.array(small.weights[0]))
    assert all(np.array_equal(np.array(value), want) for value, want in zip(small.weights, own))


@pytest.mark.parametrize(
    ("encoder", "side", "mixed"),
    [("resnet18", 128, "float16"), ("plain", 768, "float16"), ("resnet18", 128, "bfloat16"), ("slim", 128, "bfloat16")],
)
def test_mixed_precision_trains_and_gives_numbers(encoder, side, mixed):
    keras.utils.set_random_seed(0)
    network = unet(encoder, decoder=(8, 8, 8, 8, 4), mixed=mixed, presence=True)
    optimizer = make_optimizer(1e-3, mixed)
    optimizer.build(network.trainable_variables)
    before = np.array(network.trainable_variables[-2])
    step = make_step(network, optimizer, make_loss(["dice", "balanced"]), choose_strategy(), batch=1, clip=1.0)
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
