"""The plan of the records: which image goes into which shard, made once from the source and saved before the first byte is written."""

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..competition import conventions, csv_masks, sources
from ..competition.conventions import Competition
from ..competition.csv_masks import complete
from ..competition.sources import File, Source
from ..errors import KitError
from ..masks import rle, table
from ..masks.table import Masks
from ..records import folds, manifest, tfrecord
from ..settings import PackSettings
from ..system import seals
from . import inspection, selection
from .inspection import Inspected
from .scenes import SceneSettings, find_scenes

LINES = 200  # bytes that an image takes in plan.json and folds.csv


@dataclass(frozen=True)
class Request:
    """What the caller asked for, and the truth: everything that the plan is made from, but for the images."""

    source: Source
    competition: Competition
    settings: PackSettings
    truth: bytes  # the truth CSV

    @property
    def fields(self) -> dict:
        """What a later run must ask for to go on with a plan, as JSON; workers change no byte, the source may move."""
        settings = dataclasses.asdict(self.settings)
        del settings["workers"]
        return {
            "competition": conventions.to_json(self.competition),
            "settings": settings,
            "truth_sha256": seals.digest(self.truth),
        }

    def read_truth(self, shapes: dict[str, tuple[int, int]] | None = None) -> Masks:
        """The truth's masks; shapes: sizes of the images, where the competition has none of its own."""
        sizes = None if shapes is None else _Sizes(shapes)
        return csv_masks.read_csv(
            (self.competition.truth_csv, self.truth), self.competition, shapes=sizes
        )

    def read_misfits(self, shapes: dict[str, tuple[int, int]]) -> tuple[Masks, dict[str, str]]:
        """The truth's masks, and the images whose size their runs do not fit, with the reason; any other illegal row raises KitError."""
        file = (self.competition.truth_csv, self.truth)
        found, problems = csv_masks.read_csv(
            file, self.competition, shapes=_Sizes(shapes), strict=False
        )
        if set(problems.kind) - {rle.PROBLEMS[5]}:
            self.read_truth(shapes)
        return found, {
            image: f"row {row}: {detail}"
            for image, row, detail in zip(problems.image, problems.row, problems.detail)
        }


class _Sizes(dict):
    """Sizes of images. One without a size is the largest there can be: its rows can be read, and it is left out later."""

    def __contains__(self, name) -> bool:
        return True

    def __missing__(self, name) -> tuple[int, int]:
        return 2**15, 2**16 - 1


@dataclass(frozen=True)
class Plan:
    """Images in the order of the shards, and what is saved with them."""

    head: dict  # the request's fields; scenes: how they were found; skipped: images left out; fit_bytes: the room that --fit was given
    ids: list[str]
    scenes: np.ndarray  # int64 (images,), -1 where nothing was searched
    sizes: np.ndarray  # bytes of each image, int64
    crc: np.ndarray  # CRC-32 of each image, uint32
    shapes: (
        np.ndarray | None
    )  # (images, 2) height and width, where the competition has none of its own
    shards: list[dict]  # file, split, count
    needed: np.ndarray  # bytes that each shard takes at most, int64

    @property
    def starts(self) -> np.ndarray:
        """Position of the first image of each shard, and after the last one the number of images."""
        return np.concatenate([[0], np.cumsum([shard["count"] for shard in self.shards])]).astype(
            np.int64
        )

    @property
    def folds(self) -> np.ndarray:
        """Fold of each image."""
        return np.repeat(
            [manifest.fold_of(shard) for shard in self.shards],
            [shard["count"] for shard in self.shards],
        )


def to_json(plan: Plan) -> bytes:
    """plan.json: a sealed JSON object."""
    images = {
        "id": plan.ids,
        "scene": plan.scenes.tolist(),
        "bytes": plan.sizes.tolist(),
        "crc32": plan.crc.tolist(),
    }
    if plan.shapes is not None:
        images["shape"] = plan.shapes.tolist()
    fields = {
        "format": manifest.FORMAT,
        **plan.head,
        "shards": plan.shards,
        "needed": plan.needed.tolist(),
        "images": images,
    }
    return seals.seal(fields)


def read_plan(path: Path) -> Plan:
    """The plan in plan.json; KitError where it is missing or damaged."""
    fields = seals.unseal(path, "written by kit pack")
    try:
        images, shards, needed = (
            fields.pop("images"),
            fields.pop("shards"),
            np.array(fields.pop("needed"), np.int64),
        )
        if fields.pop("format") != manifest.FORMAT:
            raise ValueError("format")
        manifest.check_head(fields)
        for shard in shards:
            manifest.check_shard(shard)
        ids = [text for text in images["id"] if isinstance(text, str)]
        scenes, sizes = np.array(images["scene"], np.int64), np.array(images["bytes"], np.int64)
        crc = np.array(images["crc32"], np.uint32)
        shapes = np.array(images["shape"], np.int64).reshape(-1, 2) if "shape" in images else None
        count = sum(shard["count"] for shard in shards)
        if {
            len(images["id"]),
            len(ids),
            len(set(ids)),
            len(scenes),
            len(sizes),
            len(crc),
            count if shapes is None else len(shapes),
        } != {count}:
            raise ValueError("images")
        if len({shard["file"] for shard in shards}) < len(shards):
            raise ValueError("shards")
        if needed.shape != (len(shards),) or {array.ndim for array in (scenes, sizes, crc)} != {1}:
            raise ValueError("needed")
        return Plan(fields, ids, scenes, sizes, crc, shapes, shards, needed)
    except manifest.UNFIT as error:
        raise KitError(f"{path}: not a plan of kit pack ({error!r})") from None


def make(request: Request, cache: Path, room: int) -> tuple[Plan, Masks]:
    """The plan for what was asked, and the truth of the images in it.

    cache: folder in which the inspection keeps what it found; room: bytes that --fit may fill. KitError: too many bad images, fewer scenes
    than folds, no image.
    """
    competition, settings = request.competition, request.settings
    listing = sources.list_images(request.source, competition.need("train_images"))
    sized = competition.height is not None
    truth, wanted = None, listing
    unpaired: list[dict] = []
    if sized:  # else its rows can be read only when the images' sizes are known
        truth = complete(request.read_truth(), listing, competition)
        truth, wanted, unpaired = _match(truth, listing, settings)
    shape = competition.shape if sized else None
    search = competition.scenes == "shared blocks"
    if search and shape != (768, 768):
        raise KitError(
            f'competition {competition.name}: shared blocks are known for 768 x 768 px only; give "scenes": "" in its JSON file'
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
            {
                name: Inspected(reason)
                for name, reason in misfits.items()
                if name in findings and findings[name].reason is None
            }
        )
        truth = complete(read, listing, competition, shapes)
        truth, wanted, unpaired = _match(truth, listing, settings)
    bad = _judge({name: findings[name] for name in wanted}, shape)
    share = len(unpaired) / max(1, len(set(listing) | {item["image"] for item in unpaired})) + len(
        bad
    ) / max(1, len(wanted))
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
) -> tuple[Masks, dict[str, File], list[dict]]:
    """Truth and files of the chosen images, sorted by id, and what has only a row or only a file."""
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


def _judge(findings: dict[str, Inspected], shape: tuple[int, int] | None) -> list[dict]:
    """The images that cannot be packed, with the reason."""
    bad = []
    for name, found in findings.items():
        reason = found.reason
        if reason is None and shape is not None and (found.height, found.width) != shape:
            reason = f"{name}: is {found.width} px wide and {found.height} high, its runs are for {shape[1]} x {shape[0]}"
        if reason is not None:
            bad.append({"image": name, "reason": reason})
    return bad


def _limit_bad(skipped: list[dict], all_bad: bool, share: float, settings: PackSettings) -> None:
    """KitError where too many are left out; share: that of the images with a row or a file alone, and of those looked at, together."""
    first = (
        f"the first is {skipped[0]['image']}: {skipped[0]['reason']}"
        if skipped
        else "none was chosen"
    )
    if all_bad:
        raise KitError(f"no image can be packed; {first}")
    if len(skipped) > settings.max_bad and share > settings.max_bad_share:
        raise KitError(
            f"{len(skipped)} images are bad ({share:.1%}), {first}; mend the source, or allow more with --max-bad"
        )


def _lay_out(
    head: dict,
    truth: Masks,
    found: list[Inspected],
    scenes: np.ndarray,
    room: int,
    settings: PackSettings,
    sized: bool,
) -> Plan:
    """Folds, and the images of each fold in random order in shards, so that a reader who streams sees them mixed."""
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
        pieces = np.array_split(
            members,
            min(
                len(members), max(1, math.ceil(sizes[members].sum() / (settings.shard_mb * 2**20)))
            ),
        )
        for place, piece in enumerate(pieces):
            name = f"{manifest.DATASET}-fold{number}.tfrecord-{place:05d}-of-{len(pieces):05d}"
            shards.append({"file": name, "split": f"fold{number}", "count": len(piece)})
            members_of.append(piece)
    at = np.concatenate(members_of)
    needed = np.array([bounds[piece].sum() for piece in members_of], np.int64)
    crc = np.array([found[place].crc for place in at], np.uint32)
    shapes = None if sized else truth.shapes[at].astype(np.int64)
    return Plan(head, truth.ids[at].tolist(), scenes[at], sizes[at], crc, shapes, shards, needed)


def tabulate(plan: Plan, truth: Masks) -> str:
    """The table printed after packing: images, objects, empty share and scenes by fold."""
    groups, objects, fold = folds.group(plan.scenes), table.count_objects(truth), plan.folds
    lines = ["fold  images  objects  empty  scenes"]
    for number in np.unique(fold):
        here = fold == number
        lines.append(
            f"{number:4d}  {here.sum():6d}  {objects[here].sum():7d}  {(objects[here] == 0).mean():5.2f}  {len(np.unique(groups[here])):6d}"
        )
    pairs = np.unique(np.stack([groups, fold]), axis=1)
    lines.append(
        f" all  {len(fold):6d}  {objects.sum():7d}  {(objects == 0).mean():5.2f}  {len(np.unique(groups)):6d}"
    )
    twice = int((np.bincount(pairs[0]) > 1).sum())
    lines.append(f"scenes on two folds: {twice if (plan.scenes >= 0).all() else 'unknown'}")
    return "\n".join(lines)
