"""A detector trained on tiny images, and how its forward passes are counted."""

from pathlib import Path

import pytest

from kit.tf.environment import keras  # the kit loads it first
from kit.tf.inference.ensemble import make_mapper
from tests.tf.detectors import train_detector


@pytest.fixture(scope="session")
def detector(small, once) -> Path:
    """A model folder with the maps that its training left; it holds out fold 0."""
    return (
        once("detector", lambda folder: train_detector(small / "records", folder / "model"))
        / "model"
    )


@pytest.fixture
def passes(monkeypatch):
    """How many images each forward pass had, of compute_maps and of predictions."""
    seen = []

    def counting(*arguments):
        find = make_mapper(*arguments)

        def count(images):
            seen.append(len(images))
            return find(images)

        return count

    for module in ("holdout_maps", "inference"):
        monkeypatch.setattr(f"kit.tf.inference.{module}.make_mapper", counting)
    return seen


def read_keras() -> tuple:
    """Keras's settings in this process."""
    config = keras.config
    policy = config.dtype_policy().name
    return policy, config.floatx(), config.epsilon(), config.image_data_format()


def _set_keras(policy, floatx, epsilon, image_data_format) -> None:
    keras.config.set_floatx(floatx)
    keras.config.set_epsilon(epsilon)
    keras.config.set_image_data_format(image_data_format)
    keras.config.set_dtype_policy(policy)


@pytest.fixture
def odd_keras():
    """Keras as others may have set it; gives the settings."""
    kept, odd = read_keras(), ("mixed_float16", "float64", 1e-2, "channels_first")
    _set_keras(*odd)
    yield odd
    _set_keras(*kept)
