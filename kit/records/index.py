"""An index of images: the runs of each, and where its bytes are, so that any can be read."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..competition import csv_masks, images, sources
from ..competition.catalog import find_competition
from ..competition.conventions import AIRBUS, Competition
from ..competition.csv_masks import complete
from ..competition.listing import list_images
from ..errors import KitError
from ..fields import abbreviate
from ..masks import table as masks
from ..masks.table import Masks
from ..system import progress
from ..system.csv_rows import read_rows
from . import tfrecord
from .manifest import UNFIT, Records, fold_of, is_records, open_records


@dataclass(frozen=True)
class Index:
    """Images with their runs, scenes and folds, and where the bytes of each are.

    An image is a file of its own, or a record in a shard.
    """

    name: str  # of the source, for messages
    truth: Masks
    scenes: np.ndarray  # int64 (images,), -1 unknown
    folds: np.ndarray  # int64 (images,), -1 unknown
    paths: np.ndarray  # str objects (images,), the file
    offsets: np.ndarray  # int64 (images,), byte at which the record begins; -1: a file

    __repr__ = abbreviate

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width of all images, px; None if they differ."""
        sizes = np.unique(self.truth.shapes, axis=0)
        return tuple(sizes[0].tolist()) if len(sizes) == 1 else None

    def read_bytes(self, place: int) -> bytes:
        """The original bytes of the image at a position; -1 is the last.

        Raises:
            KitError: if the position is out of range or the bytes cannot be read.
        """
        place = int(masks.locate(len(self), place))
        path, at = self.paths[place], int(self.offsets[place])
        try:
            if at < 0:
                return Path(path).read_bytes()
            with open(path, "rb", buffering=0) as file:
                return bytes(tfrecord.skim(file.fileno(), at, image=True)[1]["image"])
        except (OSError, ValueError, KeyError) as error:
            raise KitError(f"{path}: {self.truth.ids[place]} cannot be read: {error}") from None


def open_index(
    source: Index | Records | Path | str,
    folds: Iterable[int] | None = None,
    *,
    folds_csv: Any = None,
    competition: Competition | Path | str = AIRBUS,
) -> Index:
    """The index of records or of a competition folder.

    Args:
        source: an index, records, the path of records or of a competition folder, or `kaggle`.
        folds: the folds to keep; None: all.
        folds_csv: for a competition folder, a CSV (a path, bytes, (name, bytes), or a DataFrame)
            with columns `ImageId,scene,fold` as kit pack writes it; images that are not in it are
            left out.
        competition: the conventions of a competition folder: a Competition, a name in COMPETITIONS
            or a .json file.

    Returns:
        The index. Images of a folder that are missing, truncated or of another size are left out,
        which prints one line.

    Raises:
        KitError: if no image is left, or the source is damaged.
    """
    folds = None if folds is None else list(folds)
    if isinstance(source, Index):
        found = source
    elif isinstance(source, Records) or (str(source) != "kaggle" and is_records(Path(source))):
        found = index_records(
            source if isinstance(source, Records) else open_records(source), folds
        )
    else:
        found = index_folder(source, find_competition(competition), folds_csv)
    if folds is None:
        return found
    wanted = np.flatnonzero(np.isin(found.folds, folds) & (found.folds >= 0))  # -1: unknown
    if not len(wanted):
        known = sorted(set(found.folds[found.folds >= 0].tolist()))
        way = f"it has folds {known}" if known else "give the path of a folds.csv as folds_csv"
        raise KitError(f"{found.name}: folds {folds} hold no image; {way}")
    return select(found, wanted)


def select(index: Index, places: np.ndarray) -> Index:
    """The images at some places, in that order."""
    places = masks.locate(len(index), places)
    parts = (array[places] for array in (index.scenes, index.folds, index.paths, index.offsets))
    return Index(index.name, masks.select(index.truth, places), *parts)


def index_records(records: Records, folds: Iterable[int] | None = None) -> Index:
    """The index of some folds of records, all by default, in the order of the shards.

    It reads every record except for its image (85 us each).

    Raises:
        KitError: if the folds hold no image, or a shard is damaged.
    """
    wanted = set(records.folds if folds is None else folds) & set(records.folds)
    if not wanted:
        raise KitError(
            f"{records.folder}: folds {list(folds or [])} hold no image; "
            f"it has folds {records.folds}"
        )
    shards = [shard for shard in records.manifest["shards"] if fold_of(shard) in wanted]
    parts: list[Masks] = []
    scenes: list[int] = []
    offsets: list[int] = []
    counts = [shard["count"] for shard in shards]
    with progress.bar(sum(counts), "index", leave=False) as bar:
        for shard in shards:
            path = records.folder / shard["file"]
            try:
                places, found = zip(*_walk(path, shard))
                parts.append(_tabulate(found))
                scenes += [int(fields["scene"][0]) for fields in found]
            except (OSError, *UNFIT) as error:
                raise KitError(
                    f"{path}: is damaged ({error}); "
                    f"kit check {records.folder} --repair makes it again"
                ) from None
            offsets += places
            bar.update(shard["count"])
    paths = np.array([str(records.folder / shard["file"]) for shard in shards], object)
    return Index(
        str(records.folder),
        masks.concatenate(parts),
        np.array(scenes, np.int64),
        np.repeat([fold_of(shard) for shard in shards], counts),
        np.repeat(paths, counts),
        np.array(offsets, np.int64),
    )


def _walk(path: Path, shard: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Byte at which each record of a shard begins, and its fields."""
    descriptor, at = os.open(path, os.O_RDONLY), 0
    try:
        for _ in range(shard["count"]):
            begin = at
            at, fields = tfrecord.skim(descriptor, at)
            yield begin, fields
        if at != shard["bytes"]:
            raise ValueError(
                f"its {shard['count']} records end at byte {at}, the manifest says {shard['bytes']}"
            )
    finally:
        os.close(descriptor)


def _tabulate(found: Sequence[dict[str, Any]]) -> Masks:
    """The masks of records, from their fields. Raises ValueError if these contradict each other."""

    def join(name: str) -> np.ndarray:
        return np.concatenate([fields[name] for fields in found]).astype(np.int64)

    ids = np.array([fields["image_id"].decode() for fields in found], object)
    shapes = np.stack([join("height"), join("width")], axis=1).astype(np.int32)
    counts = join("objects")
    if not len(ids) == len(shapes) == len(counts) == len(join("scene")):
        raise ValueError("a record lacks its size, scene or count of objects")
    for fields, count in zip(found, counts):
        # Checked before the counting, which would take memory for any number of objects.
        if len(fields["labels"]) != count or (fields["runs/object"] >= count).any():
            raise ValueError("a record's objects and runs do not fit")
    sizes = np.concatenate(
        [
            np.bincount(fields["runs/object"], minlength=count)
            for fields, count in zip(found, counts)
        ]
    )
    objects, runs = (
        np.concatenate([[0], np.cumsum(values)]).astype(np.int64) for values in (counts, sizes)
    )
    labels, start, length = (
        join(name).astype(np.int32) for name in ("labels", "runs/start", "runs/length")
    )
    if not (objects[-1] == len(sizes) == len(labels) and runs[-1] == len(start) == len(length)):
        raise ValueError("a record's objects and runs do not fit")
    return Masks(ids, shapes, objects, labels, runs, start, length)


def index_folder(place: Path | str, competition: Competition, folds_csv: Any = None) -> Index:
    """The index of a competition folder, sorted by id; no image is decoded. See `open_index`.

    Raises:
        KitError: if the source is a zip, its images differ in size, or no image is left.
    """
    source = sources.find_source(place, competition)
    if source.directory is not None:
        raise KitError(
            f"{source.path}: images are read from a folder or from records; "
            f"pack the zip: kit pack {source.path} RECORDS"
        )
    if competition.height is None:
        raise KitError(
            f"competition {competition.name}: its images differ in size; "
            f"pack them: kit pack {source.path} RECORDS"
        )
    listing = list_images(source, competition.need("train_images"), competition.image_id)
    name = competition.need("truth_csv")
    truth = csv_masks.read_csv(
        source.path / sources.find_file(source, name, "the truth").name, competition
    )
    truth = complete(truth, listing, competition)
    known = _read_folds(folds_csv) if folds_csv is not None else dict.fromkeys(truth.ids, (-1, -1))
    chosen, reasons = [], []
    with progress.bar(len(truth), "look", leave=False) as bar:
        for image, name in enumerate(truth.ids):
            bar.update()
            if name not in known:
                continue
            try:
                if name not in listing:
                    raise KitError(f"{name}: the truth names it, the source lacks it")
                shape = images.glance(source.path, listing[name].name)
                if shape != competition.shape:
                    raise KitError(f"{name}: is {shape[1]} px wide and {shape[0]} high")
                chosen.append(image)
            except KitError as error:
                reasons.append(str(error))
    if reasons:
        more = f", and {len(reasons) - 1} more" if len(reasons) > 1 else ""
        print(f"left out: {ascii(reasons[0])[1:-1]}{more}")
    if not chosen:
        why = f"; {reasons[0]}" if reasons else f" of those in {folds_csv}"
        raise KitError(f"{source.path}: no image is left{why}")
    truth = masks.select(truth, chosen)
    scenes, folds = np.array([known[name] for name in truth.ids], np.int64).T
    paths = np.array([str(source.path / listing[name].name) for name in truth.ids], object)
    return Index(str(source.path), truth, scenes, folds, paths, np.full(len(paths), -1, np.int64))


def _read_folds(source: Any) -> dict[str, tuple[int, int]]:
    """Scene and fold of each image in a folds.csv."""
    rows = read_rows(
        source, {"ImageId": str, "scene": _read_number, "fold": _read_number}, key="ImageId"
    )
    return {row["ImageId"]: (row["scene"], row["fold"]) for row in rows}


def _read_number(cell: str) -> int:
    value = int(cell)
    if not -1 <= value < 2**62:
        raise ValueError("expected a whole number, -1 or more")
    return value
