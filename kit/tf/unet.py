"""The network: segmentation-models' U-Net that eats uint8 RGB of any size and gives a probability map at full size."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import keras
import tensorflow as tf

from ..errors import KitError

_RAW = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)  # its first layer is a batch norm
_IMAGENET = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
# Encoders that are built, trained and restored under Keras 3, with the mean and deviation that their ImageNet weights expect.
ENCODERS = {"resnet18": _RAW, "resnet34": _RAW, "efficientnetb0": _IMAGENET}
MULTIPLE = 32  # px: the encoders halve their input five times


@keras.saving.register_keras_serializable(package="kit")
class Prepare(keras.layers.Layer):
    """uint8 RGB (batch, height, width, 3) to floats that the encoder expects, padded at the bottom and the right, shrunk by `scale`.

    Values become (value - mean) / deviation. The padding, to the encoder's multiple, mirrors the image where it is large enough.
    """

    def __init__(self, mean, deviation, scale: int = 1, **options):
        super().__init__(**options)
        self.mean, self.deviation, self.scale = tuple(mean), tuple(deviation), scale

    def call(self, images):
        size = tf.shape(images)
        multiple = MULTIPLE * self.scale
        bottom, right = -size[1] % multiple, -size[2] % multiple
        values = (tf.cast(images, tf.float32) - tf.constant(self.mean)) / tf.constant(self.deviation)
        room = [[0, 0], [0, bottom], [0, right], [0, 0]]
        mirror = (bottom <= size[1]) & (right <= size[2])
        values = tf.cond(mirror, lambda: tf.pad(values, room, "SYMMETRIC"), lambda: tf.pad(values, room))
        if self.scale > 1:
            values = tf.nn.avg_pool2d(values, self.scale, self.scale, "VALID")
        return tf.cast(values, self.compute_dtype)

    def compute_output_shape(self, shape):
        return (shape[0], None, None, 3)

    def get_config(self):
        return super().get_config() | {"mean": self.mean, "deviation": self.deviation, "scale": self.scale}


@keras.saving.register_keras_serializable(package="kit")
class Probability(keras.layers.Layer):
    """Logits (batch, padded height / scale, padded width / scale, 1) to float32 probabilities (batch, height, width)."""

    def __init__(self, scale: int = 1, **options):
        super().__init__(**options)
        self.scale = scale

    def call(self, inputs):
        logits, images = inputs
        size, logits = tf.shape(images), tf.cast(logits, tf.float32)
        if self.scale > 1:
            logits = tf.image.resize(logits, tf.shape(logits)[1:3] * self.scale)  # bilinear: soft outlines become smooth ones
        return tf.sigmoid(logits[:, : size[1], : size[2], 0])

    def compute_output_shape(self, shapes):
        return shapes[1][:3]

    def get_config(self):
        return super().get_config() | {"scale": self.scale}


def unet(
    encoder: str = "resnet18",
    *,
    decoder: tuple[int, ...] = (128, 64, 32, 16, 8),
    scale: int = 1,
    momentum: float = 0.9,
    weights: str | None = None,
) -> keras.Model:
    """U-Net: uint8 (batch, height, width, 3) -> float32 probabilities (batch, height, width).

    encoder: one of ENCODERS; decoder: filters of the five decoder stages, deepest first; scale: the network sees the image shrunk by this
    factor and its map is enlarged again (a quarter of the cost at 2; truth that goes that way still scores 0.97); momentum: of every
    batch norm (segmentation-models' 0.99 needs some 500 steps before inference sees trained statistics); weights: path of an .h5 file with
    the encoder's weights, None for random ones. Raises KitError for an unknown encoder and for a missing or unfitting file.
    """
    if weights is not None and not Path(weights).is_file():
        raise KitError(f"{weights}: no such file of encoder weights")
    with contextlib.redirect_stdout(io.StringIO()):  # it prints the framework's name
        import segmentation_models as sm

    if encoder not in ENCODERS:
        raise KitError(f"encoder {encoder!r}: choose one of {', '.join(ENCODERS)}")
    try:
        core = sm.Unet(
            encoder,
            input_shape=(None, None, 3),
            classes=1,
            activation="linear",
            encoder_weights=weights,
            decoder_filters=tuple(decoder),
        )
    except (OSError, ValueError) as error:
        raise KitError(f"{weights}: cannot be loaded as weights of {encoder}: {error}") from None
    for layer in core.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = momentum
    images = keras.Input((None, None, 3), dtype="uint8", name="image")
    logits = core(Prepare(*ENCODERS[encoder], scale, name="prepare")(images))
    return keras.Model(images, Probability(scale, dtype="float32", name="probability")([logits, images]), name=f"unet_{encoder}")
