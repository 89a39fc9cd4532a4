"""What the tests of networks share."""

import functools

import keras
import numpy as np
import pytest
from keras.src.applications.convnext import ConvNeXt

from kit.tf.network import applications

NARROW = (16, 8, 8, 8, 4)


def noise(*shape) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)


def layers(network: keras.Model, kind: type = keras.layers.Layer) -> list:
    return [layer for layer in network._flatten_layers() if isinstance(layer, kind)]


@pytest.fixture
def tiny_convnext(monkeypatch) -> str:
    """The name of an encoder that is built as a ConvNeXt of one narrow block a stage."""
    name = "convnext_tiny"
    build = functools.partial(ConvNeXt, depths=[1] * 4, projection_dims=[8] * 4, name=name)
    former = applications.APPLICATIONS[name]
    monkeypatch.setitem(applications.APPLICATIONS, name, (build, *former[1:]))
    return name
