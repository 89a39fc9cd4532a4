"""Records on disk: the manifest, and whether everything is as it says."""

import dataclasses
import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ..competition import conventions
from ..competition.conventions import Competition
from ..errors import KitError
from ..settings import PackSettings
from ..system import progress
from ..system.files import read_json
from ..system.processes import count_cores
from ..system.seals import digest, digest_file, unseal

FORMAT = 2
DATASET = "runlength"  # of the data set inside; no byte depends on the folder's name
METADATA = (
    "features.json",
    "dataset_info.json",
)  # tensorflow-datasets' own, which appear last, in this order
CACHE = "runlength-inspection"  # folder in which the inspection keeps what it found, until the plan is saved
SHARD_NAME = re.compile(r"runlength-fold(\d{1,9})\.tfrecord-\d{5}-of-\d{5}")
AGAIN = "run the same kit pack again, it goes on"


@dataclass(frozen=True)
class Records:
    """A finished folder of records, as its manifest describes it."""

    folder: Path
    manifest: dict

    @property
    def competition(self) -> Competition:
        """The conventions that it was packed with."""
        return conventions.from_json(self.manifest["competition"])

    @property
    def sha256(self) -> str:
        """SHA-256 of what they hold: competition, truth, folds and every byte of the images; not of where these came from."""
        held = [self.manifest[name] for name in ("competition", "truth_sha256", "shards")]
        return digest(
            json.dumps([*held, self.manifest["files"]["folds.csv"]], sort_keys=True).encode()
        )

    @property
    def folds(self) -> list[int]:
        """Numbers of the folds that hold an image."""
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


def fold_of(shard: dict) -> int:
    """The fold that a shard of the manifest belongs to."""
    return int(shard["split"].removeprefix("fold"))


def is_records(folder: Path) -> bool:
    """Whether kit pack has begun in a folder."""
    return any((folder / name).exists() for name in ("manifest.json", "plan.json", CACHE))


def open_records(folder) -> Records:
    """The records in `folder`; KitError where there are none, they are not finished, or a shard is missing or has another size.

    Contents are not read: `kit check RECORDS` compares every checksum.
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
            f"{folder}: packing was not finished: {len(manifest['shards'])} of {manifest['planned']} shards; {AGAIN}"
        )
    for shard in manifest["shards"]:
        path = folder / shard["file"]
        if not path.is_file():
            raise KitError(
                f"{path}: the shard is missing; kit check {folder} --repair makes it again"
            )
        if path.stat().st_size != shard["bytes"]:
            size = path.stat().st_size
            raise KitError(
                f"{path}: has {size} bytes, the manifest says {shard['bytes']}; kit check {folder} --repair makes it again"
            )
    for name in METADATA:
        if not (folder / name).is_file():
            raise KitError(f"{folder / name}: missing; {AGAIN}")
    return Records(folder, manifest)


def check_head(fields: dict) -> None:
    """Raises for what plan and manifest share where it is not what kit pack writes (a seal has no key: anybody can make one)."""
    conventions.from_json(fields["competition"])
    if set(fields["settings"]) != {field.name for field in dataclasses.fields(PackSettings)} - {
        "workers"
    }:
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


def check_shard(shard: dict) -> None:
    """Raises for a shard that is not named and counted as kit pack does."""
    match = SHARD_NAME.fullmatch(shard["file"])
    if (
        not match
        or shard["split"] != f"fold{int(match[1])}"
        or type(shard["count"]) is not int
        or shard["count"] < 1
    ):
        raise ValueError(f"shard {shard!r}")


UNFIT = (
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
    OverflowError,
    IndexError,
    KitError,
)  # what fields of another kind can cause


def read_manifest(folder: Path) -> dict:
    """manifest.json of a folder of records; KitError where it is missing, damaged, or not one of this format."""
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


def check_records(folder) -> dict[str, str]:
    """What is wrong with the records in `folder`, by file, empty where all is well: every file is read and its SHA-256 compared.

    Found are a missing, cut, changed, exchanged or extra shard, and a missing or changed manifest, plan, folds.csv or metadata. KitError
    where the folder holds no records at all.
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
                "missing" if actual is None else "changed: its SHA-256 is not the manifest's"
            )
    for path in list_extra(folder, set(shards)):
        ours = SHARD_NAME.fullmatch(path.name) and not path.is_dir()
        found[path.name] = "extra: a shard that the manifest does not know" + (
            "" if ours else "; not made by kit pack, move it away yourself"
        )
    return found


def list_extra(folder: Path, known: set[str]) -> list[Path]:
    """What looks like a shard in the folder and is not known."""
    return [
        path
        for path in sorted(folder.glob("*tfrecord*"))
        if path.name not in known and not path.name.startswith(".")
    ]


def compare_shards(folder: Path, shards: list[dict]) -> dict[str, str]:
    """What is wrong with each shard of a manifest, by file; the whole ones are left out."""
    by_digest = {shard["sha256"]: shard["file"] for shard in shards}

    def judge(shard: dict) -> str | None:
        path = folder / shard["file"]
        if not path.is_file():
            return "missing"
        size, actual = path.stat().st_size, digest_file(path)
        if actual == shard["sha256"] and size == shard["bytes"]:
            return None
        if actual in by_digest:
            return f"exchanged: holds the bytes of {by_digest[actual]}"
        if size != shard["bytes"]:
            return f"{'cut' if size < shard['bytes'] else 'too long'}: {size} bytes, the manifest says {shard['bytes']}"
        return "changed: its SHA-256 is not the manifest's"

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
