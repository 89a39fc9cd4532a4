"""Model folders: the network with its best weights, and what is known of it."""

from __future__ import annotations

import csv
import dataclasses
import os
from pathlib import Path
from typing import Any

import keras

from ...competition import conventions
from ...errors import KitError
from ...records.manifest import digest_file
from ...settings import TrainSettings
from ..network.precision import choose_precision
from ..network.unet import unet
from ..network.weights import load_weights


def load_model(folder, model: keras.Model | None = None) -> tuple[keras.Model, dict]:
    """The network of a model folder with its best weights, and config.json; KitError where something is missing or does not fit.

    model: your own network, where the training had one. The kit's computes as find_precision says.
    """
    folder = Path(folder)
    config, weights = read_config(folder), find_weights(folder)
    if model is None:
        if "model" in config["own"]:
            raise KitError(f"{folder}: its network is not the kit's but {config['own']['model']}; give it: load_model(folder, model)")
        names = ("decoder", "scale", "output", "presence")
        model = unet(config["encoder"], mixed=find_precision(config), **{name: config[name] for name in names})
    load_weights(model, weights, config["encoder"])
    return model, config


def find_precision(config: dict) -> str | None:
    """The half precision that a model was trained in, where this machine computes fast in it; else None, float32, which is as right."""
    return config["mixed"] if config["mixed"] == choose_precision("auto") else None


def read_config(folder: Path) -> dict:
    """config.json of a model folder; KitError where it is missing or is not what a training writes."""
    if not folder.is_dir():
        raise KitError(f"{folder}: no such model folder; make it: kit train RECORDS {folder}")
    path = folder / "config.json"
    config = conventions.read_json(path, "a model folder is made by kit train")
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in config.items()}
    try:
        settings = {field.name: values[field.name] for field in dataclasses.fields(TrainSettings)}
        # A preset is only where values came from: this version may not know it.
        chosen = dataclasses.asdict(TrainSettings(**{**settings, "preset": None}))
        conventions.from_json(config["competition"])
        known = {"competition": config["competition"], "own": dict(config["own"])}
        return {**chosen, **known, **{name: str(config[name]) for name in ("records", "records_sha256")}}
    except (AttributeError, KeyError, TypeError, ValueError, KitError) as error:
        raise KitError(f"{path}: not the settings of a training ({error!r})") from None


def find_weights(folder: Path) -> Path:
    """The best weights in a model folder; KitError where they are missing."""
    weights = folder / "best.weights.h5"
    if not weights.is_file():
        raise KitError(f"{weights}: missing; train again")
    return weights


def pair_models(models, networks=None) -> list[tuple[Path, keras.Model | None]]:
    """Model folders, one path or several, each with your own network, where its training had one.

    networks: None, or as many as models, None among them for the kit's own.
    """
    folders = [Path(models)] if isinstance(models, str | os.PathLike) else [Path(model) for model in models]
    given = [networks] if isinstance(networks, keras.Model) else [None] * len(folders) if networks is None else list(networks)
    if not folders or len(given) != len(folders):
        raise KitError(f"{len(folders)} model folders and {len(given)} networks: give at least one folder, and a network for each or none")
    return list(zip(folders, given))


def describe_model(folder: Path) -> dict:
    """What tells a model from others, as JSON: name, SHA-256 of the best weights, fold held out, encoder, scale, crop and steps trained."""
    config = read_config(folder)
    return {
        "name": folder.resolve().name,
        "weights": digest_file(find_weights(folder)),
        "fold": config["fold"],
        "encoder": config["own"].get("model", config["encoder"]),
        **{name: config[name] for name in ("scale", "crop")},
        "steps": _count_steps(folder / "history.csv"),
    }


def _count_steps(history: Path) -> int | None:
    """Steps up to the last epoch in history.csv; None in its first epoch, when there is none."""
    try:
        with open(history, newline="", encoding="utf-8") as file:
            *_, last = csv.DictReader(file)
        return int(last["step"])
    except (OSError, KeyError, TypeError, ValueError, csv.Error):
        return None
