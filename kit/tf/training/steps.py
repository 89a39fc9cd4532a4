"""One training step, the same on one device and on several, and the weights' moving average."""

import contextlib
from collections.abc import Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf

from ...errors import KitError
from ..network.outputs import take_map
from ..network.precision import choose_precision
from .adam import Adam
from .muon import Muon

PRESENCE_WEIGHT = 0.25  # of the presence output's cross entropy; the pixels' losses weigh 1


def choose_strategy(devices: Sequence[str] = ()) -> tf.distribute.Strategy:
    """Chooses how a step is spread over devices, such as GPU:0.

    It is MirroredStrategy for several devices, OneDeviceStrategy for one. If no device is given, it
    is MirroredStrategy over all GPUs if there are several, else TensorFlow's default.

    Raises:
        KitError: if this machine lacks a device.
    """
    known = [
        device.name.removeprefix("/physical_device:")
        for device in tf.config.list_physical_devices()
    ]
    known += [device.name.removeprefix("/device:") for device in tf.config.list_logical_devices()]
    for device in devices:
        if device not in known:
            raise KitError(f"--devices {device}: this machine has {', '.join(sorted(set(known)))}")
    if len(devices) > 1 or (not devices and len(tf.config.list_physical_devices("GPU")) > 1):
        return tf.distribute.MirroredStrategy(list(devices) or None)
    return tf.distribute.OneDeviceStrategy(devices[0]) if devices else tf.distribute.get_strategy()


OPTIMIZER_CLASSES: dict[str, type[Adam]] = {
    "adam": Adam,
    "muon": Muon,
}


def make_optimizer(
    learning_rate: float, mixed: str | None = None, name: str = "adam", **options
) -> keras.optimizers.Optimizer:
    """Makes one of OPTIMIZER_CLASSES, with options of Adam, and scales its loss for float16.

    The smallest number in float16 is 6e-8; bfloat16 has the range of float32.
    """
    optimizer = OPTIMIZER_CLASSES[name](learning_rate, **options)
    return (
        keras.optimizers.LossScaleOptimizer(optimizer)
        if choose_precision(mixed) == "float16"
        else optimizer
    )


class Averages:
    """A moving average of a network's weights and statistics; momentum 0 keeps none.

    After step t the momentum is min(momentum, (1 + t) / (10 + t)), so that the average soon forgets
    the random weights at the start.
    """

    def __init__(self, network: keras.Model, momentum: float):
        self.momentum = momentum
        self.live = (
            [variable for variable in network.weights if tf.as_dtype(variable.dtype).is_floating]
            if momentum
            else []
        )
        self.kept = [tf.Variable(np.array(variable), trainable=False) for variable in self.live]

    def update(self, step) -> None:
        """Moves the averages towards the weights; call it after each step, inside its graph."""
        if not self.momentum:
            return
        count = tf.cast(step, tf.float32)
        momentum = tf.minimum(self.momentum, (1 + count) / (10 + count))
        for kept, live in zip(self.kept, self.live):
            kept.assign(kept + (1 - momentum) * (tf.convert_to_tensor(live.value) - kept))

    def settle(self) -> None:
        """Gives the network the averages as its own weights."""
        for variable, kept in zip(self.live, self.kept):
            variable.assign(kept)

    def restart(self) -> None:
        """Begins the averages anew, at the network's own weights."""
        for variable, kept in zip(self.live, self.kept):
            kept.assign(variable)

    @contextlib.contextmanager
    def in_place(self):
        """Gives the network the averages as its weights inside the block, then its own again."""
        own = [np.array(variable) for variable in self.live]
        try:
            self.settle()
            yield
        finally:
            for variable, value in zip(self.live, own):
                variable.assign(value)


def differentiate(compute, variables: Sequence[keras.Variable], scale=lambda total: total):
    """Computes a scalar and the gradients of its scaled value, summed in a fixed order.

    Where a tensor has three readers or more, a tape adds their gradients in one AddN. On a CPU its
    order of summing depends on which reader ended first, so two runs differed in the last digit. In
    the graph of a single device, gradients are added in pairs. `kit.tf` keeps TensorFlow from
    joining the pairs.

    Args:
        compute: a function without arguments that returns the scalar.
        variables: what to differentiate by.
        scale: a function of the scalar that gives the value to differentiate.

    Returns:
        The scalar; a list of gradients.
    """
    single = tf.distribute.get_strategy().num_replicas_in_sync == 1
    if single and not tf.executing_eagerly():
        total = compute()
        pairs = tf.AggregationMethod.EXPERIMENTAL_TREE
        values = [variable.value for variable in variables]
        return total, tf.gradients(scale(total), values, aggregation_method=pairs)
    with tf.GradientTape() as tape:
        total = compute()
        scaled = scale(total)
    return total, tape.gradient(scaled, variables)


@contextlib.contextmanager
def freezing(layer: keras.Layer | None) -> Iterator[None]:
    """Freezes a layer with all that it holds inside the block; None: none.

    Its weights are not trainable then, and its batch norms work as at inference. Weights that were
    not trainable before stay so afterwards.
    """
    parts = () if layer is None else (*layer._flatten_layers(), *layer.variables)
    kept = [(part, part.trainable) for part in parts]
    if layer is not None:
        layer.trainable = False
    try:
        yield
    finally:
        for part, trainable in kept:
            part.trainable = trainable


def make_step(
    network: keras.Model,
    optimizer,
    loss,
    strategy,
    *,
    batch: int,
    clip: float,
    averages: Averages | None = None,
    frozen: keras.Layer | None = None,
):
    """Compiles one training step, which changes weights, statistics, optimizer and averages.

    Args:
        network: maps uint8 images to probabilities, or to a dict with `presence` beside them.
        optimizer: made by `make_optimizer`.
        loss: keras.losses.Loss with one value per sample.
        strategy: made by `choose_strategy`.
        batch: images per step, on all replicas together.
        clip: largest global norm of the gradient, once it is summed over replicas; 0: no limit.
        averages: the moving average to update; None: none.
        frozen: a layer of the network that this step leaves as it is; None: none.

    Returns:
        A function (images, masks) of a batch, distributed if there are replicas -> the mean loss
        over the whole batch.
    """
    replicas = strategy.num_replicas_in_sync

    def compute_loss(images, truth):
        found = network(images, training=True)
        values = loss.call(truth, take_map(found))
        if isinstance(found, dict):
            there = tf.cast(tf.reduce_any(truth > 0, (1, 2)), tf.float32)
            values += PRESENCE_WEIGHT * keras.losses.binary_crossentropy(
                there[:, None], found["presence"][:, None]
            )
        total = tf.reduce_sum(values) / batch
        if network.losses:
            total += tf.add_n(network.losses) / replicas
        return total

    def replica(images, truth):
        total, gradients = differentiate(
            lambda: compute_loss(images, truth), network.trainable_variables, optimizer.scale_loss
        )
        if replicas > 1:
            gradients = tf.distribute.get_replica_context().all_reduce(
                tf.distribute.ReduceOp.SUM, gradients
            )
        factor = tf.constant(1.0)
        if clip:
            scale = optimizer.dynamic_scale if hasattr(optimizer, "dynamic_scale") else 1.0
            norm = tf.linalg.global_norm(gradients) / tf.cast(scale, tf.float32)
            factor = clip / tf.maximum(norm, clip)
        # Keras sums these gradients over the replicas once more.
        optimizer.apply(
            [gradient * (factor / replicas) for gradient in gradients], network.trainable_variables
        )
        return total

    @tf.function
    def step(images, truth):
        with freezing(frozen):
            total = strategy.reduce(
                tf.distribute.ReduceOp.SUM, strategy.run(replica, args=(images, truth)), axis=None
            )
        if averages is not None:
            averages.update(optimizer.iterations)
        return total

    return step
