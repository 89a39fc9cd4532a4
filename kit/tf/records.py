"""Records: TFRecord shards in folds of whole scenes, readable by tensorflow-datasets alone."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import io
import math
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import tensorflow as tf

from .. import competition as rules
from .. import folds, images, masks, progress, rows
from ..competition import AIRBUS, Competition
from ..errors import KitError
from ..masks import Masks
from ..settings import PackSettings
from ..writing import explain, replacing_folder, write_json, write_text
from .failures import explained

NAME = "runlength"  # of the data set inside; no byte depends on the folder's name


@dataclass(frozen=True)
class Records:
    """A folder of records, as its manifest describes it."""

    folder: Path
    manifest: dict

    @property
    def competition(self) -> Competition:
        """The conventions that it was packed with."""
        return rules.from_json(self.manifest["competition"])

    @property
    def folds(self) -> list[int]:
        """Numbers of the folds that hold an image."""
        return sorted({_number(shard) for shard in self.manifest["shards"]})

    def shards(self, wanted: list[int]) -> list[str]:
        """Paths of the shards of some folds."""
        return [str(self.folder / shard["file"]) for shard in self.manifest["shards"] if _number(shard) in wanted]

    def count(self, wanted: list[int]) -> int:
        """Images in some folds."""
        return sum(shard["count"] for shard in self.manifest["shards"] if _number(shard) in wanted)


def _number(shard: dict) -> int:
    """The fold that a shard of the manifest belongs to."""
    return int(shard["split"].removeprefix("fold"))


def open_records(folder) -> Records:
    """The records in `folder`; KitError where there are none, or a shard is missing or of another size than the manifest says."""
    folder = Path(folder)
    if not folder.is_dir():
        raise KitError(f"{folder}: no such folder of records; make it: kit pack COMPETITION {folder}")
    manifest = rules.read_json(folder / "manifest.json", "records are a folder made by kit pack")
    try:
        for shard in manifest["shards"]:
            path = rules.image_path(folder, "{id}", shard["file"])
            if not path.is_file():
                raise KitError(f"{path}: the shard is missing; pack again")
            if path.stat().st_size != shard["bytes"]:
                raise KitError(f"{path}: has {path.stat().st_size} bytes, the manifest says {shard['bytes']}; pack again")
        records = Records(folder, manifest)
        _ = records.competition, records.count(records.folds)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise KitError(f"{folder / 'manifest.json'}: not a manifest of kit pack ({error!r}); pack again") from None
    return records


def features():
    """The record's features as tensorflow-datasets describes them."""
    import tensorflow_datasets as tfds

    return tfds.features.FeaturesDict(
        {
            "image_id": tfds.features.Text(),
            "image": tfds.features.Image(shape=(None, None, 3), dtype=np.uint8),
            "height": np.int32,
            "width": np.int32,
            "scene": np.int64,
            "objects": np.int32,
            "labels": tfds.features.Sequence(np.int32),
            "runs": tfds.features.Sequence({"start": np.int32, "length": np.int32, "object": np.int32}),
        }
    )


def encode(table: Masks, image: int, data: bytes, scene: int) -> bytes:
    """One record: the image at position `image` of `table` with its original bytes `data`, as a serialized tf.train.Example."""
    first, last = table.objects[image], table.objects[image + 1]
    runs = slice(table.runs[first], table.runs[last])

    def whole(values):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=np.asarray(values, np.int64)))

    def text(value):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    fields = {
        "image_id": text(str(table.ids[image]).encode()),
        "image": text(data),
        "height": whole([table.shapes[image, 0]]),
        "width": whole([table.shapes[image, 1]]),
        "scene": whole([scene]),
        "objects": whole([last - first]),
        "labels": whole(table.labels[first:last]),
        "runs/start": whole(table.start[runs]),
        "runs/length": whole(table.length[runs]),
        "runs/object": whole(np.repeat(np.arange(last - first), np.diff(table.runs[first : last + 1]))),
    }
    return tf.train.Example(features=tf.train.Features(feature=fields)).SerializeToString(deterministic=True)


@explained
def pack(competition_folder, records, *, competition: Competition = AIRBUS, **settings) -> dict:
    """Packs the training images of a competition folder, with their masks, into the new folder `records`; returns the manifest.

    Keyword arguments are the fields of PackSettings. Bad images are left out and listed; more than 1% and more than five of them are a
    KitError, as is a missing folder, file or column, a malformed row, and an image of another size than the competition's. The folder
    appears whole or not at all.
    """
    chosen = PackSettings(**settings)
    source, out = rules.find_folder(competition_folder), Path(records)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise KitError(f"{out}: exists already; remove it or choose another folder for the records")
    paths = rules.list_images(source, competition.need("train_images"))
    table = rows.read_csv(rules.find_file(source, competition.need("truth_csv"), "the truth: one row a mask"), competition)
    table, skipped = _inspect(paths, table, competition)
    scenes, searched = _read_scenes(source, table.ids, competition)
    fold = folds.assign(scenes, masks.count_objects(table), chosen.folds, chosen.seed)
    try:
        with replacing_folder(out) as temporary:
            manifest: dict = {
                "format": 1,
                "competition": rules.to_json(competition),
                "settings": dataclasses.asdict(chosen),
                "scenes": searched,
                "skipped": skipped,
                "shards": _write_shards(temporary, table, paths, scenes, fold, chosen),
            }
            frame = pd.DataFrame({"ImageId": table.ids, "scene": scenes, "fold": fold})
            write_text(temporary / "folds.csv", frame.to_csv(index=False, lineterminator="\n"))
            write_json(temporary / "manifest.json", manifest)
            _write_metadata(temporary, manifest["shards"])
    except tf.errors.OpError as error:
        full = isinstance(error, tf.errors.OutOfRangeError | tf.errors.ResourceExhaustedError)
        raise KitError(explain(OSError(errno.ENOSPC, ""), out) if full else f"{out}: cannot be written: {error.message}") from None
    return manifest | {"table": _tabulate(table, scenes, fold)}


def _inspect(paths: dict[str, Path], table: Masks, competition: Competition) -> tuple[Masks, list[dict]]:
    """The images that can be packed, sorted by id, and those left out with the reason."""
    known, good, skipped = set(table.ids), [], []
    with progress.bar(len(paths), "inspect") as bar:
        for name, path in paths.items():
            bar.update()
            try:
                if name not in known:
                    raise KitError(f"{path.parent.name}/{name}: the truth has no row for it")
                shape = images.inspect(path)
            except KitError as error:
                skipped.append({"image": name, "reason": str(error)})
                continue
            if shape != competition.shape:
                raise KitError(
                    f"{path}: is {shape[1]} px wide and {shape[0]} high, its runs are for {competition.width} x {competition.height}; "
                    "replace it or remove it together with its rows"
                )
            good.append(name)
    skipped += [{"image": name, "reason": "the truth names it, the folder lacks it"} for name in sorted(known - set(paths))]
    if len(skipped) > 5 and len(skipped) > 0.01 * (len(skipped) + len(good)):
        first = skipped[0]
        raise KitError(f"{len(skipped)} of {len(skipped) + len(good)} images are bad, the first is {first['image']}: {first['reason']}")
    if not good:
        raise KitError(f"no image can be packed, the first is {skipped[0]['image']}: {skipped[0]['reason']}")
    return masks.select_ids(table, good), skipped


def _read_scenes(source: Path, ids, competition: Competition) -> tuple[np.ndarray, str]:
    path = source / competition.scenes_csv
    if not path.is_file():
        print("kit pack: no scenes are known here, folds are random over images; neighboring tiles may lie on both sides", file=sys.stderr)
        return np.full(len(ids), -1, np.int64), "unknown"
    try:
        frame = pd.read_csv(path, dtype={"ImageId": str, "scene": np.int64}).drop_duplicates("ImageId").set_index("ImageId")
        return frame.loc[list(ids), "scene"].to_numpy(np.int64), competition.scenes_csv
    except (ValueError, KeyError) as error:
        raise KitError(f"{path}: expected ImageId,scene,x,y for every image: {error}") from None


def _write_shards(
    folder: Path, table: Masks, paths: dict[str, Path], scenes: np.ndarray, fold: np.ndarray, chosen: PackSettings
) -> list[dict]:
    """Writes all shards; each holds images of one fold in random order, so that a reader who streams sees them mixed."""
    order = np.random.default_rng(chosen.seed).permutation(len(table))
    shards = []
    with progress.bar(len(table), "pack") as bar:
        for number in range(chosen.folds):
            members = order[fold[order] == number]
            if not len(members):
                continue
            size = sum(paths[table.ids[image]].stat().st_size for image in members)
            parts = np.array_split(members, min(len(members), max(1, math.ceil(size / (chosen.shard_mb * 2**20)))))
            for place, part in enumerate(parts):
                path = folder / f"{NAME}-fold{number}.tfrecord-{place:05d}-of-{len(parts):05d}"
                expected = 0
                with tf.io.TFRecordWriter(str(path)) as writer:
                    for image in part:
                        record = encode(table, image, paths[table.ids[image]].read_bytes(), int(scenes[image]))
                        writer.write(record)
                        expected += len(record) + 16  # TFRecord adds a length and two checksums
                        bar.update()
                if path.stat().st_size != expected:  # the writer may say nothing on a full disk
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
                with open(path, "rb") as file:
                    os.fsync(file.fileno())
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
                shards.append(
                    {"file": path.name, "split": f"fold{number}", "count": len(part), "bytes": path.stat().st_size, "sha256": digest}
                )
    return shards


def _write_metadata(folder: Path, shards: list[dict]) -> None:
    import tensorflow_datasets as tfds

    template = tfds.core.ShardedFileTemplate(data_dir=folder, dataset_name=NAME, filetype_suffix="tfrecord")
    splits: dict[str, list[dict]] = {}
    for shard in shards:
        splits.setdefault(shard["split"], []).append(shard)
    infos = [
        tfds.core.SplitInfo(name=name, shard_lengths=[shard["count"] for shard in parts], num_bytes=sum(shard["bytes"] for shard in parts))
        for name, parts in splits.items()
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        tfds.folder_dataset.write_metadata(
            data_dir=str(folder), features=features(), split_infos=infos, filename_template=template, version="1.0.0", check_data=False
        )


def _tabulate(table: Masks, scenes: np.ndarray, fold: np.ndarray) -> str:
    """The table printed after packing: images, objects, empty share and scenes by fold."""
    groups, objects = folds.group(scenes), masks.count_objects(table)
    lines = ["fold  images  objects  empty  scenes"]
    for number in np.unique(fold):
        here = fold == number
        lines.append(
            f"{number:4d}  {here.sum():6d}  {objects[here].sum():7d}  {(objects[here] == 0).mean():5.2f}  {len(np.unique(groups[here])):6d}"
        )
    pairs = np.unique(np.stack([groups, fold]), axis=1)
    lines.append(
        f"scenes on two folds: {int((np.bincount(pairs[0]) > 1).sum())}" if (scenes >= 0).any() else "scenes on two folds: unknown"
    )
    return "\n".join(lines)
