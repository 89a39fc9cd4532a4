"""Trainings without an option of `kit train`, for the table in benchmarks/points.md.

Run: python benchmarks/variants.py NAME[+NAME] RECORDS MODEL [options of kit train]

The names:
    group-norm     every batch norm but the first becomes a group norm with sixteen channels per
                   group, or one group if sixteen does not divide the channels; the first batch norm
                   only fits the range of the pixels
    soft-outline   the truth of dice and balanced is blurred by 3 x 3 px at the map's resolution
    wide           --encoder slim with WIDE filters
    log-dice       LogDice instead of dice
"""

import sys
from unittest import mock

import kit.tf  # isort: skip  # before TensorFlow: it sets threads and oneDNN

import keras
import tensorflow as tf

from kit.options import make_parser, pick_settings
from kit.settings import TrainSettings, choose_training
from kit.tf.network import losses, slim
from kit.tf.network.unet import unet

WIDE = (24, 48, 96, 160, 224)


class Groups(keras.layers.GroupNormalization):
    def build(self, shape):
        self.groups = shape[-1] // 16 if shape[-1] % 16 == 0 else 1
        super().build(shape)


class NoBatchNorm(keras.layers.BatchNormalization):
    """Stands in for a batch norm: makes a group norm, but for the first batch norm."""

    def __new__(cls, *, name, epsilon=1e-3, **_):
        if name == "bn_data":
            return keras.layers.BatchNormalization(name=name, epsilon=epsilon, scale=False)
        return Groups(name=name, epsilon=epsilon)


def group_norm(chosen: TrainSettings) -> keras.Model:
    """The network of the settings with group norms (Wu 2018)."""
    # segmentation-models takes its layers from tf.keras
    layers = keras.layers if chosen.encoder == "slim" else tf.keras.layers
    with mock.patch.object(layers, "BatchNormalization", NoBatchNorm):
        return _build(chosen.encoder, chosen)


def _build(encoder: str, chosen: TrainSettings) -> keras.Model:
    names = ("decoder", "filters", "scale", "output", "momentum", "presence", "mixed")
    return unet(encoder, **{name: getattr(chosen, name) for name in names})


def wide(chosen: TrainSettings) -> keras.Model:
    """The slim network with WIDE filters."""
    with mock.patch.object(slim, "FILTERS", WIDE):
        return _build("slim", chosen)


@keras.saving.register_keras_serializable(package="kit")
class SoftOutline(losses.Balanced):
    """Dice and balanced cross-entropy against a blurred truth."""

    def call(self, y_true, y_pred):
        truth, prediction = losses.match(y_true, y_pred)
        truth, weights = (
            tf.nn.avg_pool2d(part[..., None], 3, 1, "SAME")[..., 0]
            for part in (truth, losses._pool(self.weigh(y_true), prediction))
        )
        dice = losses.Dice().call(truth, prediction)
        return dice + self.average(weights, 1 - truth, prediction)


@keras.saving.register_keras_serializable(package="kit")
class LogDice(losses.Dice):
    """-log(1 - dice loss): steeper where dice is low, and on an empty mask."""

    def call(self, y_true, y_pred):
        return -tf.math.log(1 - super().call(y_true, y_pred))


LOSSES = {
    "soft-outline": lambda chosen: SoftOutline(chosen.object_weight, chosen.pixel_weight),
    "log-dice": lambda chosen: [LogDice(), *(name for name in chosen.loss if name != "dice")],
}
NETWORKS = {"group-norm": group_norm, "wide": wide}


def main(arguments: list[str]) -> None:
    if len(arguments) < 3:
        print(
            "needs records: python benchmarks/variants.py NAME[+NAME] RECORDS MODEL "
            "[options of kit train]"
        )
        return
    names, *rest = arguments
    options = make_parser().parse_args(["train", *rest])
    given = pick_settings(options, TrainSettings)
    chosen = choose_training(**given)
    for name in names.split("+"):
        if name in LOSSES:
            given["loss"] = LOSSES[name](chosen)
        else:
            given["model"] = _prepare(NETWORKS[name], name, chosen)
    kit.train(options.records, options.model, **given)


def _prepare(make, name: str, chosen: TrainSettings):
    """A function without arguments that the training calls once its seed is set.

    config.json shows its name.
    """

    def build():
        return make(chosen)

    build.__qualname__ = name
    return build


if __name__ == "__main__":
    main(sys.argv[1:])
