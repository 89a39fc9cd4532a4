"""Loading of models: the network of a model folder with its best weights, and its settings."""

import os
from pathlib import Path

import keras

from ...errors import KitError
from ...models.folder import find_best_weights, read_config
from ..network.precision import choose_precision
from ..network.unet import unet
from ..network.weights import load_weights


def load_model(folder, model: keras.Model | None = None) -> tuple[keras.Model, dict]:
    """Loads the network of a model folder with its best weights; returns it and config.json.

    `model` is your own network, if the training had one. The kit's own computes in the precision
    that `find_precision` gives.

    Raises:
        KitError: if a file is missing, or the weights do not fit the network.
    """
    folder = Path(folder)
    config, weights = read_config(folder), find_best_weights(folder)
    if model is None:
        if "model" in config["own"]:
            raise KitError(
                f"{folder}: its network is not the kit's but {config['own']['model']}; "
                "give it in Python: networks=[...] of kit.tune, kit.predict or kit.report"
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
    """The half precision that a model was trained in, if it is fast on this machine.

    Otherwise None, which is float32 and as accurate.
    """
    return config["mixed"] if config["mixed"] == choose_precision("auto") else None


def pair_models(models, networks=None) -> list[tuple[Path, keras.Model | None]]:
    """Pairs model folders with your own networks, or with None for the kit's.

    `models` is one path or several. `networks` is None, or has one entry per model, which is None
    for a model with the kit's own network.

    Raises:
        KitError: if there is no model, or if the numbers of models and networks differ.
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
            f"{len(folders)} model folders and {len(given)} networks: "
            "give at least one folder, and one network per folder or none"
        )
    return list(zip(folders, given))
