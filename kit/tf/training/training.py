"""Training: checks what was asked and whether the model folder can resume it, then runs it."""

import dataclasses
import json
import re
from pathlib import Path

import keras

from ...competition.conventions import Competition
from ...errors import KitError, naming_extra
from ...models.checkpoint import list_states
from ...presets import GATE, PRESETS
from ...records.index import Index, open_index
from ...records.manifest import Records, open_records
from ...settings import CHANGEABLE, TrainSettings, choose_training
from ...system.files import read_json, write_json, write_text
from ...system.kaggle import find_hours
from ...system.locks import clear, hold
from ..environment import computing, describe_environment
from ..failures import explained
from ..network.precision import choose_precision, describe_precision, read_precision
from ..network.pretrained import find_encoder_weights
from .run import Run
from .stage import list_stages
from .stop import Stop

# Names of temporary files that a kill may leave.
LEFT = re.compile(
    r"\.((step-[\d-]+\.npz|[\w.-]+\.weights\.h5|history\.csv|config\.json|environment\.txt)\.\d+"
    r"|maps)\.tmp.*"
)
OWN = ("loss", "augment", "schedule")  # settings that may be the caller's own functions


@explained
def train(records, out, *, model=None, **settings) -> list[dict]:
    """Trains a U-Net on all folds of the records but one, into a model folder.

    Call it again with the same arguments to resume, however the training was stopped. It saves and
    stops at `max_hours`, at Ctrl-C and at SIGTERM.

    Args:
        records: folder of records.
        out: the model folder.
        model: your own network, or a function that makes it; it maps uint8 (batch, height, width,
            3) to probabilities (batch, height, width). The function runs under the dtype policy of
            `mixed`, so give its last layer dtype="float32". A network computes in what it was made
            for, which config.json then says. `encoder_rate` and `freeze_encoder` are about its
            layer "encoder".
        **settings: fields of TrainSettings. `preset` names one of kit.PRESETS; fields given beside
            it win. Three of them take your own functions:
            loss: (truth, probabilities) -> one value per sample; or a list of functions and names.
            augment: (image, mask, seed) -> (image, mask) of one crop, in the graph.
            schedule: (step, steps, epoch) -> share of the learning rate.

    Returns:
        The rows of history.csv.

    Raises:
        KitError: if the input is unusable, if the training in `out` began with other settings, or
            if the loss or a weight becomes NaN or infinite.
    """
    own = {name: settings[name] for name in OWN if _is_own(settings.get(name))}
    chosen, weights = check_settings(out, model=model, **settings)
    hours = find_hours() if chosen.max_hours is None else chosen.max_hours
    stop = Stop(hours)
    source, out = open_records(records), Path(out)
    folds, holdout = _split(source, chosen.fold)
    index = open_index(source, folds)
    for stage in list_stages(chosen):
        _check_crop(stage, source.competition, index)
    if GATE in chosen.then and model is not None:
        raise KitError(f"--then {GATE}: fits the kit's own networks, not yours")
    if out.exists() and (
        not out.is_dir() or (any(out.iterdir()) and not (out / "config.json").is_file())
    ):
        raise KitError(
            f"{out}: exists already and is not a model folder; "
            "remove it or choose another folder for the model"
        )
    if hours is not None and chosen.max_hours is None:
        print(
            f"kit train: saves and stops in {hours:.1f} hours, before Kaggle ends this session; "
            "--max-hours sets another limit"
        )
    # Saved as chosen here, so that another machine cannot resume in another precision.
    chosen = dataclasses.replace(chosen, mixed=_choose_precision(chosen.mixed, model))
    config = {
        "records": str(source.folder.resolve()),
        "records_sha256": source.sha256,
        "competition": source.manifest["competition"],
        "own": {
            name: _name(value)
            for name, value in {"model": model, **own}.items()
            if value is not None
        },
        **dataclasses.asdict(chosen),
    }
    _compare(out, config)
    with computing(chosen.mixed):
        run = Run(
            chosen,
            own,
            model,
            weights,
            index,
            open_index(source, holdout) if holdout else None,
            out,
            source,
        )
        with hold(out, "kit train"), stop:
            for folder in (out, out / "state"):
                clear(folder, LEFT)
            write_json(out / "config.json", config)
            write_text(out / "environment.txt", describe_environment(run.strategy, chosen.mixed))
            return run.go(stop)


@naming_extra()
def check_settings(out, *, model=None, **settings) -> tuple[TrainSettings, str | None]:
    """Checks the settings of a training before any data exist; arguments are those of `train`.

    Since it reads no data, a notebook can call it before packing.

    Where a preset asks for weights that cannot be found, it prints one line, and the network begins
    from random ones.

    Returns:
        The settings, and the path of the encoder's weights. The path is None if the network begins
        without weights, is the caller's own or comes from a saved state.

    Raises:
        KitError: if a setting is invalid, or weights that the caller asks for cannot be found.
    """
    chosen = choose_training(
        **{name: value for name, value in settings.items() if name not in OWN or not _is_own(value)}
    )
    config, by_preset = Path(out) / "config.json", "encoder_weights" not in settings
    if by_preset and config.is_file():  # those that it began with
        former = read_json(config, "the settings of a training")
        asked = former.get("encoder_weights", chosen.encoder_weights)
        chosen = dataclasses.replace(chosen, encoder_weights=asked)
    # A saved state holds the encoder's weights too.
    if model is not None or list_states(Path(out) / "state"):
        return chosen, None
    try:
        return chosen, find_encoder_weights(chosen.encoder_weights, chosen.encoder)
    except KitError as error:
        if not by_preset:
            raise
        print(f"kit train: it begins from random weights, since {error}")
        return dataclasses.replace(chosen, encoder_weights=None), None


def _choose_precision(asked: str | None, model) -> str | None:
    """Chooses the half precision of a training, and prints a line if it is not what was asked.

    A network that the caller has made already computes in what it was made for.
    """
    if isinstance(model, keras.Model) and asked in (None, "auto"):
        found = read_precision(model)
        if found:
            print(f"kit train: your network computes in {found}, so mixed is {found}")
        return found
    if words := describe_precision(asked):
        print(f"kit train: {words}")
    return choose_precision(asked)


def _check_crop(chosen: TrainSettings, competition: Competition, index: Index) -> None:
    """Raises a KitError if the crops of a stage do not fit the images or the map."""
    shape, shrink = competition.shape if competition.height else None, chosen.scale * chosen.output
    if chosen.crop and shape and chosen.crop > min(shape):
        raise KitError(f"--crop {chosen.crop}: the images are only {shape[0]} x {shape[1]} px")
    if chosen.crop and chosen.crop % shrink:
        raise KitError(
            f"--crop {chosen.crop}: give a multiple of {shrink} px, "
            "since --scale and --output shrink the map by that factor"
        )
    if not chosen.crop and shrink > 1 and index.size is None:
        raise KitError(
            "--crop none: images of several sizes need a map of full size; "
            "give --scale 1 --output 1"
        )


def _is_own(value) -> bool:
    return callable(value) or (
        isinstance(value, list | tuple) and any(callable(part) for part in value)
    )


def _name(value) -> str:
    if isinstance(value, list | tuple):
        return ",".join(map(_name, value))
    return (
        value
        if isinstance(value, str)
        else getattr(value, "__qualname__", None)
        or getattr(value, "name", None)
        or type(value).__name__
    )


def _compare(out: Path, config: dict) -> None:
    """Raises a KitError if the training in `out` began with other settings."""
    if not (out / "config.json").is_file():
        return
    former = read_json(out / "config.json", "the settings of a training")
    config, preset = json.loads(json.dumps([config, PRESETS.get(config["preset"] or "", {})]))
    for name, value in config.items():
        if name in (*CHANGEABLE, "records", "preset") or former.get(name) == value:
            continue
        if name == "records_sha256":
            raise KitError(
                f"{out}: was trained on other records than {config['records']}; "
                "choose another folder for the model"
            )
        option = "your own" if name == "own" else f"--{name.replace('_', '-')}"
        by = f" by --preset {config['preset']}" if name in preset and preset[name] == value else ""
        may = ", ".join(f"--{part.replace('_', '-')}" for part in CHANGEABLE)
        raise KitError(
            f"{out}: its training began with {option} {former.get(name)}, now it is {value}{by}; "
            f"only {may} may change; choose another folder, perhaps with --start-from {out}"
        )


def _split(source: Records, fold: int | None) -> tuple[list[int], list[int]]:
    """Splits the folds into those to train on and the one held out, if any."""
    if fold is None:
        return source.folds, []
    if fold not in source.folds:
        raise KitError(
            f"--fold {fold}: {source.folder} has folds {', '.join(map(str, source.folds))}"
        )
    if source.folds == [fold]:
        raise KitError(f"--fold {fold}: {source.folder} has no other fold to train on")
    return [number for number in source.folds if number != fold], [fold]
