"""Tuning on a folder of maps that were made elsewhere."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..competition import csv_masks
from ..competition.catalog import find_competition
from ..competition.conventions import AIRBUS, Competition
from ..competition.keys import read_ids
from ..errors import KitError
from ..masks import table
from ..masks.table import Masks
from ..objects.map_files import PRESENCE_CSV, find_map_file, read_map, read_presence
from ..settings import TuneSettings
from ..system.csv_bytes import load_text
from ..system.csv_rows import read_rows
from ..system.files import check_target
from .tuning import Tuning, check_competition, choose_cuts, write_tuning


def tune_maps(
    maps: Path | str,
    truth: Any,
    out: Path | str,
    *,
    scenes: Any = None,
    shape: tuple[int, int] | str | None = None,
    competition: Competition | Path | str = AIRBUS,
    **settings: Any,
) -> Tuning:
    """Tunes on maps made elsewhere; writes tuning.json's fields and, beside them, a plot as PNG.

    Args:
        maps: a folder with {ImageId}.png or {ImageId}.npy (see `read_map`), and with presence.csv
            if it is known how likely each image holds an object.
        truth: a CSV (a path, bytes, (name, bytes), or a DataFrame of pandas or polars); its images
            with a map are tuned on.
        out: path of the JSON; the plot has the same name with the ending .png.
        scenes: a CSV with the columns ImageId and scene, for example the records' folds.csv;
            None: each image counts as a scene of its own.
        shape: (height, width) of the maps in px, or the text HEIGHTxWIDTH; None: the
            competition's.
        competition: how to read the truth: a Competition, a name in COMPETITIONS or a .json file.
        **settings: fields of TuneSettings.

    Returns:
        What was chosen.

    Raises:
        KitError: if a file is missing or damaged, an image has a map but no scene or presence,
            `out` cannot be written, or as `choose_cuts` does.
    """
    chosen, maps, out = TuneSettings(**settings), Path(maps), Path(out)
    competition = find_competition(competition).with_shape(shape)
    check_competition(competition)
    if chosen.tta != 1 or chosen.scale != 1:
        raise KitError("--tta and --scale are for models, not for maps made elsewhere; omit them")
    for target in (out, out.with_suffix(".png")):
        check_target(target)
        if str(target) in (str(truth), str(scenes)) or out.suffix == ".png":
            raise KitError(
                f"{target}: the cuts are written as JSON, and a plot beside them as PNG; "
                "choose another name"
            )
    real = _read_truth(maps, truth, competition)
    presence = _read_presence(maps, real.ids.tolist())
    scene = _read_scenes(scenes, real.ids.tolist())
    kind = (
        "each counts as a scene of its own"
        if scenes is None
        else f"scenes from {load_text(scenes)[0]}"
    )
    print(f"kit tune: {len(real)} images with a map; {kind}")
    tuned = choose_cuts(
        lambda image: read_map(maps, real.ids[image], real.shapes[image]),
        real,
        scene,
        presence,
        chosen,
    )
    write_tuning(tuned, out)
    return tuned


def _read_truth(maps: Path, truth: Any, competition: Competition) -> Masks:
    """The truth of the images that have a map, in the order of the CSV."""
    if not maps.is_dir():
        raise KitError(
            f"{maps}: no such folder of maps; it holds one {{ImageId}}.png or .npy per image"
        )
    listed = read_ids(truth, competition)
    absent: list[str] = []  # images without a row, if the competition calls these empty
    if competition.absent_is_empty:
        names = {path.stem for path in maps.iterdir() if path.suffix in (".png", ".npy")}
        absent = sorted(names - set(listed))
    ids = [name for name in (*listed, *absent) if find_map_file(maps, name)]
    if not ids:
        raise KitError(
            f"{maps}: holds no map of an image in {load_text(truth)[0]}; a map is called "
            "ImageId.png or ImageId.npy, for example 00ab.jpg.png"
        )
    if competition.height is None:
        competition = competition.with_shape(read_map(maps, ids[0]).shape)
    rows = csv_masks.read_csv(truth, competition)
    return table.select_ids(table.concatenate([rows, table.blank(absent, competition.shape)]), ids)


def _read_presence(maps: Path, ids: Sequence[str]) -> np.ndarray | None:
    """Presence of each image, float64 (images,), or None if there is no presence.csv."""
    given = read_presence(maps)
    lacking = next((name for name in ids if name not in given), None)
    if (maps / PRESENCE_CSV).exists() and lacking is not None:
        raise KitError(f"{maps / PRESENCE_CSV}: has no row for {lacking}; list all images or none")
    return np.array([given[name] for name in ids]) if given else None


def _read_scenes(source: Any, ids: Sequence[str]) -> np.ndarray:
    """Scene of each image, int64 (images,), from a CSV with the columns ImageId and scene.

    A scene is any text; -1 or an empty cell is a scene of its own, which becomes -1.
    """
    if source is None:
        return np.full(len(ids), -1, np.int64)
    rows = read_rows(source, {"ImageId": str, "scene": str}, key="ImageId")
    texts = {row["ImageId"]: row["scene"] or "-1" for row in rows}
    numbers = {text: place for place, text in enumerate(dict.fromkeys(texts.values()))} | {"-1": -1}
    lacking = next((name for name in ids if name not in texts), None)
    if lacking is not None:
        raise KitError(f"{load_text(source)[0]}: has no row for {lacking}, which has a map")
    return np.array([numbers[texts[name]] for name in ids], np.int64)
