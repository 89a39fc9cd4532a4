"""Whole models leave Python: as `.keras` files, and by way of ONNX."""

import ast
import re
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest
import segmentation_models as sm
import tensorflow as tf

from kit.tf.network.norm import BatchNormalization
from kit.tf.network.replacements import (
    ChannelConv2D,
    Channels,
    FixedDropout,
    LayerScale,
    replace_layers,
)
from kit.tf.network.unet import unet
from tests.conftest import ROOT
from tests.tf.network.conftest import NARROW, noise

LOADING = """
import sys
import kit, kit.tf
import keras
import numpy as np
for encoder in sys.argv[1:]:
    network = keras.models.load_model(f"{encoder}.keras")
    images, maps = (np.load(f"{encoder}-{part}.npy") for part in ("images", "maps"))
    assert np.array_equal(network(images), maps), encoder
"""


@pytest.mark.prove("networks with a thousand layers, in a process of their own: half a minute")
def test_a_whole_model_is_loaded_by_keras_once_the_kit_is_imported(tmp_path):
    # Their layers are those that need replacing.
    encoders = ("efficientnetb0", "seresnext50", "convnext_tiny")
    for encoder in encoders:
        network, images = unet(encoder, filters=NARROW, scale=2), noise(1, 70, 51)
        network.save(tmp_path / f"{encoder}.keras")
        np.save(tmp_path / f"{encoder}-images.npy", images)
        np.save(tmp_path / f"{encoder}-maps.npy", network(images))
    command = [sys.executable, "-c", LOADING, *encoders]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def build_odd_layers() -> keras.Model:
    """A model that holds each layer of the libraries that is replaced."""
    from classification_models.models._common_blocks import ChannelSE, GroupConv2D
    from efficientnet.model import get_dropout, get_swish
    from keras.src.applications.convnext import ConvNeXtBlock

    grouped, attention, swish, dropout = (
        sm.inject_global_submodules(make)
        for make in (GroupConv2D, ChannelSE, get_swish, get_dropout)
    )
    images = keras.Input((None, None, 8))
    values = grouped(8, 3, groups=2, padding="same")(images)
    values = attention(reduction=2)(values)
    values = keras.layers.BatchNormalization()(values)
    values = keras.layers.Activation(swish())(values)
    values = dropout()(0.2, noise_shape=(None, 1, 1, 1), name="dropout")(values)
    values = ConvNeXtBlock(8, layer_scale_init_value=0.5, name="block")(values)
    return keras.Model(images, values)


def test_replaced_layers_give_the_same_and_are_restored_from_a_file(tmp_path):
    keras.utils.set_random_seed(0)
    network = build_odd_layers()
    for variable in network.trainable_variables:
        variable.assign(keras.random.normal(variable.shape))
    kept = network.get_weights()
    images = np.random.default_rng(0).normal(size=(2, 9, 7, 8)).astype(np.float32)
    expected = network(images)
    replace_layers(network, momentum=0.9)
    own = {type(layer) for layer in network.layers if type(layer).__module__.startswith("kit.")}
    assert own == {BatchNormalization, ChannelConv2D, Channels, FixedDropout, LayerScale}
    assert len([layer for layer in network.layers if isinstance(layer, Channels)]) == 3
    assert not [layer for layer in network.layers if isinstance(layer, keras.layers.Lambda)]
    assert np.allclose(network(images), expected, atol=1e-4)
    assert np.allclose(tf.function(network)(images), expected, atol=1e-4)
    network.save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as file:
        modules = set(re.findall(r'"module": "([^".]+)', file.read("config.json").decode()))
    assert modules == {"keras", "kit"}  # nothing else is imported to restore it
    restored = keras.models.load_model(tmp_path / "model.keras")
    assert np.array_equal(restored(images), network(images))
    for former, now in zip(kept, restored.get_weights(), strict=True):
        assert np.array_equal(former, now)
    assert restored.get_layer("dropout").noise_shape == (None, 1, 1, 1)


def test_a_convnext_is_stepped_in_a_graph_and_restored_from_a_file(tiny_convnext, tmp_path):
    network = unet(tiny_convnext, filters=NARROW)
    network.compile("sgd", "binary_crossentropy")
    truth = np.zeros((2, 33, 64), np.float32)
    gamma = network.get_layer("encoder").get_layer(f"{tiny_convnext}_stage_0_block_0_layer_scale")
    before = gamma.gamma.numpy()
    assert np.isfinite(network.train_on_batch(noise(2, 33, 64), truth))
    assert not np.array_equal(before, gamma.gamma)
    network.save(tmp_path / "model.keras")
    restored = keras.models.load_model(tmp_path / "model.keras")
    assert np.array_equal(restored(noise(1, 33, 64)), network(noise(1, 33, 64)))


@pytest.mark.parametrize("mixed", ["float32", "mixed_float16"])
def test_a_convolution_of_each_channel_is_keras_own(mixed):
    options = {"padding": "same", "groups": 6, "dtype": mixed, "bias_initializer": "normal"}
    layer = keras.layers.Conv2D(6, 7, **options)
    values = np.random.default_rng(0).normal(size=(2, 11, 9, 6)).astype(np.float32)
    expected = layer(values)
    layer.__class__ = ChannelConv2D
    assert layer(values).dtype == expected.dtype
    assert np.allclose(layer(values), expected, atol=1e-5 if mixed == "float32" else 2e-3)


@pytest.mark.parametrize("path", sorted((ROOT / "kit" / "tf").rglob("*.py")))
def test_no_negative_number_is_divided_in_a_graph(path):
    """-12 % 32 is 20 in TensorFlow and -12 in ONNX, whose integer division rounds towards 0."""
    divisions = (ast.Mod, ast.FloorDiv) if path.parent.name == "network" else ast.Mod
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.BinOp) and isinstance(node.op, divisions):
            assert not isinstance(node.left, ast.UnaryOp), f"line {node.lineno}"
