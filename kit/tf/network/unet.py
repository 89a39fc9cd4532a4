"""The network: a U-Net from uint8 RGB of any size to a probability map.

In training the map has the network's own resolution, else that of the image.
"""

import keras

from ...encoders import DECODERS, find_encoder
from ...errors import KitError, naming_extra
from ...fields import fits
from ..environment import default_keras
from .decoders import DECODER_BUILDERS, check_filters
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
    """Builds a U-Net: from uint8 RGB (batch, height, width, 3) of any size to probabilities.

    It is a keras.Model for any loop: `kit.train(model=...)`, Keras's `fit` or your own. Its layers
    `encoder` and `decoder` are models, too. To freeze the encoder, set
    `network.get_layer("encoder").trainable = False` before `compile`: its weights stay as they are,
    and its batch norms use the statistics that they have.

    Args:
        encoder: one of ENCODERS. "plain" is the plain U-Net of plain.py; "slim" is a small one, for
            CPUs.
        weights: "imagenet" for the encoder's published weights, or the path of a file with them;
            None for random ones.
        decoder: "unet", "unet++", "fpn", or "slim" with one convolution per stage. None for the
            encoder's own, which is "unet" but for slim and plain. "plain" goes with the encoder
            plain only, and has its own filters.
        filters: of the five stages of unet, unet++ and slim, deepest first; output 2 needs four.
            fpn takes two: the channels of its pyramid and those of its maps. What a decoder does
            not need is left unused.
        classes: how many maps the network gives.
        activation: "sigmoid", or "softmax" for classes that exclude each other.
        scale: factor by which the network sees the image shrunk. 2 costs a quarter; perfect
            ships that are shrunk and enlarged that way score an F2 of 0.955 on ship images at
            threshold 0.5, and 0.965 at 0.47 (benchmarks/half_size.py).
        output: 2 leaves out the last decoder stage, so the head sits at half the resolution that
            the network sees. fpn's head sits at a quarter of it; its logits are enlarged.
        momentum: of every batch norm. segmentation-models' 0.99 needs about 500 steps before
            inference sees trained statistics.
        presence: also give the probability that the image holds any object, from the last features
            but one.
        mixed: "float16" or "bfloat16", in which layers compute; heads, outputs and variables are
            float32 either way. "auto": see kit.tf.network.precision. None: float32, also if Keras's
            global dtype policy is another.
        synchronized: batch norms take their statistics over all replicas.

    Returns:
        A model that gives float32 probabilities (batch, height, width), or (batch, height, width,
        classes) if there are several. Called with training=True, it gives them at its own
        resolution: ceil(height / f) by ceil(width / f) with f = scale * output. With `presence` it
        gives {"map": probabilities, "presence": float32 (batch,)}.

    Raises:
        KitError: if a name is unknown, a number is out of range, or the file of weights is missing,
            damaged or does not fit.

    >>> import numpy as np
    >>> network, images = unet("plain", output=2), np.zeros((1, 70, 51, 3), np.uint8)
    >>> tuple(network(images, training=True).shape), tuple(network(images).shape)
    ((1, 35, 26), (1, 70, 51))
    >>> network.get_layer("encoder").trainable = False
    """
    known, mixed = find_encoder(encoder), check_precision(mixed)
    name = decoder or known.decoder
    _check_choices(encoder, name, classes, activation, scale, output)
    chosen = DECODER_BUILDERS[name]
    given = check_filters(name, filters, known.strides[-1], output)
    with default_keras(mixed):
        images = keras.Input((None, None, 3), dtype="uint8", name="image")
        features = add_encoder(encoder, weights, images, scale)
        seen = [keras.Input(each.shape[1:]) for each in features]
        decoded = chosen.build(dict(zip(known.strides, seen)), given, output)
        values = keras.Model(seen, decoded, name="decoder")(features)
        # Heads are float32 under any policy: a float16 logit is too coarse near 0 and 1.
        single = {"dtype": "float32"}
        logits = keras.layers.Conv2D(classes, chosen.head, padding="same", name="logits", **single)
        values = logits(values)
        if output < chosen.smallest:
            values = keras.layers.UpSampling2D(
                chosen.smallest // output, interpolation="bilinear", name="enlarged", **single
            )(values)
        probability = Probability(scale * output, activation, name="map", **single)
        maps = probability([values, images])
        outputs = {"map": maps, "presence": _detect(features)} if presence else maps
        network = keras.Model(images, outputs, name=f"unet_{encoder}")
        replace_layers(network, momentum, synchronized)
        return network


def _check_choices(encoder, decoder, classes, activation, scale, output) -> None:
    if decoder not in DECODERS:
        raise KitError(f"decoder {decoder!r}: choose one of {', '.join(DECODERS)}")
    if (decoder == "plain") != (encoder == "plain"):
        raise KitError(f"decoder {decoder!r}: the encoder plain and the decoder plain go together")
    if not fits(output, int) or output not in (1, 2):
        raise KitError(
            f"output {output!r}: choose 1 (a map at the resolution that the network sees) "
            "or 2 (at half of it)"
        )
    for name, count in {"classes": classes, "scale": scale}.items():
        if not fits(count, int) or count < 1:
            raise KitError(f"{name} {count!r}: give a whole number of at least 1")
    if activation not in ACTIVATIONS or (activation == "softmax" and classes < 2):
        raise KitError(f"activation {activation!r}: choose sigmoid, or softmax for several classes")


def _detect(features):
    """The probability that the image holds any object, float32 (batch,).

    Of each channel it sees the largest value of the last features but one, at a stride of 16. The
    deepest ones separate the images that a network was trained on almost perfectly and others much
    worse (benchmarks/points.md).
    """
    pooled = keras.layers.GlobalMaxPooling2D(dtype="float32", name="presence_pooled")(features[-2])
    probability = keras.layers.Dense(
        1, activation="sigmoid", dtype="float32", name="presence_dense"
    )(pooled)
    return keras.layers.Reshape((), dtype="float32", name="presence")(probability)
