import keras
import numpy as np
import pytest
import tensorflow as tf

import kit
from kit.encoders import ENCODERS
from kit.errors import KitError
from kit.tf.network import encoder as module
from kit.tf.network.applications import APPLICATIONS
from kit.tf.network.encoder import FAMILIES, encoder
from kit.tf.network.unet import unet
from tests.tf.network.conftest import NARROW, layers, noise
from tests.tf.network.test_weights import write_as_keras_2


def test_every_family_has_a_builder():
    assert {each.family for each in ENCODERS.values()} == set(FAMILIES)


def test_features_come_at_the_strides_that_are_asked_for():
    network = kit.encoder("slim", strides=(32, 4))  # in the order that they are asked in
    assert [each.shape[3] for each in network.outputs] == [192, 32]
    found = network(noise(2, 33, 70))  # padded to 64 x 96
    assert [each.shape for each in found] == [(2, 2, 3, 192), (2, 16, 24, 32)]
    assert all(each.dtype == tf.float32 for each in found)
    alone = kit.encoder("slim", strides=[8])
    assert alone(noise(1, 64, 64)).shape == (1, 8, 8, 64)


def test_without_strides_all_features_come_those_that_a_unet_is_made_of():
    keras.utils.set_random_seed(0)
    found = encoder("slim")(noise(1, 20, 20))
    assert [each.shape[1:] for each in found] == [
        (16, 16, 16), (8, 8, 32), (4, 4, 64), (2, 2, 128), (1, 1, 192)
    ]  # fmt: skip
    keras.utils.set_random_seed(0)
    network = unet("slim", filters=NARROW)
    inside = network.get_layer("encoder")(network.get_layer("prepare")(noise(1, 20, 20)))
    assert all(map(np.array_equal, found, inside))


@pytest.mark.parametrize(
    ("name", "strides", "words"),
    [
        ("convnext_tiny", (2, 4), "strides 2: the encoder convnext_tiny has .* 4, 8, 16, 32$"),
        ("slim", (1, 2, 64), "strides 1, 64: the encoder slim has .* 2, 4, 8, 16, 32$"),
        ("slim", ("4",), "strides 4: the encoder slim has"),
        ("slim", (), "strides .*: the encoder slim has"),
        ("slim", 4, "strides 4: the encoder slim has"),
        ("resnet9", None, "encoder 'resnet9': choose one of resnet18"),
    ],
)
def test_a_stride_or_an_encoder_that_there_is_not_is_refused(name, strides, words):
    with pytest.raises(KitError, match=words):
        encoder(name, strides=strides)


def test_batch_norms_and_precision_are_as_asked():
    network = encoder("slim", strides=(4,), momentum=0.7, mixed="float16")
    assert {each.momentum for each in layers(network, keras.layers.BatchNormalization)} == {0.7}
    found = network(np.full((1, 64, 64, 3), 255, np.uint8))
    assert found.dtype == tf.float16 and np.isfinite(found).all()


@pytest.mark.parametrize("shape", [(64, 96), (33, 70), (5, 1)])
def test_features_are_those_of_the_padded_image_at_the_encoders_strides(tiny_convnext, shape):
    for name in ("slim", tiny_convnext):
        strides = ENCODERS[name].strides
        height, width = (-(-side // 32) * 32 for side in shape)
        found = encoder(name)(noise(2, *shape))
        assert [each.shape[:3] for each in found] == [
            (2, height // stride, width // stride) for stride in strides
        ]


def test_a_stride_that_an_encoder_lacks_has_no_skip(tiny_convnext):
    names = [layer.name for layer in unet(tiny_convnext).get_layer("decoder").layers]
    skips = [name for name in names if name.endswith("_concat")]
    assert skips == [f"decoder_stage{stage}_concat" for stage in range(3)]
    assert len([name for name in names if name.endswith("_up")]) == 5


def test_a_cut_file_is_refused_in_one_line(tiny_convnext, tmp_path):
    build, _, options = APPLICATIONS[tiny_convnext]
    whole = build(include_top=False, input_shape=(None, None, 3), **options)
    write_as_keras_2(whole, tmp_path / "whole.h5")
    data = (tmp_path / "whole.h5").read_bytes()
    assert encoder(tiny_convnext, weights=str(tmp_path / "whole.h5"))
    for length in (0, 1, 8, 100, 2048, len(data) // 2, len(data) - 1):
        (tmp_path / "cut.h5").write_bytes(data[:length])
        with pytest.raises(KitError, match=r"cut\.h5: cannot be loaded as weights of") as caught:
            encoder(tiny_convnext, weights=str(tmp_path / "cut.h5"))
        assert len(str(caught.value)) < 400
    other = build(include_top=False, input_shape=(None, None, 3), **options, depths=[1, 1, 2, 1])
    write_as_keras_2(other, tmp_path / "other.h5")
    with pytest.raises(KitError, match=r"other\.h5: cannot be loaded as weights of convnext_tiny"):
        unet(tiny_convnext, filters=NARROW, weights=str(tmp_path / "other.h5"))


@pytest.mark.parametrize(
    "error", [OSError, ValueError, KeyError, RuntimeError, AttributeError, TypeError]
)
def test_whatever_a_damaged_file_raises_is_one_line(tmp_path, monkeypatch, error):
    def build(name, weights):
        raise error("no group\nat 0x1")

    monkeypatch.setitem(module.FAMILIES, "segmentation-models", build)
    (tmp_path / "encoder.h5").touch()
    with pytest.raises(KitError, match=r"encoder\.h5: cannot .* as weights of resnet18.*no group"):
        encoder("resnet18", weights=str(tmp_path / "encoder.h5"))
    with pytest.raises(error):  # without a file it is no fault of a file
        encoder("resnet18")
