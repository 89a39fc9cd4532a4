"""Layers that a `.keras` file can hold, for those that it can't, and faster ones.

segmentation-models has Lambdas, and classes and functions that nothing registers. The replacements
keep names, weights and results.
"""

import keras
import tensorflow as tf

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
class ChannelConv2D(keras.layers.Conv2D):
    """A Conv2D with a group for each channel, as in Keras's ConvNeXt, by TensorFlow's depthwise op.

    Keras compiles one with XLA for each size of image. On two cores, a step of ConvNeXt Tiny on two
    crops of 256 px takes 2.4 s instead of 17.
    """

    def call(self, inputs):
        kernel = keras.ops.reshape(self.kernel, (*self.kernel_size, self.filters, 1))
        strides = (1, *self.strides, 1)
        values = tf.nn.depthwise_conv2d(inputs, kernel, strides, self.padding.upper())
        return self.activation(values if self.bias is None else values + self.bias)


@keras.saving.register_keras_serializable(package="kit")
class FixedDropout(keras.layers.Dropout):
    """Keras's dropout under the name that efficientnet's has in files of weights."""


@keras.saving.register_keras_serializable(package="kit")
class LayerScale(keras.layers.Layer):
    """Multiplies channels by weights that begin small (Touvron 2021), as in Keras's ConvNeXt."""

    def __init__(self, init_values: float, projection_dim: int, **options):
        super().__init__(**options)
        self.init_values, self.projection_dim = init_values, projection_dim

    def build(self, shape):
        self.gamma = self.add_weight(
            shape=(self.projection_dim,), initializer=keras.initializers.Constant(self.init_values)
        )

    def call(self, inputs):
        return inputs * self.gamma

    def get_config(self):
        names = ("init_values", "projection_dim")
        return super().get_config() | {name: getattr(self, name) for name in names}


def replace_layers(network: keras.Model, momentum: float, synchronized: bool = False) -> None:
    """Replaces layers of a network in place, by their class.

    Args:
        network: the network.
        momentum: of every batch norm.
        synchronized: batch norms take their statistics over all replicas.
    """
    for layer in network._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.__class__ = BatchNormalization
            layer.momentum, layer.synchronized = momentum, synchronized
        elif isinstance(layer, keras.layers.Lambda):  # of a grouped convolution or an attention
            start, stop = (layer.arguments.get(name) for name in ("start", "stop"))
            layer.__class__ = Channels
            layer.start, layer.stop = start, stop
        elif isinstance(layer, keras.layers.Conv2D) and layer.groups == layer.filters > 1:
            layer.__class__ = ChannelConv2D
        elif type(layer).__name__ == "LayerScale":  # of ConvNeXt
            layer.__class__ = LayerScale
        elif type(layer).__name__ == "FixedDropout":
            layer.__class__ = FixedDropout
        elif getattr(getattr(layer, "activation", None), "__name__", "") == "swish":
            layer.activation = keras.activations.silu
