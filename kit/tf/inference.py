"""From a trained model to probability maps, tuned cuts and a submission."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from .. import competition as rules
from .. import images, masks, objects, progress, rows, sources, submission, tuning
from ..competition import AIRBUS, Competition
from ..errors import KitError
from ..masks import Masks
from ..records import Records, open_records
from ..settings import TrainSettings, TuneSettings
from ..writing import check_target, replacing_folder, write_json, write_text
from .batches import read_files, scan
from .failures import explained
from .unet import unet

BATCH = 2  # whole images a step: more are not faster on a CPU and need more memory


def load_model(folder) -> tuple[keras.Model, dict]:
    """The network of a model folder with its best weights, and config.json; KitError where something is missing or does not fit."""
    folder = Path(folder)
    if not folder.is_dir():
        raise KitError(f"{folder}: no such model folder; make it: kit train RECORDS {folder}")
    config = _read_config(folder / "config.json")
    weights = folder / "best.weights.h5"
    if not weights.is_file():
        raise KitError(f"{weights}: missing; train again")
    network = unet(config["encoder"], decoder=config["decoder"], scale=config["scale"])
    load_weights(network, weights, config["encoder"])
    return network, config


def _read_config(path: Path) -> dict:
    """config.json of a model folder; KitError where it is missing or is not what a training writes."""
    config = rules.read_json(path, "a model folder is made by kit train")
    names = [field.name for field in dataclasses.fields(TrainSettings)]
    try:
        chosen = dataclasses.asdict(TrainSettings(**{name: config[name] for name in names} | {"decoder": tuple(config["decoder"])}))
        rules.from_json(config["competition"])
        return {**chosen, "records": str(config["records"]), "competition": config["competition"]}
    except (KeyError, TypeError, KitError) as error:
        raise KitError(f"{path}: not the settings of a training ({error!r})") from None


def load_weights(network: keras.Model, path: Path, encoder: str) -> None:
    """Loads an .h5 file; KitError where it is damaged or belongs to another network."""
    try:
        with warnings.catch_warnings():  # Keras warns of groups that it misses, then raises
            warnings.simplefilter("ignore")
            network.load_weights(str(path))
    except (ValueError, OSError, KeyError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise KitError(
            f"{path}: not the weights of a U-Net with encoder {encoder} (another encoder, or a damaged file): {first[:160]}"
        ) from None


def forward(network: keras.Model):
    """The network as a compiled function: uint8 (batch, height, width, 3) -> probabilities, inference statistics."""
    return tf.function(lambda batch: network(batch, training=False), reduce_retracing=True)


def scan_maps(run, records: Records, folds: list[int], text: str) -> Iterator[tuple[list[str], np.ndarray, tf.Tensor, tf.Tensor]]:
    """Batches of the folds' whole images: ids, uint8 maps (batch, height, width), probabilities and truth of the same shape.

    run: the function made by `forward`, once a network: making it anew traces the whole network again.
    """
    with progress.bar(records.count(folds), text, leave=False) as bar:
        for ids, images, real in scan(records, folds, BATCH):
            probabilities = run(images)
            yield [name.decode() for name in ids.numpy()], objects.to_uint8(probabilities.numpy()), probabilities, real
            bar.update(len(ids))


def read_truth(records: Records, folds: list[int]) -> tuple[Masks, np.ndarray]:
    """Masks of the folds, in the order in which `scan` gives the images, and the scene of each (int64, -1 unknown)."""
    ids: list[str] = []
    columns: dict[str, list] = {
        name: [] for name in ("height", "width", "scene", "objects", "labels", "sizes", "runs/start", "runs/length")
    }
    for record in tf.data.TFRecordDataset(records.shards(folds)).as_numpy_iterator():
        fields = tf.train.Example.FromString(record).features.feature
        ids.append(fields["image_id"].bytes_list.value[0].decode())
        for name in columns:
            if name != "sizes":
                columns[name].extend(fields[name].int64_list.value)
        owner = np.array(fields["runs/object"].int64_list.value, np.int64)
        columns["sizes"].extend(np.bincount(owner, minlength=columns["objects"][-1]))
    whole = {name: np.array(values, np.int64) for name, values in columns.items()}
    objects, runs = (np.concatenate([[0], np.cumsum(whole[name])]) for name in ("objects", "sizes"))
    shapes = np.stack([whole["height"], whole["width"]], axis=1).astype(np.int32)
    labels, start, length = (whole[name].astype(np.int32) for name in ("labels", "runs/start", "runs/length"))
    return Masks(np.array(ids, object), shapes, objects, labels, runs, start, length), whole["scene"]


def sign_maps(folder: Path, weights: Path, records: Records) -> None:
    """Notes in a folder of maps from which weights and records they come."""
    write_text(folder / "source.sha256", _sign(weights, records))


def _sign(weights: Path, records: Records) -> str:
    return "".join(hashlib.sha256(path.read_bytes()).hexdigest() + "\n" for path in (weights, records.folder / "manifest.json"))


def compute_maps(model, records=None) -> tuple[Path, list[int], Records]:
    """The holdout's maps of a model folder in its `maps/` (PNG, named by image id); returns that folder, the folds, the records.

    Training leaves those of the best weights; they are computed again where they are missing or come from other weights.
    """
    network, config = load_model(model)
    source = open_records(records if records is not None else config["records"])
    if config["fold"] is None:
        raise KitError(f"{model}: was trained on all folds, so there is no holdout to tune on; train with --fold 0 or so")
    folds = [config["fold"]]
    folder, weights = Path(model) / "maps", Path(model) / "best.weights.h5"
    signature = folder / "source.sha256"
    current = signature.is_file() and signature.read_text() == _sign(weights, source)
    if current and len(list(folder.glob("*.png"))) == source.count(folds):
        return folder, folds, source
    with replacing_folder(folder) as temporary:
        for names, maps, _, _ in scan_maps(forward(network), source, folds, "maps"):
            for name, image in zip(names, maps):
                tuning.write_map(temporary, name, image)
        sign_maps(temporary, weights, source)
        shutil.rmtree(folder, ignore_errors=True)
    return folder, folds, source


@explained
def tune(model, *, records=None, **settings) -> dict:
    """Computes the holdout's maps of a model folder, chooses threshold and cuts on them and writes tuning.json; returns its fields.

    records: where they are now, if not where training found them. Keyword arguments are the fields of TuneSettings.
    """
    chosen = TuneSettings(**settings)
    folder, folds, source = compute_maps(model, records)
    truth, scenes = read_truth(source, folds)
    result = tuning.tune_maps(folder, truth, scenes, chosen)
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
            maps = objects.to_uint8(run(batch).numpy())
            found.append(objects.find_objects(ids[done : done + len(maps)], maps, cuts))
            done += len(maps)
            bar.update(len(maps))
    result = masks.concatenate(found)
    submission.write_csv(result, out, competition, sample=sample)
    return result
