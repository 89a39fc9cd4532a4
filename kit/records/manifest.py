"""The manifest of records, and whether the files are as it says."""

import dataclasses
import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..competition import conventions
from ..competition.conventions import Competition
from ..errors import KitError
from ..fields import abbreviate
from ..settings import PackSettings
from ..system import progress
from ..system.files import read_json
from ..system.processes import count_cores
from ..system.seals import digest, digest_file, unseal

FORMAT = 2
DATASET = "runlength"  # name of the data set; no byte depends on the folder's name
# The files of tensorflow-datasets; they are written last, in this order.
METADATA = ("features.json", "dataset_info.json")
CACHE = "runlength-inspection"  # folder of the inspection's findings, until the plan is saved
SHARD_NAME = re.compile(r"runlength-fold(\d{1,9})\.tfrecord-\d{5}-of-\d{5}")
AGAIN = "run the same kit pack again to resume"


@dataclass(frozen=True)
class Records:
    """A finished folder of records, as its manifest describes it."""

    folder: Path
    manifest: dict[str, Any]

    __repr__ = abbreviate

    @property
    def competition(self) -> Competition:
        """The competition's conventions when the records were packed."""
        return conventions.from_json(self.manifest["competition"])

    @property
    def sha256(self) -> str:
        """SHA-256 of what the records hold: competition, truth, folds and every byte of the images.

        It does not depend on where these came from.
        """
        held = [self.manifest[name] for name in ("competition", "truth_sha256", "shards")]
        return digest(
            json.dumps([*held, self.manifest["files"]["folds.csv"]], sort_keys=True).encode()
        )

    @property
    def folds(self) -> list[int]:
        """Numbers of the folds that hold images."""
        return sorted({fold_of(shard) for shard in self.manifest["shards"]})

    def shards(self, wanted: list[int]) -> list[str]:
        """Paths of the shards of some folds."""
        return [
            str(self.folder / shard["file"])
            for shard in self.manifest["shards"]
            if fold_of(shard) in wanted
        ]

    def count(self, wanted: list[int]) -> int:
        """Images in some folds."""
        return sum(shard["count"] for shard in self.manifest["shards"] if fold_of(shard) in wanted)


def fold_of(shard: dict[str, Any]) -> int:
    """The fold of a shard of the manifest.

    >>> fold_of({"file": "runlength-fold3.tfrecord-00000-of-00001", "split": "fold3"})
    3
    """
    return int(shard["split"].removeprefix("fold"))


def is_records(folder: Path) -> bool:
    """Whether kit pack has begun or finished records in a folder."""
    return any((folder / name).exists() for name in ("manifest.json", "plan.json", CACHE))


def open_records(folder: Path | str) -> Records:
    """The finished records in `folder`. It reads no shard; `kit check RECORDS` compares checksums.

    Raises:
        KitError: if there are no records, they are not finished, or a shard is missing or has
            another size than the manifest says.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise KitError(
            f"{folder}: no such folder of records; make it: kit pack COMPETITION {folder}"
        )
    if not (folder / "manifest.json").exists() and is_records(folder):
        raise KitError(f"{folder}: packing was not finished; {AGAIN}")
    manifest = read_manifest(folder)
    if len(manifest["shards"]) < manifest["planned"] or not manifest["files"]:
        raise KitError(
            f"{folder}: packing was not finished: {len(manifest['shards'])} of "
            f"{manifest['planned']} shards; {AGAIN}"
        )
    for shard in manifest["shards"]:
        path = folder / shard["file"]
        if not path.is_file():
            raise KitError(
                f"{path}: the shard is missing; kit check {folder} --repair makes it again"
            )
        size = path.stat().st_size
        if size != shard["bytes"]:
            raise KitError(
                f"{path}: has {size} bytes, the manifest says {shard['bytes']}; "
                f"kit check {folder} --repair makes it again"
            )
    for name in METADATA:
        if not (folder / name).is_file():
            raise KitError(f"{folder / name}: missing; {AGAIN}")
    return Records(folder, manifest)


def check_head(fields: dict[str, Any]) -> None:
    """Checks the fields that plan and manifest share: a seal has no key, so anybody can make one.

    Raises an error of `UNFIT` if kit pack cannot have written them.
    """
    conventions.from_json(fields["competition"])
    known = {field.name for field in dataclasses.fields(PackSettings)}
    if set(fields["settings"]) != known - {"workers"}:
        raise ValueError("settings")
    PackSettings(**fields["settings"])
    texts = [
        fields["truth_sha256"],
        fields["scenes"]["by"],
        *(item[name] for item in fields["skipped"] for name in ("image", "reason")),
    ]
    if not all(isinstance(text, str) for text in texts) or not isinstance(
        fields["fit_bytes"], int | None
    ):
        raise ValueError("truth_sha256, scenes, skipped or fit_bytes")


def check_shard(shard: dict[str, Any]) -> None:
    """Raises an error of `UNFIT` if kit pack cannot have named and counted a shard like this."""
    match = SHARD_NAME.fullmatch(shard["file"])
    if (
        not match
        or shard["split"] != f"fold{int(match[1])}"
        or type(shard["count"]) is not int
        or shard["count"] < 1
    ):
        raise ValueError(f"shard {shard!r}")


# The errors that unexpected fields can cause.
UNFIT = (
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
    OverflowError,
    IndexError,
    KitError,
)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a folder of records.

    Raises KitError if it is missing, damaged or in another format.
    """
    path = folder / "manifest.json"
    fields = read_json(path, "records are a folder made by kit pack")
    if fields.get("format") == 1:
        raise KitError(f"{folder}: was packed by an older kit; remove it and pack again")
    fields = unseal(path, "written by kit pack")
    try:
        check_head(fields)
        for shard in fields["shards"]:
            check_shard(shard)
            if type(shard["bytes"]) is not int or not isinstance(shard["sha256"], str):
                raise ValueError(f"shard {shard!r}")
        if (
            fields["format"] != FORMAT
            or type(fields["planned"]) is not int
            or not isinstance(fields["source"], str)
        ):
            raise ValueError("format, planned or source")
        if set(fields["plan"]) != {"file", "sha256"} or fields["plan"]["file"] != "plan.json":
            raise ValueError("plan")
        if set(fields["files"]) not in (set(), {"folds.csv", *METADATA}):
            raise ValueError("files")
    except UNFIT as error:
        raise KitError(
            f"{path}: not a manifest of kit pack ({error!r}); remove {folder} and pack again"
        ) from None
    return fields


def check_records(folder: Path | str) -> dict[str, str]:
    """What is wrong with the records in `folder`, by file; empty if nothing is.

    It reads every file and compares its SHA-256. So it finds a missing, cut, changed, exchanged or
    extra shard, and a missing or changed manifest, plan, folds.csv or metadata.

    Raises:
        KitError: if the folder holds no records.
    """
    folder = Path(folder)
    if not is_records(folder):
        raise KitError(f"{folder}: no such folder of records")
    if not (folder / "manifest.json").exists():
        return {"manifest.json": f"missing: packing was not finished; {AGAIN}"}
    try:
        manifest = read_manifest(folder)
    except KitError as error:
        return {"manifest.json": str(error)}
    shards = {shard["file"]: shard for shard in manifest["shards"]}
    found = compare_shards(folder, list(shards.values()))
    if len(shards) < manifest["planned"] or not manifest["files"]:
        found["manifest.json"] = (
            f"packing was not finished: {len(shards)} of {manifest['planned']} shards; {AGAIN}"
        )
    for name, expected in {
        manifest["plan"]["file"]: manifest["plan"]["sha256"],
        **manifest["files"],
    }.items():
        actual = digest_file(folder / name)
        if actual != expected:
            found[name] = (
                "missing" if actual is None else "changed: the manifest has another SHA-256"
            )
    for path in list_extra(folder, set(shards)):
        ours = SHARD_NAME.fullmatch(path.name) and not path.is_dir()
        found[path.name] = "extra: a shard that is not in the manifest" + (
            "" if ours else "; kit pack did not make it, so move it away yourself"
        )
    return found


def list_extra(folder: Path, known: set[str]) -> list[Path]:
    """The paths in a folder that look like shards but are not among the known names."""
    return [
        path
        for path in sorted(folder.glob("*tfrecord*"))
        if path.name not in known and not path.name.startswith(".")
    ]


def compare_shards(folder: Path, shards: list[dict[str, Any]]) -> dict[str, str]:
    """What is wrong with each damaged shard of a manifest, by file."""
    by_digest = {shard["sha256"]: shard["file"] for shard in shards}

    def judge(shard: dict[str, Any]) -> str | None:
        path = folder / shard["file"]
        if not path.is_file():
            return "missing"
        size, actual = path.stat().st_size, digest_file(path)
        if actual == shard["sha256"] and size == shard["bytes"]:
            return None
        if actual in by_digest:
            return f"exchanged: holds the bytes of {by_digest[actual]}"
        if size != shard["bytes"]:
            kind = "cut" if size < shard["bytes"] else "too long"
            return f"{kind}: {size} bytes, the manifest says {shard['bytes']}"
        return "changed: the manifest has another SHA-256"

    found = {}
    with (
        ThreadPoolExecutor(count_cores()) as threads,
        progress.bar(sum(shard["count"] for shard in shards), "check") as bar,
    ):
        for shard, reason in zip(shards, threads.map(judge, shards)):  # hashing releases the GIL
            if reason:
                found[shard["file"]] = reason
            bar.update(shard["count"])
    return found
