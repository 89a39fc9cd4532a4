from dataclasses import replace

import h5py
import keras
import numpy as np
import pytest
from keras.src.applications.convnext import ConvNeXt
from keras.src.applications.efficientnet_v2 import DEFAULT_BLOCKS_ARGS, EfficientNetV2
from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group

from kit.encoders import ENCODERS
from kit.errors import KitError
from kit.models.pretrained import digest_like
from kit.tf.network.applications import APPLICATIONS
from kit.tf.network.ends import Prepare
from kit.tf.network.unet import unet
from tests.tf.network.conftest import NARROW, noise

# Channels of the features at the encoder's strides.
CHANNELS = {
    "efficientnetv2-b0": (16, 32, 48, 112, 192),
    "efficientnetv2-b1": (16, 32, 48, 112, 192),
    "efficientnetv2-b2": (16, 32, 56, 120, 208),
    "efficientnetv2-b3": (16, 40, 56, 136, 232),
    "efficientnetv2-s": (24, 48, 64, 160, 256),
    "efficientnetv2-m": (24, 48, 80, 176, 512),
    "convnext_tiny": (96, 192, 384, 768),
    "convnext_small": (96, 192, 384, 768),
    "resnet50v2": (64, 256, 512, 1024, 2048),
}
QUICK = ("efficientnetv2-b0", "resnet50v2")


@pytest.mark.parametrize("encoder", APPLICATIONS)
def test_values_are_what_the_library_makes_of_pixels(encoder):
    """EfficientNetV2 and ConvNeXt prepare pixels in layers of their own, before the first stage."""
    image, known = noise(1, 32, 32), ENCODERS[encoder]
    shape = {"include_top": False, "weights": None, "input_shape": (32, 32, 3), "name": encoder}
    if known.family == "resnetv2":
        expected = keras.applications.resnet_v2.preprocess_input(image.astype(np.float32))
    elif known.family == "convnext":
        whole = ConvNeXt([1] * 4, [4] * 4, **shape)
        expected = keras.Model(whole.input, whole.get_layer(f"{encoder}_stem").input)(image)
    else:
        block = DEFAULT_BLOCKS_ARGS["efficientnetv2-b0"][:1]
        whole = EfficientNetV2(1.0, 1.0, 32, blocks_args=block, **shape)
        expected = keras.Model(whole.input, whole.get_layer("stem_conv").input)(image)
    assert np.ptp(expected) > 1.9
    assert np.allclose(Prepare(known.mean, known.deviation)(image), expected, atol=1e-5)


@pytest.fixture
def publish(monkeypatch, tmp_path):
    """publish(encoder, model): a file of the model's weights as if it were the published one.

    It stands in Keras's cache, in the layout of files that are published. Returns its path.
    """

    def write(encoder: str, model: keras.Model):
        known = ENCODERS[encoder]
        path = tmp_path / "keras" / "models" / known.weights.name
        path.parent.mkdir(parents=True)
        with h5py.File(path, "w") as file:
            save_weights_to_hdf5_group(file, model)
        wanted = known.weights._replace(checksum=digest_like(path, known.weights.checksum))
        monkeypatch.setitem(ENCODERS, encoder, replace(known, weights=wanted))
        return path

    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return write


def vary(model: keras.Model) -> None:
    """Random numbers for whatever starts as zeros or ones, so that layers cannot be mixed up."""
    rng = np.random.default_rng(0)
    for variable in model.weights:
        if len(variable.shape) == 1:
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))


def check_features(whole: keras.Model, features: list) -> None:
    """Every residual sum at a feature's resolution, or a finer one, lies before the feature."""
    for feature in features:
        before = {layer.name for layer in keras.Model(whole.input, feature).layers}
        for layer in whole.layers:
            if isinstance(layer, keras.layers.Add) and layer.output.shape[1] >= feature.shape[1]:
                assert layer.name in before, (feature, layer.name)


def check_published(encoder: str, publish) -> keras.Model:
    """Loads weights that Keras wrote for its whole model; returns the U-Net's encoder.

    Its features are those of the whole model, which prepares pixels by itself. The deepest are left
    out: with numbers that no training made, a change of 1e-6 in the pixels changes them wholly.
    """
    build, find, options = APPLICATIONS[encoder]
    whole = build(include_top=False, weights=None, input_shape=(64, 64, 3))
    check_features(whole, find(whole))
    vary(whole)
    path = publish(encoder, whole)
    network = unet(encoder, weights="imagenet", filters=NARROW)
    core = network.get_layer("encoder")
    stored, compared = {layer.name: layer for layer in whole.layers}, 0
    for layer in core.layers:
        if layer.weights:
            # ConvNeXt's last norm has no name of its own: it is numbered in each process.
            given = stored.get(layer.name) or whole.layers[-1]
            for mine, theirs in zip(layer.weights, given.weights, strict=True):
                assert np.array_equal(mine, theirs), mine.path
                compared += 1
    assert compared == len(core.weights) > 20
    images = noise(1, 64, 64)
    pixels = images.astype(np.float32)
    if not options:
        pixels = keras.applications.resnet_v2.preprocess_input(pixels)
    expected = keras.Model(whole.input, find(whole)[:-1])(pixels, training=False)
    known = ENCODERS[encoder]
    found = core(Prepare(known.mean, known.deviation)(images), training=False)
    assert [each.shape[1:3] for each in found] == [(64 // each,) * 2 for each in known.strides]
    for mine, theirs in zip(found, expected):
        assert np.ptp(theirs) > 0 and np.allclose(mine, theirs, atol=1e-3 * np.abs(theirs).max())
    with open(path, "ab") as file:
        file.write(b"\0")
    with pytest.raises(KitError, match=f"{path.name}: damaged or another file"):
        unet(encoder, weights="imagenet", filters=NARROW)
    return core


@pytest.mark.parametrize("encoder", QUICK)
def test_a_published_file_is_found_loaded_and_gives_what_the_library_gives(encoder, publish):
    core = check_published(encoder, publish)
    assert tuple(each.shape[-1] for each in core.outputs) == CHANNELS[encoder]


def test_a_published_file_of_convnext_is_found_loaded_and_gives_what_the_library_gives(
    tiny_convnext, publish
):
    core = check_published(tiny_convnext, publish)
    assert [each.shape[-1] for each in core.outputs] == [8, 8, 8, 8]


@pytest.mark.prove("seven encoders, built twice each: a minute")
@pytest.mark.parametrize("encoder", [name for name in APPLICATIONS if name not in QUICK])
def test_every_published_file_is_found_loaded_and_gives_what_the_library_gives(encoder, publish):
    core = check_published(encoder, publish)
    assert tuple(each.shape[-1] for each in core.outputs) == CHANNELS[encoder]
