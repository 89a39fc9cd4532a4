"""The network: a U-Net from uint8 RGB of any size to a probability map.

In training the map has the network's own resolution, else that of the image.
"""

import contextlib
import io
from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf

from ...encoders import ENCODERS
from ...errors import KitError, naming_extra
from ...settings import PRECISIONS
from ..environment import default_keras
from .plain import plain_unet
from .precision import choose_precision
from .replacements import replace_layers
from .slim import slim_unet


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

    Logits are (batch, padded height / factor, padded width / factor, 1). Probabilities are (batch,
    ceil(height / factor), ceil(width / factor)) in training, else enlarged to (batch, height,
    width). Probabilities are enlarged, not logits: training compares them with the share of a cell
    that objects cover, so coverage is interpolated.
    """

    def __init__(self, factor: int = 1, **options):
        super().__init__(**options)
        self.factor = factor

    def call(self, inputs, training=False):
        logits, images = inputs
        height, width = _size(images)
        values = tf.sigmoid(tf.cast(logits, tf.float32))
        if training:
            height, width = ((side + self.factor - 1) // self.factor for side in (height, width))
        elif self.factor > 1:
            rows, columns = _size(values)
            # Bilinear, half-pixel centers.
            values = tf.image.resize(values, (rows * self.factor, columns * self.factor))
        return values[:, :height, :width, 0]

    def compute_output_shape(self, shapes):
        return (shapes[1][0], None, None)

    def get_config(self):
        return super().get_config() | {"factor": self.factor}


@naming_extra()
def unet(
    encoder: str = "resnet18",
    *,
    decoder: tuple[int, ...] = (128, 64, 32, 16, 8),
    scale: int = 1,
    output: int = 1,
    momentum: float = 0.9,
    presence: bool = False,
    weights: str | None = None,
    mixed: str | None = None,
    synchronized: bool = False,
) -> keras.Model:
    """Builds a U-Net: uint8 RGB (batch, height, width, 3) of any size to float32 probabilities.

    Probabilities are (batch, height, width). Called with training=True, the network gives them at
    its own resolution: (batch, ceil(height / f), ceil(width / f)) with f = scale * output.

    Args:
        encoder: one of ENCODERS. "plain" is the plain U-Net of plain.py, which has its own filters
            and ignores `decoder`; "slim" is the one of slim.py, for CPUs.
        decoder: filters of the five decoder stages, deepest first.
        scale: factor by which the network sees the image shrunk. 2 costs a quarter; perfect
            ships that are shrunk and enlarged that way score an F2 of 0.955 on ship images at
            threshold 0.5, and 0.965 at 0.47 (benchmarks/half_size.py).
        output: 2 leaves out the last decoder stage, so the head sits at half the resolution that
            the network sees.
        momentum: of every batch norm. segmentation-models' 0.99 needs about 500 steps before
            inference sees trained statistics.
        presence: also give the probability that the image holds any object, from the deepest
            features. The network then returns {"map": probabilities, "presence": float32 (batch,)}.
        weights: path of an .h5 file with the encoder's weights; None for random ones.
        mixed: "float16" or "bfloat16", in which layers compute; heads, outputs and variables are
            float32 either way. "auto": see kit.tf.network.precision. None: float32, also if Keras's
            global dtype policy is another.
        synchronized: batch norms take their statistics over all replicas.

    Raises:
        KitError: if the encoder or precision is unknown, the output is neither 1 nor 2, or the file
            of weights is missing, damaged or does not fit.

    >>> import numpy as np
    >>> network, images = unet("plain", output=2), np.zeros((1, 70, 51, 3), np.uint8)
    >>> tuple(network(images, training=True).shape), tuple(network(images).shape)
    ((1, 35, 26), (1, 70, 51))
    """
    if encoder not in ENCODERS:
        raise KitError(f"encoder {encoder!r}: choose one of {', '.join(ENCODERS)}")
    if mixed not in (None, *PRECISIONS):
        raise KitError(f"mixed {mixed!r}: choose among {', '.join(PRECISIONS)}")
    mixed, known = choose_precision(mixed), ENCODERS[encoder]
    if output not in (1, 2):
        raise KitError(
            f"output {output!r}: choose 1 (a map at the resolution that the network sees) "
            "or 2 (at half of it)"
        )
    with default_keras(mixed):
        if weights is not None and known.weights is None:
            raise KitError(
                f"{weights}: the encoder {encoder} takes no weights; "
                "leave them out or choose another encoder"
            )
        core = FAMILIES[known.family](
            encoder, decoder[: known.stages + 1 - output], output, weights
        )
        replace_layers(core, momentum, synchronized)
        images = keras.Input((None, None, 3), dtype="uint8", name="image")
        features, deepest = core(
            Prepare(known.mean, known.deviation, scale, known.multiple, name="prepare")(images)
        )
        # Heads are float32 under any policy: a float16 logit is too coarse near 0 and 1.
        logits = keras.layers.Conv2D(1, known.head, padding="same", dtype="float32", name="logits")(
            features
        )
        probability = Probability(scale * output, dtype="float32", name="map")([logits, images])
        outputs = {"map": probability, "presence": _detect(deepest)} if presence else probability
        return keras.Model(images, outputs, name=f"unet_{encoder}")


def _library_unet(
    encoder: str, decoder: tuple[int, ...], output: int, weights: str | None
) -> keras.Model:
    """Builds segmentation-models' U-Net, headless: from floats to [features, deepest features].

    It has as many decoder stages as `decoder` has filters.
    """
    if weights is not None and not Path(weights).is_file():
        raise KitError(f"{weights}: no such file of encoder weights")
    with contextlib.redirect_stdout(io.StringIO()):  # it prints the framework's name
        import segmentation_models as sm
    try:
        whole = sm.Unet(
            encoder,
            input_shape=(None, None, 3),
            classes=1,
            activation="linear",
            encoder_weights=weights,
            decoder_filters=tuple(decoder),
        )
    except (OSError, ValueError, KeyError) as error:
        raise KitError(f"{weights}: cannot be loaded as weights of {encoder}: {error}") from None
    if weights is None and ENCODERS[encoder].raw:
        # Its first batch norm starts at the statistics of pixels. From mean 0 and variance 1, a
        # fresh resnet34 exceeds float16's 65,504 at inference.
        first = whole.get_layer("bn_data")
        first.moving_mean.assign(tf.fill([3], 127.5))
        first.moving_variance.assign(tf.fill([3], 60.0**2))
    features, deepest = (
        whole.get_layer(name).input for name in ("final_conv", "decoder_stage0_upsampling")
    )
    return keras.Model(whole.input, [features, deepest], name=encoder)


# The builders of encoders by family. Each takes (encoder, filters of the decoder's stages, output,
# weights) and gives a model from floats to [features, deepest features].
FAMILIES: dict[str, Callable[..., keras.Model]] = {
    "segmentation-models": _library_unet,
    "plain": lambda encoder, decoder, output, weights: plain_unet(output),
    "slim": lambda encoder, decoder, output, weights: slim_unet(decoder),
}


def _detect(deepest):
    """The probability that the image holds any object, float32 (batch,).

    `deepest` are features (batch, height, width, channels).
    """
    average = keras.layers.GlobalAveragePooling2D(dtype="float32", name="presence_average")(deepest)
    maximum = keras.layers.GlobalMaxPooling2D(dtype="float32", name="presence_maximum")(deepest)
    pooled = keras.layers.Concatenate(dtype="float32", name="presence_pooled")([average, maximum])
    probability = keras.layers.Dense(
        1, activation="sigmoid", dtype="float32", name="presence_dense"
    )(pooled)
    return keras.layers.Reshape((), dtype="float32", name="presence")(probability)
