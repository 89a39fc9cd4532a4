"""Trainings that `kit train` has no option for, for the table in benchmarks/points.md.

Run: python benchmarks/variants.py NAME[+NAME] RECORDS MODEL [options of kit train]
NAME: group-norm: every batch norm but the first, which only fits the pixels' range, becomes a group norm of sixteen channels a group;
soft-outline: the truth that dice and balanced see is blurred by 3 x 3 px at the map's resolution; ten-times: dice and ten times balanced;
slim, slimmer: an encoder of residual blocks with fewer filters than resnet18's, a decoder of one convolution a stage, half-size output.
"""

import sys
from unittest import mock

import keras
import tensorflow as tf

import kit
from kit.cli import _settings, make_parser
from kit.settings import TrainSettings, choose_training
from kit.tf import losses
from kit.tf.unet import Prepare, Probability, _detect, _policy, unet

SLIM = (24, 48, 96, 160, 224)  # filters at a half to a thirty-second of the size; resnet18 has 64, 64, 128, 256, 512
SLIMMER = (16, 32, 64, 128, 192)


class Groups(keras.layers.GroupNormalization):
    def build(self, shape):
        self.groups = max(1, shape[-1] // 16)
        super().build(shape)


class NoBatchNorm(keras.layers.BatchNormalization):
    """What a network is built with instead of batch norms."""

    def __new__(cls, *, name, epsilon=1e-3, **_):
        if name == "bn_data":
            return keras.layers.BatchNormalization(name=name, epsilon=epsilon, scale=False)
        return Groups(name=name, epsilon=epsilon)


def group_norm(chosen: TrainSettings) -> keras.Model:
    """The network of the settings with group norms (Wu 2018)."""
    names = ("decoder", "scale", "output", "momentum", "presence", "mixed")
    with mock.patch.object(tf.keras.layers, "BatchNormalization", NoBatchNorm):
        return unet(chosen.encoder, **{name: getattr(chosen, name) for name in names})


def slim(chosen: TrainSettings, widths: tuple[int, ...] = SLIM) -> keras.Model:
    """Residual blocks (He 2016) of so many filters a level, decoder stages of the settings' filters but the last."""
    with _policy(f"mixed_{chosen.mixed}" if chosen.mixed else "float32"):

        def convolve(values, filters, stride=1, active=True):
            values = keras.layers.Conv2D(filters, 3, stride, padding="same", use_bias=False, kernel_initializer="he_normal")(values)
            values = keras.layers.BatchNormalization(momentum=chosen.momentum)(values)
            return keras.layers.ReLU()(values) if active else values

        images = keras.Input((None, None, 3), dtype="uint8", name="image")
        values = Prepare((120.0,) * 3, (60.0,) * 3, chosen.scale, name="prepare")(images)
        values = convolve(values, widths[0], 2)
        skips = [convolve(values, widths[0])]
        for filters in widths[1:]:
            values = skips[-1]
            for stride in (2, 1):
                short = values
                if stride == 2:
                    short = keras.layers.AveragePooling2D(2)(short)
                    short = keras.layers.Conv2D(filters, 1, kernel_initializer="he_normal")(short)
                values = convolve(convolve(values, filters, stride), filters, active=False)
                values = keras.layers.ReLU()(keras.layers.Add()([values, short]))
            skips.append(values)
        deepest = skips.pop()
        values = deepest
        for filters in chosen.decoder[:4]:
            values = keras.layers.Concatenate()([keras.layers.UpSampling2D()(values), skips.pop()])
            values = convolve(values, filters)
        logits = keras.layers.Conv2D(1, 3, padding="same", dtype="float32", name="logits")(values)
        probability = Probability(2 * chosen.scale, dtype="float32", name="map")([logits, images])
        return keras.Model(images, {"map": probability, "presence": _detect(deepest)}, name="slim")


@keras.saving.register_keras_serializable(package="kit")
class SoftOutline(losses.Balanced):
    """Dice and balanced cross entropy with a blurred truth."""

    def call(self, y_true, y_pred):
        truth, prediction = losses.match(y_true, y_pred)
        truth, weights = (
            tf.nn.avg_pool2d(part[..., None], 3, 1, "SAME")[..., 0] for part in (truth, losses._pool(self.weigh(y_true), prediction))
        )
        dice = losses.Dice().call(truth, prediction)
        return dice + tf.reduce_mean(losses._cross_entropy(weights, 1 - truth, prediction), (1, 2))


@keras.saving.register_keras_serializable(package="kit")
class TenTimes(losses.Balanced):
    """Dice and ten times balanced."""

    def call(self, y_true, y_pred):
        return losses.Dice().call(y_true, y_pred) + 10 * super().call(y_true, y_pred)


LOSSES = {"soft-outline": SoftOutline, "ten-times": TenTimes}
NETWORKS = {"group-norm": group_norm, "slim": slim, "slimmer": lambda chosen: slim(chosen, SLIMMER)}


def main(arguments: list[str]) -> None:
    if len(arguments) < 3:
        print("needs records: python benchmarks/variants.py NAME[+NAME] RECORDS MODEL [options of kit train]")
        return
    names, *rest = arguments
    options = make_parser().parse_args(["train", *rest])
    given = _settings(options, TrainSettings)
    chosen = choose_training(**given)
    for name in names.split("+"):
        if name in LOSSES:
            given["loss"] = LOSSES[name](chosen.object_weight)
        else:
            given["model"] = _prepare(NETWORKS[name], name, chosen)
    kit.train(options.records, options.model, **given)


def _prepare(make, name: str, chosen: TrainSettings):
    """A function without arguments, which the training calls after its seed is set; config.json shows its name."""

    def build():
        return make(chosen)

    build.__qualname__ = name
    return build


if __name__ == "__main__":
    main(sys.argv[1:])
