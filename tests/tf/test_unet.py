import keras
import numpy as np
import pytest

from kit.errors import KitError
from kit.tf.inference import load_weights
from kit.tf.unet import ENCODERS, unet

NARROW = (16, 8, 8, 8, 4)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_every_encoder_is_built_stepped_saved_and_restored(encoder, tmp_path):
    keras.utils.set_random_seed(0)
    network = unet(encoder, decoder=NARROW)
    image = np.random.default_rng(0).integers(0, 255, (1, 64, 96, 3), np.uint8)
    network.compile(optimizer="adam", loss="binary_crossentropy")
    network.train_on_batch(image, np.zeros((1, 64, 96), np.float32))
    network.save_weights(tmp_path / "a.weights.h5")
    other = unet(encoder, decoder=NARROW)
    load_weights(other, tmp_path / "a.weights.h5", encoder)
    expected = network(image, training=False).numpy()
    assert np.array_equal(other(image, training=False).numpy(), expected)
    assert expected.dtype == np.float32 and expected.min() >= 0 and expected.max() <= 1


@pytest.mark.parametrize("shape", [(1, 1), (5, 70), (33, 31), (64, 64)])
def test_any_size_comes_back_at_full_size(shape):
    image = np.full((1, *shape, 3), 77, np.uint8)
    assert unet("resnet18", decoder=NARROW)(image, training=False).shape == (1, *shape)


def test_batch_norms_forget_fast_enough_for_short_trainings():
    momenta = {
        layer.momentum for layer in unet("resnet18", decoder=NARROW)._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)
    }
    assert momenta == {0.9}


def test_weights_of_another_encoder_are_refused(tmp_path):
    unet("resnet18", decoder=NARROW).save_weights(tmp_path / "a.weights.h5")
    with pytest.raises(KitError, match="not the weights of a U-Net with encoder resnet34"):
        load_weights(unet("resnet34", decoder=NARROW), tmp_path / "a.weights.h5", "resnet34")
    (tmp_path / "a.weights.h5").write_bytes(b"no HDF5")
    with pytest.raises(KitError, match="not the weights"):
        load_weights(unet("resnet18", decoder=NARROW), tmp_path / "a.weights.h5", "resnet18")


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.write_bytes(b"no HDF5")])
def test_missing_or_damaged_encoder_weights_are_refused(tmp_path, make):
    make(tmp_path / "encoder.h5")
    with pytest.raises(KitError, match=r"encoder\.h5"):
        unet("resnet18", decoder=NARROW, weights=str(tmp_path / "encoder.h5"))
