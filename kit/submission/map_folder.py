"""Prediction from a folder of probability maps, whatever made them."""

import dataclasses
import functools
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..competition.catalog import find_competition
from ..competition.conventions import AIRBUS, Competition
from ..competition.images import wary
from ..competition.keys import read_ids
from ..cuts import Cuts, describe_cuts
from ..errors import KitError
from ..masks.table import Masks
from ..objects.map_files import PRESENCE_CSV, find_map_file, read_map, read_presence
from ..tuning.tuning_file import read_tuning
from .parts import split_batches
from .prediction import check_missing, find_shape, place_report, predict_batches
from .workers import Batch, Batches

READ = 8  # maps that one worker reads and turns into masks at a time


def predict_maps(
    maps: Path | str,
    sample: Any,
    out: Path | str,
    *,
    tuning: Path | str | None = None,
    shape: tuple[int, int] | str | None = None,
    competition: Competition | Path | str = AIRBUS,
    allow_missing: bool = False,
) -> Masks:
    """Predicts a sample's images from maps and writes a checked CSV with a JSON beside it.

    The same call resumes after a kill.

    Args:
        maps: folder with one {ImageId}.png or .npy per image, uint8 or float in 0..1, and
            presence.csv if the cuts need it.
        sample: the sample submission: a path, bytes, (name, bytes), or a DataFrame of pandas or
            polars.
        out: path of the CSV.
        tuning: path of a tuning.json; None: the one in `maps`, if there is one.
        shape: (height, width) of the maps in px, or the text HEIGHTxWIDTH; None: the
            competition's.
        competition: the conventions of the CSV: a Competition, a name in COMPETITIONS or a .json
            file.
        allow_missing: predict images without a map blank, and list them in the JSON.

    Returns:
        The masks.

    Raises:
        KitError: if a map is missing, damaged or of another size than the competition's, or the
            disk is full.
    """
    folder = Path(maps)
    place_report(out)  # before any time is spent
    if not folder.is_dir():
        raise KitError(
            f"{folder}: no such folder of maps; it holds one {{ImageId}}.png or .npy per image"
        )
    rules = find_competition(competition).with_shape(shape)
    ids = read_ids(sample, rules)
    path = folder / "tuning.json" if tuning is None else Path(tuning)
    cuts, figures = Cuts(), dict[str, float | None]()
    if tuning is not None or path.exists():
        saved = read_tuning(path)
        cuts, figures = saved.cuts, saved.figures
        print(f"kit predict: {path}: {describe_cuts(cuts)}")
    else:
        print(
            f"kit predict: no {path}, so threshold 128 and no cuts; "
            f"kit tune --maps {folder} TRUTH.csv {path} chooses better ones"
        )
    files = [find_map_file(folder, name) for name in ids]
    missing = {name for name, file in zip(ids, files) if file is None}
    check_missing(missing, ids, folder, allow_missing)
    presence = _find_presence(folder, ids, missing) if cuts.min_presence else None
    size = find_shape(rules)

    def make_batches(places: np.ndarray) -> Batches:
        for chosen in split_batches(places, READ):
            yield Batch(chosen, functools.partial(load, chosen))

    def load(places: np.ndarray) -> tuple[list[np.ndarray], np.ndarray | None]:
        found = [read_map(folder, ids[place], size) for place in places]
        return found, None if presence is None else presence[places]

    stamps = [
        None if file is None else (file.name, file.stat().st_size, file.stat().st_mtime_ns)
        for file in files
    ]
    with wary():
        return predict_batches(
            out,
            sample,
            ids,
            cuts,
            make_batches,
            plan={"maps": stamps, "presence": None if presence is None else presence.tolist()},
            words={
                "maps": folder.resolve().name,
                "cuts": dataclasses.asdict(cuts),
                "holdout": figures,
            },
            missing=missing,
            competition=rules,
        )


def _find_presence(folder: Path, ids: Sequence[str], missing: Collection[str]) -> np.ndarray:
    """The probability that each image holds an object, float64 (images,).

    Raises:
        KitError: if presence.csv lacks an image that has a map.
    """
    known = read_presence(folder)
    lacking = [name for name in ids if name not in known and name not in missing]
    if lacking:
        way = "add them, or tune on maps without presence.csv"
        raise KitError(
            f"{folder / PRESENCE_CSV}: lacks {len(lacking)} images, which the cuts need, "
            f"the first is {lacking[0]}; {way}"
        )
    return np.array([known.get(name, 0) for name in ids], float)
