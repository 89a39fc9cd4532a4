"""The encoders of segmentation-models."""

import contextlib
import io
from types import ModuleType

import keras
import tensorflow as tf

from ...encoders import ENCODERS


def import_backbones() -> ModuleType:
    """Imports segmentation-models' factory of encoders, without the line that the import prints."""
    with contextlib.redirect_stdout(io.StringIO()):
        from segmentation_models.backbones import backbones_factory
    return backbones_factory


def library_encoder(name: str, weights: str | None) -> keras.Model:
    """Builds a model from floats (batch, height, width, 3) to features at strides 2, 4, 8, 16, 32.

    They are those that segmentation-models gives to its own decoders.

    Args:
        name: of the encoder, as segmentation-models calls it.
        weights: path of an .h5 file with its weights; None: random ones.
    """
    backbones = import_backbones().Backbones
    import segmentation_models as sm  # now it prints nothing

    build = sm.inject_global_submodules(backbones.get_backbone)
    whole = build(name, input_shape=(None, None, 3), weights=weights, include_top=False)
    if weights is None and ENCODERS[name].raw:
        # Its first batch norm starts at the statistics of pixels. From mean 0 and variance 1, a
        # fresh resnet34 exceeds float16's 65,504 at inference.
        first = whole.get_layer("bn_data")
        first.moving_mean.assign(tf.fill([3], 127.5))
        first.moving_variance.assign(tf.fill([3], 60.0**2))
    layers = [
        whole.get_layer(**{"name" if isinstance(each, str) else "index": each})
        for each in backbones.get_feature_layers(name, n=4)
    ]
    return keras.Model(whole.input, [layer.output for layer in layers[::-1]] + [whole.output])
