"""Tuned cuts and a submission from one model folder or the mean of several."""

import contextlib
import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from ...competition import conventions, sources
from ...competition.catalog import find_competition
from ...competition.conventions import Competition
from ...competition.images import BLIND, find_strict_decoder, wary
from ...competition.keys import read_ids
from ...competition.listing import list_images
from ...cuts import Cuts, describe_cuts
from ...errors import KitError
from ...masks.table import Masks
from ...models.folder import find_best_weights, identify_model, read_config
from ...settings import PredictSettings, TuneSettings
from ...submission import prediction
from ...submission.parts import split_batches
from ...submission.workers import Batch, Batches
from ...system.files import check_target
from ...system.seals import digest_file
from ...tuning import tuning
from ...tuning.tuning import Tuning
from ..data.image_files import read_images
from ..environment import computing
from ..failures import explained
from .ensemble import choose_batch, collect, make_mapper
from .holdout import open_holdout
from .load import find_precision, find_tuning, load_network, pair_models


@explained
@computing()
def tune(models, *, records=None, networks=None, **settings) -> Tuning:
    """Chooses threshold and cuts on the holdout's maps of one or several model folders.

    Writes tuning.json and tuning.png into each folder. See `open_holdout` and
    kit.tuning.tuning.choose_cuts.

    Args:
        models: one model folder or several.
        records: folder of the records; None: where training found them.
        networks: your own networks, see `pair_models`.
        **settings: fields of TuneSettings.

    Returns:
        The tuning.

    Raises:
        KitError: if a model has no holdout, if models were trained on different records, if a
            model folder cannot be written, or if weights change meanwhile.
    """
    chosen, pairs = TuneSettings(**settings), pair_models(models, networks)
    for folder, _ in pairs:
        check_target(folder / "tuning.json")
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
    """Raises a KitError if a training has changed best weights whose SHA-256 was `weights`."""
    if digest_file(find_best_weights(folder)) != weights:
        raise KitError(
            f"{folder}: its weights changed meanwhile, perhaps by a training; "
            "run the same command again when that has ended"
        )


class Chosen(NamedTuple):
    """How maps are made and become masks."""

    cuts: Cuts
    tta: int
    scale: int
    figures: dict  # the holdout's scores; {} if this very choice was not tuned


@explained
@computing()
def predict(
    models,
    competition_folder,
    out,
    *,
    competition: Competition | Path | str | None = None,
    networks=None,
    **settings,
) -> Masks:
    """Predicts the sample's test images by one model or the mean of several, into a checked CSV.

    Threshold, cuts, views and scale come from tuning.json, if the models are tuned. A damaged image
    and one of the wrong size are predicted blank and listed in the JSON beside the CSV. After a
    kill, the same call resumes.

    Args:
        models: one model folder or several.
        competition_folder: a folder, a zip, or `kaggle`.
        out: path of the CSV.
        competition: a Competition, a name in COMPETITIONS or a .json file; None: the one that the
            models were trained on.
        networks: your own networks, see `pair_models`.
        **settings: fields of PredictSettings; a given view count or scale wins over tuning.json.

    Returns:
        The predicted masks.

    Raises:
        KitError: if the models were not tuned together, if an image is missing (unless allowed), or
            if the disk is full.
    """
    asked, pairs = PredictSettings(**settings), pair_models(models, networks)
    prediction.place_report(out)  # before any time is spent
    folders = [folder for folder, _ in pairs]
    described = [identify_model(folder) for folder in folders]
    if competition is None:
        competition = _find_competition(folders)
    competition = find_competition(competition)
    source = sources.find_source(competition_folder, competition)
    file = sources.find_file(
        source, competition.need("sample_csv"), "the sample submission, whose ids are predicted"
    )
    sample = (file.name, sources.read_whole(source, file))
    ids = read_ids(sample, competition)
    listing = list_images(source, competition.need("test_images"), competition.image_id)
    for name in ids:
        # Refuses a name that would leave the folder.
        conventions.image_path(source.path, "{id}", name)
    missing = {name for name in ids if name not in listing}
    prediction.check_missing(missing, ids, source.path, asked.allow_missing)
    chosen = _choose(folders, described, asked)
    strict = find_strict_decoder() is not None
    if not strict:
        print(f"kit predict: {BLIND}")
    shape = None if competition.height is None or competition.width is None else competition.shape
    batch = choose_batch(shape is not None)
    files = [listing.get(name, sources.File(name, 0, 0)) for name in ids]

    def make_batches(places: np.ndarray) -> Batches:
        mappers = [
            make_mapper(load_network(folder, network)[0], chosen.tta, chosen.scale)
            for folder, network in (pairs if len(places) else [])
        ]
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
                "strict": strict,  # which damaged images are blank
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
    """The maps of a batch's good images and their presence."""
    maps, presence = collect(found)
    return maps[good], None if presence is None else presence[good]


def _find_competition(folders: Sequence[Path]) -> Competition:
    """The competition that all models were trained on."""
    known = [read_config(folder)["competition"] for folder in folders]
    for folder, fields in zip(folders, known):
        if fields != known[0]:
            raise KitError(
                f"{folder}: was trained on another competition than {folders[0]}; "
                "take models of one competition"
            )
    return conventions.from_json(known[0])


def _choose(folders: Sequence[Path], described: Sequence[dict], asked: PredictSettings) -> Chosen:
    """Chooses cuts, views and scale: as asked, else as tuned. Prints the choice.

    Raises:
        KitError: if the models were not tuned together.
    """
    saved = find_tuning(folders, described, "kit predict")
    if saved is None:
        return Chosen(Cuts(), asked.tta or 1, asked.scale or 1, {})
    cuts, figures, known = saved.cuts, saved.figures, saved.settings
    print(f"kit predict: {folders[0] / 'tuning.json'}: {describe_cuts(cuts)}")
    for name in ("tta", "scale"):
        asked_for, was = getattr(asked, name), getattr(known, name)
        if asked_for is not None and asked_for != was:
            print(
                f"kit predict: --{name} {asked_for}, but these cuts were chosen with --{name} {was}"
            )
            figures = {}
    return Chosen(cuts, asked.tta or known.tta, asked.scale or known.scale, figures)
