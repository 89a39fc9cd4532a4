"""Weights of a network as .weights.h5 files, written whole or not at all."""

import os
import shutil
import warnings
from pathlib import Path

import keras

from ...errors import KitError
from ...system.files import replacing

# What h5py and Keras raise depends on the damage to a file.
DAMAGES = (ValueError, OSError, KeyError, RuntimeError, TypeError, AttributeError)


def load_weights(network: keras.Model, path: Path, encoder: str) -> None:
    """Loads an .h5 file.

    Raises:
        KitError: if the file is damaged or belongs to another network.
    """
    try:
        with warnings.catch_warnings():  # Keras warns of missing groups, then raises
            warnings.simplefilter("ignore")
            network.load_weights(str(path))
    except DAMAGES as error:
        raise KitError(
            f"{path}: not the weights of a U-Net with encoder {encoder} "
            f"(another encoder, or a damaged file): {describe_damage(error)}"
        ) from None


def describe_damage(error: Exception) -> str:
    """The first line of an error, at most 160 characters of it; its name if it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]


def copy_weights(path: Path, target: Path) -> None:
    """Copies a file of weights, whole or not at all."""
    with replacing(target) as temporary:
        shutil.copyfile(path, temporary)


def save_weights(network: keras.Model, path: Path) -> None:
    """Saves the weights of a network, whole or not at all.

    Raises:
        KitError: if the disk is full.
    """
    with replacing(path) as temporary:
        whole = temporary.with_name(f"{temporary.name}.weights.h5")  # Keras requires this ending
        try:
            network.save_weights(str(whole))
            os.replace(whole, temporary)
        except RuntimeError as error:  # HDF5 does not raise OSError on a full disk
            raise KitError(
                f"{path}: cannot be written, is the disk full? {str(error).splitlines()[0][:120]}"
            ) from None
        finally:
            whole.unlink(missing_ok=True)
