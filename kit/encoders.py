"""Encoders of the U-Net, known without TensorFlow (tests: tf/network/test_unet.py).

Each encoder has one entry in ENCODERS.
"""

from dataclasses import dataclass

Channels = tuple[float, float, float]  # of red, green, blue


@dataclass(frozen=True)
class Encoder:
    """What the kit knows of an encoder."""

    family: str  # the library that builds it, see kit.tf.network.unet
    mean: Channels  # pixels become (value - mean) / deviation, as its ImageNet weights expect
    deviation: Channels
    weights: str | None = None  # the package that knows its ImageNet weights; None: it has none
    multiple: int = 32  # px: the sides of its input are padded to a multiple of this
    stages: int = 5  # how often it halves its input; all stages but the deepest feed the decoder
    head: int = 3  # px: kernel size of the convolution that makes the map

    @property
    def raw(self) -> bool:
        """Whether it takes raw pixels: its first layer is a batch norm."""
        return self.deviation == (1.0, 1.0, 1.0)


_RAW: tuple[Channels, Channels] = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
_IMAGENET: tuple[Channels, Channels] = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
_SIGNED: tuple[Channels, Channels] = (127.5, 127.5, 127.5), (127.5, 127.5, 127.5)
_LIBRARY = "segmentation-models"
# The encoders that Keras 3 can build, train and restore.
ENCODERS = {
    "resnet18": Encoder(_LIBRARY, *_RAW, "classification-models"),
    "resnet34": Encoder(_LIBRARY, *_RAW, "classification-models"),
    "efficientnetb0": Encoder(_LIBRARY, *_IMAGENET, "efficientnet"),
    "mobilenet": Encoder(_LIBRARY, *_SIGNED, "keras"),
    "mobilenetv2": Encoder(_LIBRARY, *_SIGNED, "keras"),
    "seresnext50": Encoder(_LIBRARY, *_IMAGENET, "classification-models"),
    "plain": Encoder("plain", (0.0, 0.0, 0.0), (255.0, 255.0, 255.0), stages=4, head=1),
    "slim": Encoder("slim", *_IMAGENET),
}
