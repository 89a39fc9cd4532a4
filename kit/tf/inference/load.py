"""Model folders: the network with its best weights, and what is known of it."""

import os
from pathlib import Path

import keras

from ...errors import KitError
from ...models.folder import find_best_weights, read_config
from ..network.precision import choose_precision
from ..network.unet import unet
from ..network.weights import load_weights


def load_model(folder, model: keras.Model | None = None) -> tuple[keras.Model, dict]:
    """The network of a model folder with its best weights, and config.json; KitError where something is missing or does not fit.

    model: your own network, where the training had one. The kit's computes as find_precision says.
    """
    folder = Path(folder)
    config, weights = read_config(folder), find_best_weights(folder)
    if model is None:
        if "model" in config["own"]:
            raise KitError(
                f"{folder}: its network is not the kit's but {config['own']['model']}; give it: load_model(folder, model)"
            )
        names = ("decoder", "scale", "output", "presence")
        model = unet(
            config["encoder"],
            mixed=find_precision(config),
            **{name: config[name] for name in names},
        )
    load_weights(model, weights, config["encoder"])
    return model, config


def find_precision(config: dict) -> str | None:
    """The half precision that a model was trained in, where this machine computes fast in it; else None, float32, which is as right."""
    return config["mixed"] if config["mixed"] == choose_precision("auto") else None


def pair_models(models, networks=None) -> list[tuple[Path, keras.Model | None]]:
    """Model folders, one path or several, each with your own network, where its training had one.

    networks: None, or as many as models, None among them for the kit's own.
    """
    folders = (
        [Path(models)]
        if isinstance(models, str | os.PathLike)
        else [Path(model) for model in models]
    )
    given = (
        [networks]
        if isinstance(networks, keras.Model)
        else [None] * len(folders)
        if networks is None
        else list(networks)
    )
    if not folders or len(given) != len(folders):
        raise KitError(
            f"{len(folders)} model folders and {len(given)} networks: give at least one folder, and a network for each or none"
        )
    return list(zip(folders, given))
