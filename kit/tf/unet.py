"""The network: segmentation-models' U-Net that eats uint8 RGB of any size and gives a probability map at full size."""

from __future__ import annotations

import contextlib
import io

import keras
import tensorflow as tf

from ..errors import KitError

ENCODERS = ("resnet18", "resnet34", "efficientnetb0", "seresnext50")  # built, trained and restored under Keras 3
MULTIPLE = 32  # px: the encoders halve their input five times


@keras.saving.register_keras_serializable(package="kit")
class Prepare(keras.layers.Layer):
    """uint8 RGB (batch, height, width, 3) to floats around 0, padded by reflection below and at the right to the encoder's multiple."""

    def call(self, images):
        size = tf.shape(images)
        bottom, right = -size[1] % MULTIPLE, -size[2] % MULTIPLE
        scaled = tf.cast(images, self.compute_dtype) / 64.0 - 2.0
        # symmetric, so that an image as small as the padding works; whatever is still missing is background
        return tf.cond(
            (bottom <= size[1]) & (right <= size[2]),
            lambda: tf.pad(scaled, [[0, 0], [0, bottom], [0, right], [0, 0]], "SYMMETRIC"),
            lambda: tf.pad(scaled, [[0, 0], [0, bottom], [0, right], [0, 0]]),
        )

    def compute_output_shape(self, shape):
        return (shape[0], None, None, 3)


@keras.saving.register_keras_serializable(package="kit")
class Probability(keras.layers.Layer):
    """Logits (batch, padded height, padded width, 1) to float32 probabilities (batch, height, width) of the image's own size."""

    def call(self, inputs):
        logits, images = inputs
        size = tf.shape(images)
        return tf.sigmoid(tf.cast(logits[:, : size[1], : size[2], 0], tf.float32))

    def compute_output_shape(self, shapes):
        return shapes[1][:3]


def unet(
    encoder: str = "resnet18", *, decoder: tuple[int, ...] = (256, 128, 64, 32, 16), momentum: float = 0.9, weights: str | None = None
) -> keras.Model:
    """U-Net: uint8 (batch, height, width, 3) -> float32 probabilities (batch, height, width).

    encoder: one of ENCODERS; decoder: filters of the five decoder stages, deepest first; momentum: of every batch norm
    (segmentation-models' 0.99 needs some 500 steps before inference sees trained statistics); weights: path of an .h5 file with the
    encoder's weights, None for random ones. Raises KitError for an unknown encoder and for a missing or unfitting file.
    """
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
    except FileNotFoundError:
        raise KitError(f"{weights}: no such file of encoder weights") from None
    except (OSError, ValueError) as error:
        raise KitError(f"{weights}: cannot be loaded as weights of {encoder}: {error}") from None
    for layer in core.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = momentum
    images = keras.Input((None, None, 3), dtype="uint8", name="image")
    logits = core(Prepare(name="prepare")(images))
    return keras.Model(images, Probability(dtype="float32", name="probability")([logits, images]), name=f"unet_{encoder}")
