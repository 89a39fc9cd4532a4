"""Layers that a `.keras` file can hold, for those that it can't.

segmentation-models has Lambdas, and classes and functions that nothing registers. The replacements
keep names, weights and results.
"""

import keras

from .norm import BatchNormalization


@keras.saving.register_keras_serializable(package="kit")
class Channels(keras.layers.Layer):
    """Takes channels `start` to `stop` of (batch, height, width, channels).

    Values (batch, channels) become (batch, 1, 1, channels).
    """

    def __init__(self, start: int | None = None, stop: int | None = None, **options):
        super().__init__(**options)
        self.start, self.stop = start, stop

    def call(self, inputs, mask=None, training=None):  # a Lambda's arguments
        inputs = inputs[:, None, None] if len(inputs.shape) == 2 else inputs
        return inputs[..., self.start : self.stop]

    def get_config(self):
        return super().get_config() | {"start": self.start, "stop": self.stop}


@keras.saving.register_keras_serializable(package="kit")
class FixedDropout(keras.layers.Dropout):
    """Keras's dropout under the name that efficientnet's has in files of weights."""


def replace_layers(network: keras.Model, momentum: float, synchronized: bool) -> None:
    """Replaces layers of a network in place, by their class.

    Args:
        network: the network.
        momentum: of every batch norm.
        synchronized: batch norms take their statistics over all replicas.
    """
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.__class__ = BatchNormalization
            layer.momentum, layer.synchronized = momentum, synchronized
        elif isinstance(layer, keras.layers.Lambda):  # of a grouped convolution or an attention
            start, stop = (layer.arguments.get(name) for name in ("start", "stop"))
            layer.__class__ = Channels
            layer.start, layer.stop = start, stop
        elif type(layer).__name__ == "FixedDropout":
            layer.__class__ = FixedDropout
        elif getattr(getattr(layer, "activation", None), "__name__", "") == "swish":
            layer.activation = keras.activations.silu
