"""From a trained model to probability maps, tuned cuts and a submission."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from pathlib import Path
from typing import Any

import keras

from .. import competition as rules
from .. import images, masks, objects, progress, rows, sources, submission, tuning
from ..competition import AIRBUS, Competition
from ..errors import KitError
from ..index import Index, open_index
from ..masks import Masks
from ..records import Records, open_records
from ..settings import TrainSettings, TuneSettings
from ..writing import check_target, replacing_folder, write_json, write_text
from .batches import read_files
from .failures import explained
from .holdout import BATCH, forward, scan_maps
from .steps import find_map
from .unet import unet
from .weights import load_weights


def load_model(folder, model: keras.Model | None = None) -> tuple[keras.Model, dict]:
    """The network of a model folder with its best weights, and config.json; KitError where something is missing or does not fit.

    model: your own network, where the training had one.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise KitError(f"{folder}: no such model folder; make it: kit train RECORDS {folder}")
    config = _read_config(folder / "config.json")
    weights = folder / "best.weights.h5"
    if not weights.is_file():
        raise KitError(f"{weights}: missing; train again")
    if model is None and "model" in config["own"]:
        raise KitError(f"{folder}: its network is not the kit's but {config['own']['model']}; give it: load_model(folder, model)")
    names = ("decoder", "scale", "output", "presence", "mixed")
    network = unet(config["encoder"], **{name: config[name] for name in names}) if model is None else model
    load_weights(network, weights, config["encoder"])
    return network, config


def _read_config(path: Path) -> dict:
    """config.json of a model folder; KitError where it is missing or is not what a training writes."""
    config = rules.read_json(path, "a model folder is made by kit train")
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in config.items()}
    try:
        chosen = dataclasses.asdict(TrainSettings(**{field.name: values[field.name] for field in dataclasses.fields(TrainSettings)}))
        rules.from_json(config["competition"])
        return {**chosen, "records": str(config["records"]), "competition": config["competition"], "own": dict(config["own"])}
    except (KeyError, TypeError, ValueError, KitError) as error:
        raise KitError(f"{path}: not the settings of a training ({error!r})") from None


def sign_maps(folder: Path, weights: Path, records: Records) -> None:
    """Notes in a folder of maps from which weights and records they come."""
    write_text(folder / "source.sha256", _sign(weights, records))


def _sign(weights: Path, records: Records) -> str:
    return "".join(hashlib.sha256(path.read_bytes()).hexdigest() + "\n" for path in (weights, records.folder / "manifest.json"))


def compute_maps(model, records=None) -> tuple[Path, Index]:
    """The holdout's maps of a model folder in its `maps/` (PNG, named by image id); returns that folder, and the holdout's index.

    Training leaves those of the best weights; they are computed again where they are missing or come from other weights.
    """
    network, config = load_model(model)
    source = open_records(records if records is not None else config["records"])
    if config["fold"] is None:
        raise KitError(f"{model}: was trained on all folds, so there is no holdout to tune on; train with --fold 0 or so")
    index = open_index(source, [config["fold"]])
    folder, weights = Path(model) / "maps", Path(model) / "best.weights.h5"
    signature = folder / "source.sha256"
    current = signature.is_file() and signature.read_text() == _sign(weights, source)
    if current and len(list(folder.glob("*.png"))) == len(index):
        return folder, index
    with replacing_folder(folder) as temporary:
        for places, maps, _, _ in scan_maps(forward(network), index, "maps"):
            for name, image in zip(index.truth.ids[places], maps):
                tuning.write_map(temporary, name, image)
        sign_maps(temporary, weights, source)
        shutil.rmtree(folder, ignore_errors=True)
    return folder, index


@explained
def tune(model, *, records=None, **settings) -> dict:
    """Computes the holdout's maps of a model folder, chooses threshold and cuts on them and writes tuning.json; returns its fields.

    records: where they are now, if not where training found them. Keyword arguments are the fields of TuneSettings.
    """
    chosen = TuneSettings(**settings)
    folder, index = compute_maps(model, records)
    result = tuning.tune_maps(folder, index.truth, index.scenes, chosen)
    write_json(Path(model) / "tuning.json", result)
    return result


def read_cuts(model) -> objects.Cuts | None:
    """The cuts of a model folder's tuning.json, None where it was not tuned; KitError where the file is damaged."""
    path = Path(model) / "tuning.json"
    if not path.exists():
        return None
    return tuning.cuts_from_json(rules.read_json(path, "written by kit tune"), path)


@explained
def predict(model, competition_folder, out, *, competition: Competition | None = None) -> Masks:
    """Predicts the test images of a competition folder, with tuning.json's cuts where there are any, and writes a checked CSV.

    Returns the masks. KitError: anything missing, an image that cannot be decoded, one whose size is not the competition's.
    """
    check_target(out)  # before any time is spent
    source = sources.find_source(competition_folder, AIRBUS if competition is None else competition)
    if source.directory is not None:
        raise KitError(f"{source.path}: test images are read from a folder; unpack the zip first")
    network, config = load_model(model)
    competition = rules.from_json(config["competition"]) if competition is None else competition
    folder = source.path
    sample = folder / sources.find_file(source, competition.need("sample_csv"), "the sample submission, whose ids are predicted").name
    ids = rows.read_ids(sample, competition)
    paths = [rules.image_path(folder, competition.need("test_images"), name) for name in ids]
    for path in paths:
        try:
            shape = images.inspect(f"{path.parent.name}/{path.name}", path.read_bytes())[:2]
        except OSError as error:
            raise KitError(f"{path}: cannot be read: {error.strerror or error}") from None
        if shape != competition.shape:
            raise KitError(
                f"{path}: is {shape[1]} x {shape[0]} px, the competition's images are {competition.width} x {competition.height}"
            )
    cuts = read_cuts(model)
    if cuts is None:
        cuts = objects.Cuts()
        print(f"kit predict: {model} was not tuned, so threshold 128 and no cuts; kit tune {model} chooses better ones")
    else:
        print(f"kit predict: {Path(model) / 'tuning.json'}: {', '.join(f'{k} {v}' for k, v in dataclasses.asdict(cuts).items())}")
    run, found, done = forward(network), [], 0
    with progress.bar(len(ids), "predict") as bar:
        for batch in read_files(paths, BATCH):
            maps = objects.to_uint8(find_map(run(batch)).numpy())
            found.append(objects.find_objects(ids[done : done + len(maps)], maps, cuts))
            done += len(maps)
            bar.update(len(maps))
    result = masks.concatenate(found)
    submission.write_csv(result, out, competition, sample=sample)
    return result
