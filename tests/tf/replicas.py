"""Two steps of training on one device and by two replicas on the same batches, for a process of its
own: a CPU is split in two before TensorFlow's first op."""

import json

import keras
import numpy as np
import tensorflow as tf

from kit.tf.network import slim
from kit.tf.network.losses import make_loss
from kit.tf.network.unet import unet
from kit.tf.training.steps import Averages, choose_strategy, make_optimizer, make_step

SIDE = 64
KEPT = []  # iterators over two devices: to delete one takes TensorFlow up to a minute


def build_shallow(synchronized: bool) -> keras.Model:
    layers = keras.layers
    inputs = layers.Input((None, None, 3), dtype="uint8")
    x = layers.Rescaling(1 / 255)(inputs)
    for filters in (8, 8):
        convolved = layers.Conv2D(filters, 3, padding="same")(x)
        x = layers.BatchNormalization(synchronized=synchronized)(convolved)
        x = layers.Activation("tanh")(x)
    return keras.Model(inputs, layers.Conv2D(1, 3, padding="same", activation="sigmoid")(x))


def build_deep(synchronized: bool) -> keras.Model:
    """The kit's U-Net, of a stem, one level and one decoder stage."""
    slim.FILTERS = (8, 8)
    return unet("slim", filters=(4, 4, 4, 4), output=2, presence=True, synchronized=synchronized)


NETS = {"shallow": build_shallow, "deep": build_deep}


def compare(*cases) -> None:
    """Prints a line of JSON for each case (net, clip, optimizer)."""
    split = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], split)
    # All cases by the same two: a second MirroredStrategy counts its reductions from the first
    # again, and TensorFlow would take them for those.
    strategies = choose_strategy(), choose_strategy(["CPU:0", "CPU:1"])
    for net, clip, name in cases:
        one, two = (Training(net, clip, name, strategy) for strategy in strategies)
        pairs = zip(one.groups, two.groups, strict=True)
        found = {
            "replicas": [strategy.num_replicas_in_sync for strategy in strategies],
            "losses": [one.losses, two.losses],
            "far": [float(np.linalg.norm(a - b) / np.linalg.norm(a)) for a, b in pairs],
        }
        if name == "scaled muon":
            found["overflow"] = two.overflow()
        print(json.dumps(found))


class Training:
    """Two steps; `groups` are the gradients, batch norms' statistics (not with Muon), weights and
    averages after the first, or after the second if the encoder was frozen in the first."""

    def __init__(self, net: str, clip: float, name: str, strategy):
        rng = np.random.default_rng(0)
        images = rng.integers(0, 255, (2, 4, SIDE, SIDE, 3), np.uint8)
        truth = np.zeros(images.shape[:-1], np.uint8)
        truth[:, 0, 3:30, 5:20], truth[:, 0, 40:42, 40:43] = 1, 2
        truth[:, 1, 10:14, :], truth[:, 3, 40:60, 30:64] = 1, 3
        with strategy.scope():
            keras.utils.set_random_seed(1)
            network = NETS[net](strategy.num_replicas_in_sync > 1)
            encoder = None
            # Adam's first step is a sign, which rounding turns where a gradient is 0.
            if name == "sgd":
                optimizer = keras.optimizers.SGD(0.02, momentum=0.9)
            elif name == "thawing":
                encoder = network.get_layer("encoder")
                optimizer = make_optimizer(
                    0.02, encoder=encoder.variables, encoder_rate=0.5, freezes=True, epsilon=0.01
                )
                before = flatten(encoder.variables)
            else:
                mixed = "float16" if name == "scaled muon" else None
                optimizer = make_optimizer(0.02, mixed, "muon")
            optimizer.build(network.trainable_variables)
        averages = Averages(network, 0.9)
        self._parts, self._options = (network, optimizer), {"batch": 4, "clip": clip}
        self._strategy = strategy
        loss = make_loss(["dice", "balanced", "focal"])
        steps = [
            self._make_step(loss, averages=averages, frozen=frozen) for frozen in (encoder, None)
        ]
        steps = steps if encoder else steps[:1] * 2
        data = tf.data.Dataset.from_tensor_slices((images, truth)).unbatch().batch(4)
        self.losses, self.groups = [], []
        batches = iter(strategy.experimental_distribute_dataset(data))
        KEPT.append(batches)
        for number, step in enumerate(steps):
            self._batch = next(batches)
            self.losses.append(float(step(*self._batch)))
            if encoder:
                assert np.array_equal(before, flatten(encoder.variables)) == (number == 0)
                assert np.array(optimizer.encoder_steps) == number
            if number == (encoder is not None):  # momentum is the gradient here
                moments = [v for v in optimizer.variables if "momentum" in v.path]
                statistics = [v for v in network.non_trainable_variables if "moving" in v.path]
                groups = [moments, statistics, network.variables, averages.kept]
                if "muon" in name:  # a kernel that is not Adam's
                    del groups[1]
                    groups = [[v for v in group if v.shape == (3, 3, 8, 8)] for group in groups]
                self.groups = [flatten(group) for group in groups]

    def _make_step(self, loss, **options):
        return make_step(*self._parts, loss, self._strategy, **self._options, **options)

    def overflow(self) -> dict:
        """What a gradient that overflows changes: weights, and the factor of the loss's scale."""
        network, optimizer = self._parts
        optimizer.dynamic_scale.assign(3e38)
        before = flatten(network.trainable_variables)
        self._make_step(make_loss("focal", factor=1e6))(*self._batch)
        changed = not np.array_equal(before, flatten(network.trainable_variables))
        return {"changed": changed, "scale": float(np.array(optimizer.dynamic_scale)) / 3e38}


def flatten(variables) -> np.ndarray:
    return np.concatenate([np.array(variable, np.float64).ravel() for variable in variables])
