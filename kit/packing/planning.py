"""Planning: which images are packed, and in what order (tests: packing/test_packing.py)."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np

from ..competition.csv_masks import complete
from ..competition.listing import list_images
from ..competition.sources import File
from ..errors import KitError
from ..masks import table
from ..masks.table import Masks
from ..records import folds, manifest, tfrecord
from ..settings import PackSettings
from . import inspection, selection
from .inspection import Inspected
from .plan import Plan
from .request import Request
from .scenes import SceneSettings, find_scenes

LINES = 200  # bytes per image in plan.json and folds.csv together


def make_plan(request: Request, cache: Path, room: int) -> tuple[Plan, Masks]:
    """Plans the records.

    Args:
        request: what to pack.
        cache: folder in which the inspection keeps its findings.
        room: bytes that --fit may fill.

    Returns:
        The plan, and the truth of all images that can be packed; --fit may plan fewer of them.

    Raises:
        KitError: if too many images are bad, no image is left, or folds outnumber the scenes.
    """
    competition, settings = request.competition, request.settings
    listing = list_images(request.source, competition.need("train_images"), competition.image_id)
    sized = competition.height is not None
    truth, wanted = None, listing
    unpaired: list[dict[str, str]] = []
    if sized:  # otherwise the rows can be read only after the images' sizes are known
        truth = complete(request.read_truth(), listing, competition)
        truth, wanted, unpaired = _match(truth, listing, settings)
    shape = competition.shape if sized else None
    search = competition.scenes == "shared blocks"
    if search and shape != (768, 768):
        raise KitError(
            f"competition {competition.name}: scenes can be found by shared blocks for "
            '768 x 768 px only; give "scenes": "" in its JSON file'
        )
    findings, thumbnails = inspection.inspect_images(
        request.source, wanted, cache, shape if search else None, settings.workers
    )
    if truth is None:
        shapes = {
            name: (found.height, found.width)
            for name, found in findings.items()
            if found.reason is None
        }
        read, misfits = request.read_misfits(shapes)
        findings.update(
            {name: Inspected(reason) for name, reason in misfits.items() if name in shapes}
        )
        truth = complete(read, listing, competition, shapes)
        truth, wanted, unpaired = _match(truth, listing, settings)
    bad = _judge({name: findings[name] for name in wanted}, shape)
    named = set(listing) | {item["image"] for item in unpaired}
    share = len(unpaired) / max(1, len(named)) + len(bad) / max(1, len(wanted))
    skipped = unpaired + bad
    _limit_bad(skipped, len(bad) == len(wanted), share, settings)
    left_out = {item["image"] for item in skipped}
    truth = table.select_ids(truth, [name for name in wanted if name not in left_out])
    found = [findings[name] for name in truth.ids]
    scenes = (
        find_scenes(thumbnails, SceneSettings()) if search else np.full(len(truth), -1, np.int64)
    )
    how = {"by": "shared blocks", **dataclasses.asdict(SceneSettings())} if search else {"by": ""}
    head = {
        **request.fields,
        "scenes": how,
        "skipped": skipped,
        "fit_bytes": room if settings.fit else None,
    }
    return _lay_out(head, truth, found, scenes, room, settings, sized), truth


def _match(
    truth: Masks, listing: dict[str, File], settings: PackSettings
) -> tuple[Masks, dict[str, File], list[dict[str, str]]]:
    """Truth and files of the chosen images, by id, and the images that lack a row or a file."""
    known = set(truth.ids)
    skipped = [
        {"image": name, "reason": f"{file.name}: the truth has no row for it"}
        for name, file in listing.items()
        if name not in known
    ]
    skipped += [
        {"image": name, "reason": "the truth names it, the source lacks it"}
        for name in sorted(known - set(listing))
    ]
    truth = table.select_ids(truth, [name for name in listing if name in known])
    truth = table.select(truth, selection.choose_images(table.count_objects(truth), settings))
    return truth, {name: listing[name] for name in truth.ids}, skipped


def _judge(findings: dict[str, Inspected], shape: tuple[int, int] | None) -> list[dict[str, str]]:
    """The images that cannot be packed, with the reason."""
    bad = []
    for name, found in findings.items():
        reason = found.reason
        if reason is None and shape is not None and (found.height, found.width) != shape:
            reason = (
                f"{name}: is {found.width} px wide and {found.height} high, "
                f"its runs are for {shape[1]} x {shape[0]}"
            )
        if reason is not None:
            bad.append({"image": name, "reason": reason})
    return bad


def _limit_bad(
    skipped: list[dict[str, str]], all_bad: bool, share: float, settings: PackSettings
) -> None:
    """Raises KitError if too many images are left out.

    share: that of images which lack a row or a file, plus that of bad images among the inspected.
    """
    first = (
        f"the first is {skipped[0]['image']}: {skipped[0]['reason']}"
        if skipped
        else "none was chosen"
    )
    if all_bad:
        raise KitError(f"no image can be packed; {first}")
    if len(skipped) > settings.max_bad and share > settings.max_bad_share:
        raise KitError(
            f"{len(skipped)} images are bad ({share:.1%}), {first}; "
            "fix the source, or allow more with --max-bad"
        )


def _lay_out(
    head: dict[str, Any],
    truth: Masks,
    found: list[Inspected],
    scenes: np.ndarray,
    room: int,
    settings: PackSettings,
    sized: bool,
) -> Plan:
    """Assigns images to folds, and those of each fold to shards.

    Within a fold their order is random, so that a reader who streams the shards sees them mixed.
    """
    sizes = np.array([finding.bytes for finding in found], np.int64)
    bounds, objects = tfrecord.bound_size(truth, sizes) + LINES, table.count_objects(truth)
    kept = np.arange(len(truth))
    if settings.fit and bounds.sum() > room:
        kept = selection.fit(objects, scenes, bounds, room, settings.seed)
    fold = np.full(len(truth), -1, np.int64)
    fold[kept] = folds.assign(scenes[kept], objects[kept], settings.folds, settings.seed)
    order = np.random.default_rng(settings.seed).permutation(len(truth))
    shards, members_of = [], []
    for number in range(settings.folds):
        members = order[fold[order] == number]
        if not len(members):
            continue
        wanted = math.ceil(sizes[members].sum() / (settings.shard_mb * 2**20))
        pieces = np.array_split(members, min(len(members), max(1, wanted)))
        for place, piece in enumerate(pieces):
            name = f"{manifest.DATASET}-fold{number}.tfrecord-{place:05d}-of-{len(pieces):05d}"
            shards.append({"file": name, "split": f"fold{number}", "count": len(piece)})
            members_of.append(piece)
    at = np.concatenate(members_of)
    needed = np.array([bounds[piece].sum() for piece in members_of], np.int64)
    crc = np.array([found[place].crc for place in at], np.uint32)
    shapes = None if sized else truth.shapes[at].astype(np.int64)
    return Plan(head, truth.ids[at].tolist(), scenes[at], sizes[at], crc, shapes, shards, needed)
