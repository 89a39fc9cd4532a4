"""Prediction: batches of probability maps become a checked submission.

It finishes one part of 256 images at a time, so that the same command resumes after a kill.
"""

import contextlib
import dataclasses
import hashlib
import re
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..competition.conventions import AIRBUS, Competition
from ..competition.layout import lay_out
from ..cuts import Cuts
from ..errors import KitError, printable
from ..masks import table
from ..masks.table import Masks
from ..system import progress
from ..system.files import check_target, read_json, write_json
from ..system.locks import clear
from . import csv_file
from .parts import (
    PART_SIZE,
    Part,
    hold_parts,
    identify,
    read_parts,
    remove_parts,
    split_parts,
    write_part,
)
from .workers import Batches, extract_masks

# If the first part has at least so many images and all are bad, the source is wrong: an error.
HOPELESS = 5


def predict_batches(
    out: Path | str,
    sample: Any,
    ids: Sequence[str],
    cuts: Cuts,
    make_batches: Callable[[np.ndarray], Batches],
    *,
    plan: dict[str, Any],
    words: dict[str, Any],
    missing: Collection[str] = (),
    competition: Competition = AIRBUS,
) -> Masks:
    """Predicts all images and writes a checked CSV with a JSON beside it.

    The same call resumes after a kill, to the same bytes; finished parts stay in OUT.csv.parts.
    What `make_batches` and a batch's `load` raise comes through.

    Args:
        out: path of the CSV.
        sample: the sample submission: a path, bytes, or (name, bytes).
        ids: the images of the sample.
        cuts: how maps become masks.
        make_batches: generator function from int64 places, ascending, to the batches of exactly
            these, also ascending. No batch crosses a multiple of PART_SIZE.
        plan: JSON, everything that decides the maps.
        words: JSON, what the file beside the CSV says about them.
        missing: ids to predict blank.
        competition: the conventions of the CSV.

    Returns:
        The masks of all images.

    Raises:
        KitError: if another run is at work, the disk is full, or all images of the first part are
            bad.
    """
    if len(competition.labels) > 1:
        raise KitError(
            f"competition {competition.name}: has {len(competition.labels)} labels, "
            "but masks are predicted for one; write those of all labels with kit.write_csv"
        )
    out = Path(out)
    report, work = place_report(out), out.with_name(f"{out.name}.parts")
    with hold_parts(work):
        names = f"{re.escape(out.name)}|{re.escape(report.name)}"
        clear(out.parent, re.compile(rf"\.({names})\.\d+\.tmp(\.[^.]+)?"))
        found, bad = predict_parts(
            work, ids, find_shape(competition), cuts, make_batches, plan=plan, missing=missing
        )
        gone = set(missing)
        absent = [name for name in ids if name in gone]
        reasons = dict.fromkeys(absent, "is missing") | bad
        if reasons:
            first = next(name for name in ids if name in reasons)
            line = (
                f"{len(reasons)} of {len(ids)} images could not be read and are predicted blank, "
                f"listed in {report}; the first: {first}: {reasons[first]}"
            )
            print(f"kit predict: {printable(line)}")
        words = {**words, "missing": absent, "unreadable": bad}
        write_submission(found, out, competition, sample, words)
        remove_parts(work)
    return found


def place_report(out: Path | str) -> Path:
    """Finds the path of the JSON beside a submission.

    Raises:
        KitError: if the CSV or the JSON cannot be written, or the JSON would replace another file.
    """
    out = Path(out)
    check_target(out)
    report = out.with_suffix(".json")
    if report == out:
        raise KitError(
            f"{out}: that is the name of the JSON beside the submission; "
            "give it another ending, such as .csv"
        )
    check_target(report)
    if report.exists():
        what = "it would be replaced by the JSON beside the submission"
        if read_json(report, what).get("submission") != out.name:
            raise KitError(
                f"{report}: is not the JSON of {out.name}, and would be replaced by it; "
                "choose another name"
            )
    return report


def find_shape(competition: Competition) -> tuple[int, int] | None:
    """(height, width) in px that a submission's maps must have; None if images differ."""
    layout = lay_out(competition, True)
    return None if layout.height is None or layout.width is None else (layout.height, layout.width)


def check_missing(
    missing: Collection[str], ids: Sequence[str], where: Path | str, allowed: bool
) -> None:
    """Checks that no image of the sample is missing, or, if that is allowed, not all are.

    Args:
        missing: ids of the missing images.
        ids: the images of the sample.
        where: the folder or zip that lacks them.
        allowed: whether some may be missing.

    Raises:
        KitError: if too many are missing.
    """
    if missing and (not allowed or len(missing) == len(ids)):
        way = "--allow-missing predicts them blank"
        if len(missing) == len(ids):
            way = "is it the right one?"
        first = next(name for name in ids if name in missing)
        raise KitError(
            f"{where}: {len(missing)} of the sample's {len(ids)} images are missing, "
            f"the first is {first}; {way}"
        )


def predict_parts(
    work: Path,
    ids: Sequence[str],
    shape: tuple[int, int] | None,
    cuts: Cuts,
    make_batches: Callable[[np.ndarray], Batches],
    *,
    plan: dict[str, Any],
    missing: Collection[str] = (),
) -> tuple[Masks, dict[str, str]]:
    """Predicts all images, one part after the other, and writes a file for each.

    Takes finished parts of the same plan as they are.

    Args:
        work: the folder of part files, which the caller holds.
        ids: all images.
        shape: (height, width) that each map must have. None allows any, and an image without a map
            is then 0 x 0 px.
        cuts: how maps become masks.
        make_batches: see `predict_batches`.
        plan: JSON, everything that decides the maps.
        missing: ids to predict blank.

    Returns:
        The masks of all images; and, by id, why an image could not be read and is blank.

    Raises:
        KitError: as for `predict_batches`.
    """
    if cuts.blank:
        return table.blank(ids, shape or (0, 0)), {}
    names = [ids[at : at + PART_SIZE] for at in range(0, len(ids), PART_SIZE)]
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
            f"kit predict: resuming: {len(present) - len(todo)} of {len(present)} images are done"
        )
    with (
        contextlib.closing(make_batches(todo)) as batches,
        contextlib.closing(extract_masks(batches, ids, shape, cuts)) as results,
        progress.bar(len(todo), "predict") as bar,
    ):
        for places in split_parts(todo):
            number = int(places[0]) // PART_SIZE
            given, pieces, bad = list[int](), list[Masks](), dict[str, str]()
            while len(given) < len(places) and (result := next(results, None)) is not None:
                batch, reasons, masks = result
                given += [*batch, *reasons]
                pieces.append(masks)
                for place, reason in sorted(reasons.items()):
                    bad[ids[place]] = " ".join(reason.split())
                bar.update(len(batch) + len(reasons))
            if sorted(given) != places.tolist():
                raise ValueError(f"the batches of part {number} are not those of its images")
            if len(bad) == len(places) >= HOPELESS and places[0] == present[0]:
                name, reason = next(iter(bad.items()))
                raise KitError(
                    f"{name}: {reason}; the same holds for all of the first {len(bad)} images; "
                    "is it the right source?"
                )
            parts[number] = Part(_complete(pieces, names[number], shape), bad)
            write_part(work, number, parts[number], key)
    for number in set(range(len(names))) - set(parts):  # all of their images are missing
        parts[number] = Part(_complete([], names[number], shape), {})
    ordered = [parts[number] for number in sorted(parts)]
    bad = {name: why for part in ordered for name, why in part.bad.items()}
    return table.concatenate([part.masks for part in ordered]), bad


def _complete(pieces: list[Masks], names: Sequence[str], shape: tuple[int, int] | None) -> Masks:
    """The images `names`; those missing from every piece are blank."""
    known = {name for piece in pieces for name in piece.ids}
    rest = table.blank([name for name in names if name not in known], shape or (0, 0))
    return table.select_ids(table.concatenate([*pieces, rest]), names)


def write_submission(
    masks: Masks, out: Path | str, competition: Competition, sample: Any, words: dict[str, Any]
) -> None:
    """Writes the checked CSV and then the JSON beside it.

    The JSON holds counts, the CSV's SHA-256, `words`, and when it was made.

    Args:
        masks: of all images of the sample.
        out: path of the CSV.
        competition: the conventions of the CSV.
        sample: the sample submission, which gives the order of the images.
        words: further fields of the JSON.

    Raises:
        KitError: as for `place_report` and kit.submission.csv_file.write_csv.
    """
    out = Path(out)
    report = place_report(out)
    csv_file.write_csv(masks, out, competition, sample=sample)
    with open(out, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    counts = table.count_objects(masks)
    totals = {
        "images": len(masks),
        "masks": int(counts.sum()),
        "blank_images": int((counts == 0).sum()),
    }
    made = {"kit": __version__, "when": datetime.now(UTC).isoformat(timespec="seconds")}
    write_json(report, {"submission": out.name, "sha256": digest, **totals, **words, **made})
