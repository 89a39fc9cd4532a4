import h5py
import keras
import numpy as np
import pytest

from kit.errors import KitError
from kit.tf.network.unet import unet
from kit.tf.network.weights import load_weights
from tests.tf.network.conftest import NARROW, layers


def test_weights_of_another_encoder_are_refused(tmp_path):
    network = unet("resnet18", filters=NARROW)
    network.save_weights(tmp_path / "a.weights.h5")
    with pytest.raises(KitError, match="not the weights of a U-Net with encoder resnet34"):
        load_weights(unet("resnet34", filters=NARROW), tmp_path / "a.weights.h5", "resnet34")
    (tmp_path / "a.weights.h5").write_bytes(b"no HDF5")
    with pytest.raises(KitError, match="not the weights"):
        load_weights(network, tmp_path / "a.weights.h5", "resnet18")


@pytest.fixture(scope="module")
def backbone() -> keras.Model:
    from segmentation_models.backbones.backbones_factory import Backbones

    modules = {
        "backend": keras.backend,
        "layers": keras.layers,
        "models": keras.models,
        "utils": keras.utils,
    }
    return Backbones.get_backbone(
        "resnet18", input_shape=(None, None, 3), weights=None, include_top=False, **modules
    )


def write_as_keras_2(model: keras.Model, path) -> None:
    """An .h5 file as published encoder weights are."""
    from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group

    with h5py.File(path, "w") as file:
        save_weights_to_hdf5_group(file, model)


def test_encoder_weights_are_loaded(backbone, tmp_path):
    write_as_keras_2(backbone, tmp_path / "encoder.h5")
    network = unet("resnet18", filters=NARROW, weights=str(tmp_path / "encoder.h5"))
    kernels = {layer.name: layer.kernel.numpy() for layer in layers(network, keras.layers.Conv2D)}
    for layer in layers(backbone, keras.layers.Conv2D):
        assert np.array_equal(kernels[layer.name], layer.kernel.numpy()), layer.name


def write_hdf5(path) -> None:
    with h5py.File(path, "w") as file:
        file["something"] = np.zeros(3)


@pytest.mark.parametrize(
    "make", [lambda path: None, lambda path: path.write_bytes(b"no HDF5"), write_hdf5]
)
def test_missing_or_damaged_encoder_weights_are_refused(tmp_path, make):
    make(tmp_path / "encoder.h5")
    with pytest.raises(KitError, match=r"encoder\.h5"):
        unet("resnet18", filters=NARROW, weights=str(tmp_path / "encoder.h5"))


@pytest.mark.parametrize("encoder", ["resnet34", "mobilenet"])
def test_weights_that_do_not_fit_the_encoder_are_refused(backbone, encoder, tmp_path):
    write_as_keras_2(backbone, tmp_path / "encoder.h5")
    with pytest.raises(KitError, match=rf"encoder\.h5: cannot be loaded as weights of {encoder}"):
        unet(encoder, filters=NARROW, weights=str(tmp_path / "encoder.h5"))


def test_weights_that_lack_a_layer_are_refused(backbone, tmp_path):
    write_as_keras_2(backbone, tmp_path / "encoder.h5")
    with h5py.File(tmp_path / "encoder.h5", "a") as file:
        del file["conv0"]
    with pytest.raises(KitError, match=r"encoder\.h5: cannot be loaded as weights of resnet18"):
        unet("resnet18", filters=NARROW, weights=str(tmp_path / "encoder.h5"))
