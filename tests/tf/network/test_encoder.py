import keras
import numpy as np
import pytest
import tensorflow as tf

import kit
from kit.encoders import ENCODERS
from kit.errors import KitError
from kit.tf.network.encoder import FAMILIES, encoder
from kit.tf.network.unet import unet
from tests.tf.network.conftest import NARROW, layers, noise


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


def test_convnext_has_no_features_at_a_half():
    network = encoder("convnext_tiny")
    assert [each.shape[3] for each in network.outputs] == [96, 192, 384, 768]
    found = network(noise(1, 30, 30))
    assert [each.shape[1:3] for each in found] == [(side, side) for side in (8, 4, 2, 1)]


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
