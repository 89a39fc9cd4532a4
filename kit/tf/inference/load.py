"""Loading of models: the network of a model folder with its best weights, its settings and cuts."""

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras

from ...competition import conventions
from ...competition.conventions import Competition
from ...cuts import Cuts
from ...errors import KitError
from ...models.folder import find_best_weights, identify_model, read_config
from ...tuning.tuning_file import SavedTuning, read_tuning
from ..failures import explained
from ..network.precision import choose_precision
from ..network.unet import unet
from ..network.weights import load_weights


@dataclass(frozen=True)
class Model:
    """A trained model."""

    network: keras.Model  # uint8 (batch, height, width, 3) to probabilities (batch, height, width)
    cuts: Cuts  # by which its maps become objects
    competition: Competition  # that it was trained on


@explained
def load_model(folder, network: keras.Model | None = None) -> Model:
    """Loads a model folder: the network with its best weights, its cuts and its competition.

    The cuts are those of tuning.json, else threshold 128 and no cuts, which prints one line.

    Args:
        folder: the model folder.
        network: your own network, if the training had one; it gets the weights.

    Returns:
        The model.

    Raises:
        KitError: if a file is missing or damaged, or the weights do not fit the network.
    """
    folder = Path(folder)
    network, config = load_network(folder, network)
    saved = find_tuning([folder], [identify_model(folder)], "kit.load_model")
    if saved is not None and (saved.settings.tta, saved.settings.scale) != (1, 1):
        print(
            f"kit.load_model: the cuts of {folder} were chosen on maps by --tta "
            f"{saved.settings.tta} --scale {saved.settings.scale}"
        )
    cuts = Cuts() if saved is None else saved.cuts
    return Model(network, cuts, conventions.from_json(config["competition"]))


def find_tuning(folders: Sequence[Path], described: Sequence[dict], who: str) -> SavedTuning | None:
    """Finds the tuning of models; None if they are not tuned, which prints one line.

    If it was chosen for other weights, it has no figures, which prints one line, too.

    Args:
        folders: the model folders.
        described: what `identify_model` says of each.
        who: the command or function, which the lines begin with.

    Raises:
        KitError: if the models were not tuned together.
    """
    all_folders = " ".join(map(str, folders))
    paths = [folder / "tuning.json" for folder in folders]
    tuned = [read_tuning(path) if path.exists() else None for path in paths]
    for folder, saved in zip(folders, tuned):
        if saved != tuned[0]:
            raise KitError(
                f"{folder}: was not tuned together with {folders[0]}; "
                f"choose cuts for all: kit tune {all_folders}"
            )
    saved = tuned[0]
    if saved is None:
        print(
            f"{who}: {all_folders} not tuned, so threshold 128 and no cuts; "
            f"kit tune {all_folders} chooses better ones"
        )
        return None
    weights = sorted(model["weights"] for model in saved.models)
    if weights != sorted(model["weights"] for model in described):
        print(
            f"{who}: {paths[0]} was chosen for other weights than these; "
            f"kit tune {all_folders} chooses cuts for these"
        )
        return dataclasses.replace(saved, figures={})
    return saved


def load_network(folder, model: keras.Model | None = None) -> tuple[keras.Model, dict]:
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
        names = ("decoder", "filters", "scale", "output", "presence")
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
