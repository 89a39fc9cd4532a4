import keras

from kit.tf.network.unet import unet
from tests.tf.network.conftest import layers


def test_plain_is_the_known_network():
    network = unet("plain")
    assert (
        network.count_params() == 1_941_105
    )  # of the U-Net that Kaggle's public notebooks share, at five levels from 16 filters
    convolutions = [
        layer for layer in layers(network, keras.layers.Conv2D) if layer.name != "logits"
    ]
    assert {
        (layer.name, layer.filters) for layer in convolutions if layer.name.startswith("down")
    } == {(f"down{level}{part}_conv", 16 * 2**level) for level in range(5) for part in "ab"}
    assert all(
        isinstance(layer.kernel_initializer, keras.initializers.HeNormal) for layer in convolutions
    )
    dropouts = layers(network, keras.layers.Dropout)
    assert len(dropouts) == 9 and {dropout.rate for dropout in dropouts} == {0.2}
    assert not layers(network, keras.layers.BatchNormalization)
