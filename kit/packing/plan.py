"""The plan of the records and its file: which image goes into which shard.

It is saved as plan.json before the first shard is written, and resuming starts from it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import KitError
from ..masks import table
from ..masks.table import Masks
from ..records import folds, manifest
from ..system import seals


@dataclass(frozen=True)
class Plan:
    """The images in the order of the shards, and what is saved with them."""

    # The fields of the request, and `scenes`: how they were found; `skipped`: the images left out;
    # `fit_bytes`: the room that --fit was given.
    head: dict[str, Any]
    ids: list[str]
    scenes: np.ndarray  # int64 (images,), -1 if none were searched for
    sizes: np.ndarray  # bytes of each image, int64
    crc: np.ndarray  # CRC-32 of each image, uint32
    shapes: np.ndarray | None  # (images, 2) height, width in px; None: the competition's size
    shards: list[dict[str, Any]]  # file, split, count
    needed: np.ndarray  # upper bound of the bytes of each shard, int64

    @property
    def starts(self) -> np.ndarray:
        """Position of the first image of each shard; the last item is the number of images."""
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
    """The content of plan.json: a sealed JSON object."""
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
    """The plan in plan.json. Raises KitError if the file is missing or damaged."""
    fields = seals.unseal(path, "written by kit pack")
    try:
        images, shards = fields.pop("images"), fields.pop("shards")
        needed = np.array(fields.pop("needed"), np.int64)
        if fields.pop("format") != manifest.FORMAT:
            raise ValueError("format")
        manifest.check_head(fields)
        for shard in shards:
            manifest.check_shard(shard)
        ids = [text for text in images["id"] if isinstance(text, str)]
        scenes, sizes = np.array(images["scene"], np.int64), np.array(images["bytes"], np.int64)
        crc = np.array(images["crc32"], np.uint32)
        shapes = np.array(images["shape"], np.int64).reshape(-1, 2) if "shape" in images else None
        columns: list[Any] = [images["id"], ids, set(ids), scenes, sizes, crc]
        if shapes is not None:
            columns.append(shapes)
        if {len(column) for column in columns} != {sum(shard["count"] for shard in shards)}:
            raise ValueError("images")
        if len({shard["file"] for shard in shards}) < len(shards):
            raise ValueError("shards")
        if needed.shape != (len(shards),) or {array.ndim for array in (scenes, sizes, crc)} != {1}:
            raise ValueError("needed")
        return Plan(fields, ids, scenes, sizes, crc, shapes, shards, needed)
    except manifest.UNFIT as error:
        raise KitError(f"{path}: not a plan of kit pack ({error!r})") from None


def tabulate(plan: Plan, truth: Masks) -> str:
    """The summary printed after packing: images, objects, empty share and scenes of each fold."""
    groups, objects, fold = folds.group(plan.scenes), table.count_objects(truth), plan.folds

    def describe(name: str, here: np.ndarray) -> str:
        scenes = len(np.unique(groups[here]))
        return (
            f"{name:>4}  {here.sum():6d}  {objects[here].sum():7d}  "
            f"{(objects[here] == 0).mean():5.2f}  {scenes:6d}"
        )

    lines = ["fold  images  objects  empty  scenes"]
    lines += [describe(str(number), fold == number) for number in np.unique(fold)]
    lines.append(describe("all", np.ones(len(fold), bool)))
    pairs = np.unique(np.stack([groups, fold]), axis=1)
    twice = int((np.bincount(pairs[0]) > 1).sum())
    lines.append(f"scenes on two folds: {twice if (plan.scenes >= 0).all() else 'unknown'}")
    return "\n".join(lines)
