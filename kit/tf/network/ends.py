"""The ends of a network: pixels to an encoder's floats, logits to probabilities."""

import keras
import tensorflow as tf


def _size(tensor) -> tuple:
    """Height and width of (batch, height, width, ...).

    Each is a number if it is static, so that what follows stays static too.
    """
    dynamic = tf.shape(tensor)
    return tuple(
        dynamic[axis] if tensor.shape[axis] is None else tensor.shape[axis] for axis in (1, 2)
    )


@keras.saving.register_keras_serializable(package="kit")
class Prepare(keras.layers.Layer):
    """Turns uint8 RGB (batch, height, width, 3) into the floats that the encoder expects.

    Values become (value - mean) / deviation. The image is padded at the bottom and the right to the
    encoder's multiple, by its mirror image if it is large enough, else by zeros. Then it is shrunk.

    Args:
        mean: of each channel, as the encoder expects it.
        deviation: of each channel, likewise.
        scale: factor by which the image is shrunk.
        multiple: the sides must be multiples of this after shrinking.
    """

    def __init__(self, mean, deviation, scale: int = 1, multiple: int = 32, **options):
        super().__init__(**options)
        self.mean, self.deviation = tuple(mean), tuple(deviation)
        self.scale, self.multiple = scale, multiple

    def call(self, images):
        height, width = _size(images)
        multiple = self.multiple * self.scale
        # Not -height % multiple: in ONNX the remainder has the sign of the dividend.
        bottom, right = ((multiple - side % multiple) % multiple for side in (height, width))
        values = (tf.cast(images, tf.float32) - tf.constant(self.mean, tf.float32)) / tf.constant(
            self.deviation, tf.float32
        )
        room = [[0, 0], [0, bottom], [0, right], [0, 0]]
        mirror = (bottom <= height) & (right <= width)
        if isinstance(mirror, bool):  # tf.cond refuses a static condition
            values = tf.pad(values, room, "SYMMETRIC" if mirror else "CONSTANT")
        else:
            values = tf.cond(
                mirror, lambda: tf.pad(values, room, "SYMMETRIC"), lambda: tf.pad(values, room)
            )
        if self.scale > 1:
            values = tf.nn.avg_pool2d(values, self.scale, self.scale, "VALID")
        return tf.cast(values, self.compute_dtype)

    def compute_output_shape(self, shape):
        return (shape[0], None, None, 3)

    def get_config(self):
        names = ("mean", "deviation", "scale", "multiple")
        return super().get_config() | {name: getattr(self, name) for name in names}


@keras.saving.register_keras_serializable(package="kit")
class Probability(keras.layers.Layer):
    """Turns logits and the images into float32 probabilities.

    Logits are (batch, padded height / factor, padded width / factor, classes). Probabilities are
    (batch, ceil(height / factor), ceil(width / factor), classes) in training, else enlarged to
    (batch, height, width, classes), without the last axis if there is one class. Probabilities are
    enlarged, not logits: training compares them with the share of a cell that objects cover, so
    coverage is interpolated.

    Args:
        factor: by which logits are coarser than images.
        activation: sigmoid or softmax.
    """

    def __init__(self, factor: int = 1, activation: str = "sigmoid", **options):
        super().__init__(**options)
        self.factor, self.activation = factor, activation

    def call(self, inputs, training=False):
        logits, images = inputs
        height, width = _size(images)
        logits = tf.cast(logits, tf.float32)
        values = tf.nn.softmax(logits) if self.activation == "softmax" else tf.sigmoid(logits)
        if training:
            height, width = ((side + self.factor - 1) // self.factor for side in (height, width))
        elif self.factor > 1:
            rows, columns = _size(values)
            # Bilinear, half-pixel centers.
            values = tf.image.resize(values, (rows * self.factor, columns * self.factor))
        values = values[:, :height, :width]
        return values[..., 0] if values.shape[3] == 1 else values

    def compute_output_shape(self, shapes):
        classes = shapes[0][3]
        return (shapes[1][0], None, None, *([] if classes == 1 else [classes]))

    def get_config(self):
        return super().get_config() | {"factor": self.factor, "activation": self.activation}
