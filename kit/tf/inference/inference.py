"""From trained models to tuned cuts and a submission: one network, or the mean of several."""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from ...competition import conventions, csv_masks, sources
from ...competition.conventions import Competition
from ...competition.images import wary
from ...cuts import Cuts, describe_cuts
from ...errors import KitError
from ...masks import table as masks
from ...masks.table import Masks
from ...models.folder import find_best_weights, identify_model, read_config
from ...objects import map_files
from ...records.index import Index
from ...settings import PredictSettings, TuneSettings
from ...submission import prediction
from ...submission.parts import split_batches
from ...submission.prediction import Batch, Batches
from ...system.seals import digest_file
from ...tuning import tuning
from ...tuning.tuning import Tuning
from ...tuning.tuning_file import read_tuning
from ..data.image_files import read_images
from ..failures import explained
from .ensemble import average_presence, choose_batch, collect, make_mapper
from .holdout_maps import compute_maps
from .load import find_precision, load_model, pair_models


class Holdout(NamedTuple):
    """What several models say of images that they have not seen, and the truth."""

    read: Callable[
        [int], np.ndarray
    ]  # the uint8 map of the image at a position of `truth`, the mean of the models that hold out its fold
    truth: Masks
    scenes: np.ndarray  # int64 (images,)
    presence: (
        np.ndarray | None
    )  # float32 (images,), where the models of every fold have that output


def open_holdout(models, records=None, *, networks=None, tta: int = 1, scale: int = 1) -> Holdout:
    """The holdout of one or several model folders; its maps are computed where they are missing (see compute_maps).

    Maps of models that hold out the same fold are averaged; different folds stand one after the other. Raises KitError for models of
    different records.
    """
    pairs = pair_models(models, networks)
    configs = [read_config(folder) for folder, _ in pairs]
    other = next(
        (
            folder
            for (folder, _), config in zip(pairs, configs)
            if config["records_sha256"] != configs[0]["records_sha256"]
        ),
        None,
    )
    if other is not None:
        raise KitError(
            f"{other}: was trained on other records than {pairs[0][0]}; tune each by itself, or train on the same ones"
        )
    folds: dict[int, list[Path]] = {}
    indexes: dict[int, Index] = {}
    for (folder, network), config in zip(pairs, configs):
        maps, indexes[config["fold"]] = compute_maps(
            folder, records, tta=tta, scale=scale, network=network
        )
        folds.setdefault(config["fold"], []).append(maps)
    truth = masks.concatenate([indexes[fold].truth for fold in sorted(folds)])
    sources_of = [folds[fold] for fold in sorted(folds) for _ in range(len(indexes[fold]))]

    def read(place: int) -> np.ndarray:
        name, shape = truth.ids[place], truth.shapes[place]
        return map_files.average(
            [map_files.read_map(maps, name, shape) for maps in sources_of[place]]
        )

    parts = [_read_presence(folds[fold], indexes[fold].truth.ids) for fold in sorted(folds)]
    known = [part for part in parts if part is not None]
    if 0 < len(known) < len(parts):
        print(
            "kit tune: only some folds' models say how likely an image holds an object, so that is not used"
        )
    presence = np.concatenate(known) if len(known) == len(parts) else None
    return Holdout(
        read, truth, np.concatenate([indexes[fold].scenes for fold in sorted(folds)]), presence
    )


@explained
def tune(models, *, records=None, networks=None, **settings) -> Tuning:
    """Chooses threshold and cuts on the holdout's maps of one or several model folders, writes tuning.json and tuning.png into each.

    records: where they are now, if not where training found them; networks: your own, see pair_models. Keyword arguments are the fields
    of TuneSettings. See open_holdout and kit.tuning.tuning.choose_point_cuts.
    """
    chosen, pairs = TuneSettings(**settings), pair_models(models, networks)
    for folder, _ in pairs:
        tuning.check_competition(conventions.from_json(read_config(folder)["competition"]))
    described = [
        {name: model[name] for name in ("name", "weights", "fold")}
        for model in (identify_model(folder) for folder, _ in pairs)
    ]
    holdout = open_holdout(
        [folder for folder, _ in pairs],
        records,
        networks=networks,
        tta=chosen.tta,
        scale=chosen.scale,
    )
    tuned = tuning.choose_cuts(*holdout, chosen)
    for (folder, _), model in zip(pairs, described):
        _check_unchanged(folder, model["weights"])
    tuned = dataclasses.replace(
        tuned, fields=tuned.fields | {"tta": chosen.tta, "scale": chosen.scale, "models": described}
    )
    for folder, _ in pairs:
        tuning.write_tuning(tuned, folder / "tuning.json")
    return tuned


def _check_unchanged(folder: Path, weights: str) -> None:
    """KitError where the best weights of a model folder are others than those of SHA-256 `weights`, because its training went on."""
    if digest_file(find_best_weights(folder)) != weights:
        raise KitError(
            f"{folder}: its weights changed meanwhile, is a training at work there? Run the same command again"
        )


def _read_presence(folders: Sequence[Path], ids: np.ndarray) -> np.ndarray | None:
    """What the models of one fold say of its images, float32 (images,), as `collect` averages it; None where none says anything."""
    found = []
    for folder in folders:
        known = map_files.read_presence(folder)
        found.append(np.array([known[name] for name in ids]) if known else None)
    return average_presence(found)


class Chosen(NamedTuple):
    """How maps are made and become masks."""

    cuts: Cuts
    tta: int
    scale: int
    figures: dict  # what the holdout scored, {} without tuning of just this


@explained
def predict(
    models,
    competition_folder,
    out,
    *,
    competition: Competition | None = None,
    networks=None,
    **settings,
) -> Masks:
    """Predicts the sample's test images by one model folder or the mean of several, and writes a checked CSV with a JSON beside it.

    Threshold and cuts, views and scale are tuning.json's, where the models were tuned. competition_folder: a folder, a zip, or `kaggle`;
    competition: by default the one that the models were trained on; networks: your own, see pair_models. Keyword arguments are the fields
    of PredictSettings. Returns the masks. A damaged image, or one of another size, is predicted blank and listed. The same call goes on
    after a kill. Raises KitError: models tuned apart, a missing image (unless allowed), a full disk.
    """
    asked, pairs = PredictSettings(**settings), pair_models(models, networks)
    prediction.place_report(out)  # before any time is spent
    folders = [folder for folder, _ in pairs]
    described = [identify_model(folder) for folder in folders]
    if competition is None:
        competition = _find_competition(folders)
    source = sources.find_source(competition_folder, competition)
    file = sources.find_file(
        source, competition.need("sample_csv"), "the sample submission, whose ids are predicted"
    )
    sample = (file.name, sources.read_whole(source, file))
    ids = csv_masks.read_ids(sample, competition)
    listing = sources.list_images(source, competition.need("test_images"))
    for name in ids:
        conventions.image_path(
            source.path, competition.test_images, name
        )  # refuses one that would leave the folder
    missing = {name for name in ids if name not in listing}
    prediction.check_missing(missing, ids, source.path, asked.allow_missing)
    chosen = _choose(folders, described, asked)
    shape = None if competition.height is None or competition.width is None else competition.shape
    batch = choose_batch(shape is not None)
    files = [listing.get(name, sources.File(name, 0, 0)) for name in ids]

    def make_batches(places: np.ndarray) -> Batches:
        mappers = (
            [
                make_mapper(load_model(folder, network)[0], chosen.tta, chosen.scale)
                for folder, network in pairs
            ]
            if len(places)
            else []
        )
        for folder, model in zip(folders, described):
            _check_unchanged(folder, model["weights"])
        todo = split_batches(places, batch)
        with (
            sources.reading(source.path) as read,
            contextlib.closing(read_images(read, files, todo, shape)) as images,
        ):
            for held, pixels, bad in images:
                found = [] if pixels is None else [find(pixels) for find in mappers]
                good = np.array([place not in bad for place in held.tolist()])
                yield Batch(held[good], functools.partial(_load, found, good), bad)

    with wary():
        return prediction.predict_batches(
            out,
            sample,
            ids,
            chosen.cuts,
            make_batches,
            plan={
                "models": [model["weights"] for model in described],
                "precisions": [find_precision(read_config(folder)) for folder in folders],
                "tta": chosen.tta,
                "scale": chosen.scale,
                "batch": batch,
                "competition": conventions.to_json(competition),
                "files": files,
                "tensorflow": tf.__version__,
            },
            words={
                "models": described,
                "cuts": dataclasses.asdict(chosen.cuts),
                "tta": chosen.tta,
                "scale": chosen.scale,
                "holdout": chosen.figures,
                "tensorflow": tf.__version__,
            },
            missing=missing,
            competition=competition,
        )


def _load(found: list, good: np.ndarray):
    """The maps of a batch's good images, and their presence."""
    maps, presence = collect(found)
    return maps[good], None if presence is None else presence[good]


def _find_competition(folders: Sequence[Path]) -> Competition:
    """The competition that all models were trained on."""
    known = [read_config(folder)["competition"] for folder in folders]
    for folder, fields in zip(folders, known):
        if fields != known[0]:
            raise KitError(
                f"{folder}: was trained on another competition than {folders[0]}; take models of one competition"
            )
    return conventions.from_json(known[0])


def _choose(folders: Sequence[Path], described: Sequence[dict], asked: PredictSettings) -> Chosen:
    """What the models were tuned to, or was asked for instead, which is said; KitError where they were not tuned together."""
    all_folders = " ".join(map(str, folders))
    paths = [folder / "tuning.json" for folder in folders]
    tuned = [read_tuning(path) if path.exists() else None for path in paths]
    for folder, saved in zip(folders, tuned):
        if saved != tuned[0]:
            raise KitError(
                f"{folder}: was not tuned together with {folders[0]}; choose cuts for all: kit tune {all_folders}"
            )
    saved = tuned[0]
    if saved is None:
        print(
            f"kit predict: {all_folders} not tuned, so threshold 128 and no cuts; kit tune {all_folders} chooses better ones"
        )
        return Chosen(Cuts(), asked.tta or 1, asked.scale or 1, {})
    cuts, figures, known = saved.cuts, saved.figures, saved.settings
    print(f"kit predict: {paths[0]}: {describe_cuts(cuts)}")
    weights = sorted(model["weights"] for model in saved.models)
    if weights != sorted(model["weights"] for model in described):
        print(
            f"kit predict: {paths[0]} was chosen for other weights than these; kit tune {all_folders} chooses for them"
        )
        figures = {}  # they say nothing of this prediction
    for name in ("tta", "scale"):
        asked_for, was = getattr(asked, name), getattr(known, name)
        if asked_for is not None and asked_for != was:
            print(
                f"kit predict: --{name} {asked_for}, but these cuts were chosen with --{name} {was}"
            )
            figures = {}
    return Chosen(cuts, asked.tta or known.tta, asked.scale or known.scale, figures)
