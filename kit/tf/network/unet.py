"""The network: a U-Net from uint8 RGB of any size to a probability map.

In training the map has the network's own resolution, else that of the image.
"""

import keras

from ...encoders import DECODERS, find_encoder
from ...errors import KitError, naming_extra
from ..environment import default_keras
from .decoders import DECODER_BUILDERS
from .encoder import add_encoder, check_precision
from .ends import Probability
from .replacements import replace_layers

ACTIVATIONS = ("sigmoid", "softmax")


@naming_extra()
def unet(
    encoder: str = "resnet18",
    *,
    weights: str | None = None,
    decoder: str | None = None,
    filters: tuple[int, ...] = (128, 64, 32, 16, 8),
    classes: int = 1,
    activation: str = "sigmoid",
    scale: int = 1,
    output: int = 1,
    momentum: float = 0.9,
    presence: bool = False,
    mixed: str | None = None,
    synchronized: bool = False,
) -> keras.Model:
    """Builds a U-Net: uint8 RGB (batch, height, width, 3) of any size to float32 probabilities.

    Probabilities are (batch, height, width), or (batch, height, width, classes) if there are
    several. Called with training=True, the network gives them at its own resolution: (batch,
    ceil(height / f), ceil(width / f)) with f = scale * output. It has two layers that are models
    of their own, `encoder` and `decoder`: `network.get_layer("encoder").trainable = False` freezes
    the encoder.

    Args:
        encoder: one of ENCODERS. "plain" is the plain U-Net of plain.py; "slim" is a small one, for
            CPUs.
        weights: "imagenet" for the encoder's published weights, or the path of a file with them;
            None for random ones.
        decoder: one of DECODERS; None for the encoder's own, which is "unet" but for slim and
            plain. "plain" goes with the encoder plain only, and has its own filters.
        filters: of the five stages of unet, unet++ and slim, deepest first; the first two are the
            channels of fpn's pyramid and of its maps.
        classes: how many maps the network gives.
        activation: "sigmoid", or "softmax" for classes that exclude each other.
        scale: factor by which the network sees the image shrunk. 2 costs a quarter; perfect
            ships that are shrunk and enlarged that way score an F2 of 0.955 on ship images at
            threshold 0.5, and 0.965 at 0.47 (benchmarks/half_size.py).
        output: 2 leaves out the last decoder stage, so the head sits at half the resolution that
            the network sees.
        momentum: of every batch norm. segmentation-models' 0.99 needs about 500 steps before
            inference sees trained statistics.
        presence: also give the probability that the image holds any object, from the deepest
            features. The network then returns {"map": probabilities, "presence": float32 (batch,)}.
        mixed: "float16" or "bfloat16", in which layers compute; heads, outputs and variables are
            float32 either way. "auto": see kit.tf.network.precision. None: float32, also if Keras's
            global dtype policy is another.
        synchronized: batch norms take their statistics over all replicas.

    Raises:
        KitError: if a name is unknown, the output is neither 1 nor 2, or the file of weights is
            missing, damaged or does not fit.

    >>> import numpy as np
    >>> network, images = unet("plain", output=2), np.zeros((1, 70, 51, 3), np.uint8)
    >>> tuple(network(images, training=True).shape), tuple(network(images).shape)
    ((1, 35, 26), (1, 70, 51))
    """
    known, mixed = find_encoder(encoder), check_precision(mixed)
    decoder = decoder or known.decoder
    if decoder not in DECODERS:
        raise KitError(f"decoder {decoder!r}: choose one of {', '.join(DECODERS)}")
    if (decoder == "plain") != (encoder == "plain"):
        raise KitError(f"decoder {decoder!r}: the encoder plain and the decoder plain go together")
    if output not in (1, 2):
        raise KitError(
            f"output {output!r}: choose 1 (a map at the resolution that the network sees) "
            "or 2 (at half of it)"
        )
    if activation not in ACTIVATIONS or (activation == "softmax" and classes < 2):
        raise KitError(f"activation {activation!r}: choose sigmoid, or softmax for several classes")
    with default_keras(mixed):
        images = keras.Input((None, None, 3), dtype="uint8", name="image")
        features = add_encoder(encoder, weights, images, scale)
        build, head, smallest = DECODER_BUILDERS[decoder]
        seen = [keras.Input(each.shape[1:]) for each in features]
        decoded = build(dict(zip(known.strides, seen)), filters, output)
        # Heads are float32 under any policy: a float16 logit is too coarse near 0 and 1.
        logits = keras.layers.Conv2D(classes, head, padding="same", dtype="float32", name="logits")(
            keras.Model(seen, decoded, name="decoder")(features)
        )
        if output < smallest:
            logits = keras.layers.UpSampling2D(
                smallest // output, interpolation="bilinear", dtype="float32", name="enlarged"
            )(logits)
        probability = Probability(scale * output, activation, dtype="float32", name="map")(
            [logits, images]
        )
        outputs = (
            {"map": probability, "presence": _detect(features[-1])} if presence else probability
        )
        network = keras.Model(images, outputs, name=f"unet_{encoder}")
        replace_layers(network, momentum, synchronized)
        return network


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
