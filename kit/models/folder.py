"""A model folder: settings, best weights, description (tests: tf/inference/test_load.py)."""

import dataclasses
from pathlib import Path
from typing import Any

from ..competition import conventions
from ..errors import KitError
from ..settings import TrainSettings
from ..system.files import read_json
from ..system.seals import digest_file
from .history import read_history


def read_config(folder: Path) -> dict[str, Any]:
    """Reads config.json of a model folder.

    Raises:
        KitError: if it is missing or not what a training writes.
    """
    if not folder.is_dir():
        raise KitError(f"{folder}: no such model folder; make it: kit train RECORDS {folder}")
    path = folder / "config.json"
    config = read_json(path, "a model folder is made by kit train")
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in config.items()
    }
    try:
        settings = {field.name: values[field.name] for field in dataclasses.fields(TrainSettings)}
        # The preset only says where values came from, and this version may not know it.
        chosen = dataclasses.asdict(TrainSettings(**{**settings, "preset": None}))
        conventions.from_json(config["competition"])
        known = {"competition": config["competition"], "own": dict(config["own"])}
        return {
            **chosen,
            **known,
            **{name: str(config[name]) for name in ("records", "records_sha256")},
        }
    except (AttributeError, KeyError, TypeError, ValueError, KitError) as error:
        raise KitError(f"{path}: not the settings of a training ({error!r})") from None


def find_best_weights(folder: Path) -> Path:
    """Finds the best weights in a model folder.

    Raises:
        KitError: if they are missing.
    """
    weights = folder / "best.weights.h5"
    if not weights.is_file():
        raise KitError(f"{weights}: missing; train again")
    return weights


def identify_model(folder: Path) -> dict[str, Any]:
    """What tells a model from others, as JSON.

    That is its name, the SHA-256 of its best weights, the fold held out, encoder, scale, crop and
    the number of steps trained.
    """
    config = read_config(folder)
    return {
        "name": folder.resolve().name,
        "weights": digest_file(find_best_weights(folder)),
        "fold": config["fold"],
        "encoder": config["own"].get("model", config["encoder"]),
        **{name: config[name] for name in ("scale", "crop")},
        "steps": _count_steps(folder / "history.csv"),
    }


def _count_steps(history: Path) -> int | None:
    """Steps up to the last epoch in history.csv; None before its first row or if a kill tore it."""
    try:
        rows = read_history(history)
    except KitError:
        return None
    return int(rows[-1]["step"] or 0) if rows else None
