"""From batches of probability maps to a checked submission: a shard of images at a time, so that the same command goes on after a kill."""

import contextlib
import dataclasses
import functools
import hashlib
import re
import types
from collections import deque
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .. import __version__
from ..competition import csv_masks
from ..competition.conventions import AIRBUS, Competition
from ..competition.images import wary
from ..cuts import Cuts, describe_cuts
from ..errors import KitError, printable
from ..masks import table
from ..masks.table import Masks
from ..objects import extraction
from ..objects.map_files import PRESENCE_CSV, find_map_file, read_map, read_presence
from ..system import processes, progress
from ..system.files import check_target, read_json, write_json
from ..system.locks import clear
from ..tuning.tuning_file import read_tuning
from . import csv_file
from .parts import (
    PART_SIZE,
    Part,
    hold_parts,
    identify,
    read_parts,
    remove_parts,
    split_batches,
    split_shards,
    write_part,
)

READ = 8  # maps from files that one worker turns into masks at a time
HOPELESS = 5  # from so many images on it is an error that all of the first shard are bad: then the source is wrong


class Batch(NamedTuple):
    """Some images of one shard by their places among all ids, which are either in `places` or in `bad`."""

    places: np.ndarray  # int64 (images,): those with a map
    # In a worker thread: their uint8 maps (height, width), and how likely each holds an object, float32 (images,), or None.
    load: Callable[[], tuple[Sequence[np.ndarray], np.ndarray | None]]
    bad: Mapping[int, str] = types.MappingProxyType(
        {}
    )  # those that cannot be read, and why: they are predicted blank


Batches = Generator[Batch, None, None]


def predict_batches(
    out,
    sample,
    ids: Sequence[str],
    cuts: Cuts,
    make_batches: Callable[[np.ndarray], Batches],
    *,
    plan: dict,
    words: dict,
    missing: Collection[str] = (),
    competition: Competition = AIRBUS,
) -> Masks:
    """Masks of all images, written as the checked CSV `out` with a JSON beside it; the same call goes on after a kill, to the same bytes.

    sample: the sample submission (a path, or name and bytes), ids: its images; missing: those to predict blank. make_batches: a generator
    function from int64 places to the batches of exactly these, ascending, none over a multiple of PART_SIZE. plan: JSON, all that the maps
    follow from; words: JSON, what the one beside the CSV says of them. Raises KitError where another run is at work, on a full disk, and
    where all images of the first shard are bad; what make_batches and load raise comes through. Finished shards stay in OUT.csv.parts.
    """
    if len(competition.labels) > 1:
        number = len(competition.labels)
        raise KitError(
            f"competition {competition.name}: has {number} labels, masks are predicted for one; kit.write_csv takes all"
        )
    out = Path(out)
    report, work = place_report(out), out.with_name(f"{out.name}.parts")
    with hold_parts(work):
        clear(
            out.parent,
            re.compile(rf"\.({re.escape(out.name)}|{re.escape(report.name)})\.\d+\.tmp(\.[^.]+)?"),
        )
        found, bad = predict_shards(
            work, ids, find_shape(competition), cuts, make_batches, plan=plan, missing=missing
        )
        gone = set(missing)
        absent = [name for name in ids if name in gone]
        reasons = dict.fromkeys(absent, "is missing") | bad
        if reasons:
            first = next(name for name in ids if name in reasons)
            line = f"{len(reasons)} of {len(ids)} images could not be read and are predicted blank, listed in {report}; "
            line += f"the first: {first}: {reasons[first]}"
            print(f"kit predict: {printable(line)}")
        write_submission(
            found, out, competition, sample, {**words, "missing": absent, "unreadable": bad}
        )
        remove_parts(work)
    return found


def place_report(out) -> Path:
    """Where the JSON beside a submission goes; KitError where one of the two cannot be written, or would replace what is something else."""
    out = Path(out)
    check_target(out)
    report = out.with_suffix(".json")
    if report == out:
        raise KitError(
            f"{out}: that is the name of the JSON beside the submission; give it another ending, such as .csv"
        )
    check_target(report)
    if (
        report.exists()
        and read_json(report, "it would be replaced by the JSON beside the submission").get(
            "submission"
        )
        != out.name
    ):
        raise KitError(
            f"{report}: is not the JSON of {out.name}, and would be replaced by it; choose another name"
        )
    return report


def find_shape(competition: Competition) -> tuple[int, int] | None:
    """(height, width) in px that a submission's maps have to have; None where it differs from image to image."""
    layout = csv_masks.lay_out(competition, True)
    return None if layout.height is None or layout.width is None else (layout.height, layout.width)


def check_missing(missing: Collection[str], ids: Sequence[str], where, allowed: bool) -> None:
    """KitError where images of the sample are missing (`where`: in which folder or zip) that are not allowed to be, or all are."""
    if missing and (not allowed or len(missing) == len(ids)):
        way = (
            "is it the right one?"
            if len(missing) == len(ids)
            else "--allow-missing predicts them blank"
        )
        first = next(name for name in ids if name in missing)
        raise KitError(
            f"{where}: {len(missing)} of the sample's {len(ids)} images are missing, the first is {first}; {way}"
        )


def predict_shards(
    work: Path,
    ids: Sequence[str],
    shape: tuple[int, int] | None,
    cuts: Cuts,
    make_batches: Callable[[np.ndarray], Batches],
    *,
    plan: dict,
    missing: Collection[str] = (),
) -> tuple[Masks, dict[str, str]]:
    """Masks of all images, and why those that could not be read are blank, by id; a part file in `work`, which is held, for each shard.

    shape: of every map, None: any; what has no map is then 0 x 0 px. Parts of the same plan are taken as they are. See `predict_batches`.
    """
    if cuts.blank:
        return table.blank(ids, shape or (0, 0)), {}
    absent = set(missing)
    present = np.array([place for place, name in enumerate(ids) if name not in absent], np.int64)
    key = identify(
        {
            "ids": list(ids),
            "missing": sorted(absent),
            "shape": shape,
            "cuts": dataclasses.asdict(cuts),
            "plan": plan,
        }
    )
    parts = read_parts(work, ids, key)
    todo = present[~np.isin(present // PART_SIZE, list(parts))]
    if parts:
        print(
            f"kit predict: going on: {len(present) - len(todo)} of {len(present)} images are done"
        )
    with (
        contextlib.closing(make_batches(todo)) as batches,
        contextlib.closing(_extract_all(batches, ids, shape, cuts)) as results,
        progress.bar(len(todo), "predict") as bar,
    ):
        for places in split_shards(todo):
            number, given, pieces, bad = (
                int(places[0]) // PART_SIZE,
                list[int](),
                list[Masks](),
                dict[str, str](),
            )
            while len(given) < len(places) and (result := next(results, None)) is not None:
                batch, reasons, masks = result
                given += [*batch, *reasons]
                pieces.append(masks)
                bad |= {
                    ids[place]: " ".join(reason.split())
                    for place, reason in sorted(reasons.items())
                }
                bar.update(len(batch) + len(reasons))
            if sorted(given) != places.tolist():
                raise ValueError(f"the batches of shard {number} are not those of its images")
            if len(bad) == len(places) >= HOPELESS and places[0] == present[0]:
                name, reason = next(iter(bad.items()))
                raise KitError(
                    f"{name}: {reason}; so it is with all of the first {len(bad)} images: is it the right source?"
                )
            parts[number] = Part(
                _complete(pieces, ids[number * PART_SIZE : (number + 1) * PART_SIZE], shape), bad
            )
            write_part(work, number, parts[number], key)
    for number in set(range(len(ids[::PART_SIZE]))) - set(parts):  # all of their images are missing
        parts[number] = Part(
            _complete([], ids[number * PART_SIZE : (number + 1) * PART_SIZE], shape), {}
        )
    ordered = [parts[number] for number in sorted(parts)]
    return table.concatenate([part.masks for part in ordered]), {
        name: why for part in ordered for name, why in part.bad.items()
    }


def _complete(pieces: list[Masks], names: Sequence[str], shape) -> Masks:
    """The images `names`, those of which no piece knows anything blank."""
    known = {name for piece in pieces for name in piece.ids}
    rest = table.blank([name for name in names if name not in known], shape or (0, 0))
    return table.select_ids(table.concatenate([*pieces, rest]), names)


def _extract_all(
    batches: Batches, ids: Sequence[str], shape, cuts: Cuts
) -> Generator[tuple[list[int], Mapping[int, str], Masks], None, None]:
    """Places with a map, bad places and masks of every batch, in order, made in worker threads while the next batches come.

    At most twice as many batches wait as there are threads: they hold maps.
    """
    workers = processes.count_cores()
    threads, waiting = (
        ThreadPoolExecutor(workers),
        deque[tuple[list[int], Mapping[int, str], Future]](),
    )
    try:
        for batch in batches:
            waiting.append(
                (
                    batch.places.tolist(),
                    batch.bad,
                    threads.submit(_extract, batch, ids, shape, cuts),
                )
            )
            del batch  # else its maps would stay as long as the next one takes
            while waiting and (len(waiting) >= 2 * workers or waiting[0][2].done()):
                places, bad, future = waiting.popleft()
                yield places, bad, future.result()
        while waiting:
            places, bad, future = waiting.popleft()
            yield places, bad, future.result()
    finally:
        threads.shutdown(wait=True, cancel_futures=True)


def _extract(batch: Batch, ids: Sequence[str], shape, cuts: Cuts) -> Masks:
    if not len(batch.places):
        return table.blank([], [])
    names = [ids[place] for place in batch.places]
    maps, presence = batch.load()
    for name, image in zip(names, maps):
        if shape is not None and image.shape != shape:
            raise KitError(
                f"{name}: its map is {image.shape[1]} x {image.shape[0]} px, the submission's are {shape[1]} x {shape[0]}"
            )
    return extraction.find_objects(names, maps, cuts, presence=presence)


def write_submission(masks: Masks, out, competition: Competition, sample, words: dict) -> None:
    """The checked CSV `out`, in the sample's order, and then the JSON beside it: `words`, counts, its SHA-256 and when it was made.

    Raises KitError as kit.submission.csv_file.write_csv, and as place_report.
    """
    out = Path(out)
    report = place_report(out)
    csv_file.write_csv(masks, out, competition, sample=sample)
    with open(out, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    counts = table.count_objects(masks)
    totals = {
        "images": len(masks),
        "masks": int(counts.sum()),
        "blank_images": int((counts == 0).sum()),
    }
    made = {"kit": __version__, "when": datetime.now(UTC).isoformat(timespec="seconds")}
    write_json(report, {"submission": out.name, "sha256": digest, **totals, **words, **made})


def predict_maps(
    maps,
    sample,
    out,
    *,
    tuning=None,
    competition: Competition = AIRBUS,
    allow_missing: bool = False,
) -> Masks:
    """Predicts a sample's images from maps in a folder, whatever made them, and writes a checked CSV with a JSON beside it; the masks.

    maps: DIR/{ImageId}.png or .npy, uint8 or float in 0..1, and presence.csv where the cuts need it; tuning: path of a tuning.json, by
    default the one of that folder. The same call goes on after a kill. Raises KitError: a map that is missing (with allow_missing it is
    predicted blank, and listed) or damaged, one of another size than the competition's, a full disk.
    """
    folder = Path(maps)
    place_report(out)  # before any time is spent
    if not folder.is_dir():
        raise KitError(f"{folder}: no such folder of maps, one {{ImageId}}.png or .npy an image")
    ids = csv_masks.read_ids(sample, competition)
    path = folder / "tuning.json" if tuning is None else Path(tuning)
    cuts, figures = Cuts(), dict[str, float | None]()
    if tuning is not None or path.exists():
        saved = read_tuning(path)
        cuts, figures = saved.cuts, saved.figures
        print(f"kit predict: {path}: {describe_cuts(cuts)}")
    else:
        print(
            f"kit predict: no {path}, so threshold 128 and no cuts; kit tune --maps {folder} TRUTH.csv {path} chooses better ones"
        )
    files = [find_map_file(folder, name) for name in ids]
    missing = {name for name, file in zip(ids, files) if file is None}
    check_missing(missing, ids, folder, allow_missing)
    presence = _find_presence(folder, ids, missing) if cuts.min_presence else None
    shape = find_shape(competition)

    def make_batches(places: np.ndarray) -> Batches:
        for chosen in split_batches(places, READ):
            yield Batch(chosen, functools.partial(load, chosen))

    def load(places):
        return [
            read_map(folder, ids[place], shape) for place in places
        ], None if presence is None else presence[places]

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
            competition=competition,
        )


def _find_presence(folder: Path, ids: Sequence[str], missing: Collection[str]) -> np.ndarray:
    """How likely each image holds an object, float64 (images,); KitError where presence.csv lacks one that has a map."""
    known = read_presence(folder)
    lacking = [name for name in ids if name not in known and name not in missing]
    if lacking:
        way = "add them, or tune on maps without presence.csv"
        raise KitError(
            f"{folder / PRESENCE_CSV}: lacks {len(lacking)} images, which the cuts need, the first is {lacking[0]}; {way}"
        )
    return np.array([known.get(name, 0) for name in ids], float)
