"""Packing: a competition's training images and their masks become records; whatever stops it, the same call goes on."""

import contextlib
import importlib.util
import json
import re
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path

from ..competition import conventions, csv_masks, sources
from ..competition.conventions import AIRBUS, Competition
from ..errors import KitError
from ..masks import table as masks
from ..masks.table import Masks
from ..records import folds, manifest
from ..records import manifest as records
from ..records.manifest import CACHE, METADATA
from ..settings import PackSettings
from ..system import processes, progress, seals
from ..system.files import explain, flush_folder, is_full, write_bytes
from ..system.kaggle import MOUNTS
from ..system.locks import clear, hold
from . import plan as plans
from .plan import Plan, Request
from .shards import Shard, write_shard

SPARE = 0.05  # share of the free space that --fit leaves free


def pack(
    competition_folder, records_folder, *, competition: Competition = AIRBUS, **settings
) -> dict:
    """Packs the training images of a competition, with their masks, into the folder `records_folder`; returns its manifest.

    competition_folder: a folder, a zip, or `kaggle`; keyword arguments are the fields of PackSettings. The manifest has besides `overview`,
    the summary by fold. The same call again keeps what is whole and makes what is missing; the bytes of shards, metadata and folds.csv
    depend neither on interruptions nor on the number of workers. KitError: an unusable source, too many bad images, too little space, a
    folder that holds something else, another call than the one that began.
    """
    chosen = PackSettings(**settings)
    for name in (
        "tensorflow",
        "tensorflow_datasets",
        "sklearn",
    ):  # needed at the end: say so at the beginning
        if importlib.util.find_spec(name) is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    source = sources.find_source(competition_folder, competition, MOUNTS)
    truth = sources.find_file(source, competition.need("truth_csv"), "the truth: one row a mask")
    request = Request(source, competition, chosen, sources.read_whole(source, truth))
    out = Path(records_folder)
    try:
        with claim(out):
            return _pack(request, out)
    except OSError as error:
        inside = error.filename is None or Path(error.filename).is_relative_to(out)
        if inside and is_full(error):
            raise KitError(
                f"{out}: its disk is full; free some space and run the same command again, it goes on"
            ) from None
        raise KitError(explain(error, out if inside else Path(error.filename))) from None


def _pack(request: Request, out: Path) -> dict:
    """Plans, unless that was done, and makes what is missing."""
    former = _read_former(out)
    plan, truth = None, None
    if (out / "plan.json").exists():
        try:
            plan = plans.read_plan(out / "plan.json")
        except KitError as error:
            if former is None:
                raise KitError(f"{error}; remove {out} and pack again") from None
            _say(f"{error}; made again")
    if plan and former and former["plan"]["sha256"] != seals.digest_file(out / "plan.json"):
        raise KitError(
            f"{out}: manifest.json and plan.json are not of one packing; remove {out} and pack again"
        )
    for head in (plan.head if plan else None, former):
        if head:
            _compare(head, request.fields, out)
    if plan is None:
        plan, truth = _make_plan(request, out, former)
    shutil.rmtree(out / CACHE, ignore_errors=True)  # of use until here
    if truth is None:
        truth = _read_truth(plan, request)
    elif len(truth) > len(plan.ids):
        _say(
            f"--fit: {len(plan.ids)} of {len(truth)} images fit on the disk: all with an object, "
            f"and {len(plan.ids) - int((masks.count_objects(truth) > 0).sum())} empty ones, drawn over scenes"
        )
    truth = masks.select_ids(truth, plan.ids)
    manifest = _carry_out(plan, truth, request, out, former)
    return manifest | {"overview": plans.tabulate(plan, truth)}


def _read_former(out: Path) -> dict | None:
    """The manifest of an earlier run, None where there is none of use."""
    if not (out / "manifest.json").exists():
        return None
    try:
        return records.read_manifest(out)
    except KitError as error:
        if not (out / "plan.json").exists():
            raise
        _say(f"{error}; every shard is made again")
        return None


def _compare(head: dict, wanted: dict, out: Path) -> None:
    """KitError where an earlier run was asked for something else."""
    if head["truth_sha256"] != wanted["truth_sha256"]:
        raise KitError(
            f"{out}: was packed from another truth CSV; remove it or choose another folder for the records"
        )
    for kind in ("settings", "competition"):
        for name, value in json.loads(json.dumps(wanted[kind])).items():  # tuples are lists there
            if head[kind].get(name) != value:
                was = f"{name.replace('_', '-')} {head[kind].get(name)}"
                raise KitError(
                    f"{out}: was begun with {was}, now it is {value}; give the same, remove it or choose another folder"
                )


def _make_plan(request: Request, out: Path, former: dict | None) -> tuple[Plan, Masks]:
    """A new plan, saved; where an earlier manifest speaks of one it must be the same."""
    cache = out / CACHE
    room = int((1 - SPARE) * (shutil.disk_usage(out).free + _weigh(cache)))
    if request.settings.fit:
        room -= room % (
            1 << max(0, room.bit_length() - 5)
        )  # so that a disk of nearly the same room leaves out the same images
    if former is not None and former["fit_bytes"] is not None:
        room = former["fit_bytes"]
    plan, truth = plans.make(request, cache, room)
    _check_space(
        plan, range(len(plan.shards)), {}, out, cache
    )  # a plan that cannot be carried out is not saved
    data = plans.to_json(plan)
    if former is not None and former["plan"]["sha256"] != seals.digest(data):
        raise KitError(
            f"{out}: its plan cannot be made again, the source or the kit has changed; remove {out} and pack again"
        )
    write_bytes(out / "plan.json", data)
    if plan.head["scenes"]["by"] == "":
        _say(
            "no scenes are known here, folds are random over images; neighboring tiles may lie on both sides"
        )
    return plan, truth


def _read_truth(plan: Plan, request: Request) -> Masks:
    """The truth of a plan that was made by an earlier run."""
    shapes = (
        None
        if plan.shapes is None
        else {name: (int(h), int(w)) for name, (h, w) in zip(plan.ids, plan.shapes)}
    )
    return csv_masks.complete(request.read_truth(shapes), plan.ids, request.competition, shapes)


def _carry_out(plan: Plan, truth: Masks, request: Request, out: Path, former: dict | None) -> dict:
    """Makes the shards that are not whole, then folds.csv and the metadata; returns the manifest."""
    entries = {shard["file"]: shard for shard in former["shards"]} if former else {}
    damage = records.compare_shards(out, list(entries.values()))
    for name, reason in damage.items():
        _say(f"{name}: {reason}; made again")
    done = {name: entry for name, entry in entries.items() if name not in damage}
    missing = [place for place, shard in enumerate(plan.shards) if shard["file"] not in done]
    by_image = folds.to_csv(plan.ids, plan.scenes, plan.folds).encode()
    manifest = {
        "format": records.FORMAT,
        "source": str(request.source.path.absolute()),
        **plan.head,
        "plan": {"file": "plan.json", "sha256": seals.digest((out / "plan.json").read_bytes())},
        "planned": len(plan.shards),
    }

    def note(files: dict[str, str]) -> dict:
        """Writes the manifest as things stand now."""
        shards = [done[shard["file"]] for shard in plan.shards if shard["file"] in done]
        whole = {**manifest, "files": files, "shards": shards}
        write_bytes(out / "manifest.json", seals.seal(whole))
        return whole

    for path in records.list_extra(out, {shard["file"] for shard in plan.shards}):
        if records.SHARD_NAME.fullmatch(path.name) and not path.is_dir():
            _say(f"{path.name}: a shard that the plan does not know; removed")
            path.unlink()
    files = former["files"] if former else {}
    if (
        files
        and not missing
        and all(seals.digest_file(out / name) == value for name, value in files.items())
    ):
        return former or {}
    if missing:
        _say(_check_space(plan, missing, done, out))
        for name in METADATA[::-1]:  # they say that all is there
            (out / name).unlink(missing_ok=True)
        flush_folder(out)
        note({})
        write_bytes(out / "folds.csv", by_image)
        tasks = _plan_shards(plan, missing, truth, request, out, entries)
        total = sum(plan.shards[place]["count"] for place in missing)
        with (
            progress.bar(total, "pack") as bar,
            processes.run_tasks(write_shard, tasks, request.settings.workers) as results,
        ):
            for number, found in results:
                shard = plan.shards[missing[number]]
                done[shard["file"]] = {"file": shard["file"], "split": shard["split"], **found}
                note({})
                bar.update(shard["count"])
    made = _make_metadata(out, [done[shard["file"]] for shard in plan.shards])
    last = {"folds.csv": by_image, **made}
    final = note({name: seals.digest(data) for name, data in last.items()})
    for name, data in last.items():
        if not (out / name).is_file() or (out / name).read_bytes() != data:
            write_bytes(out / name, data)
    return final


def _say(line: str) -> None:
    print(f"kit pack: {line}", flush=True)


def _size(count: float) -> str:
    """Bytes in decimal units."""
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def _weigh(folder: Path) -> int:
    """Bytes of the files in a folder, 0 where there is none."""
    return sum(path.stat().st_size for path in folder.iterdir()) if folder.is_dir() else 0


def _check_space(
    plan: Plan, missing: Sequence[int], done: dict, out: Path, cache: Path | None = None
) -> str:
    """A line that says what is needed and free, with what `cache` will give back; KitError where it is too little."""
    needed, free = int(plan.needed[missing].sum()) + 2**16, shutil.disk_usage(out).free
    free += _weigh(cache) if cache else 0
    images = sum(plan.shards[place]["count"] for place in missing)
    said = f"{images} images in {len(missing)} shards need up to {_size(needed)}, the disk of {out} has {_size(free)} free"
    if done:
        said += f" ({len(done)} shards are there)"
    if needed > free:
        way = (
            ""
            if cache is None
            else " or pack less: --limit"
            if plan.head["settings"]["fit"]
            else " or pack less: --fit, --limit"
        )
        raise KitError(
            f"{said}, {_size(needed - free)} too little; free some{',' if way else ' or'} choose another folder{way}"
        )
    return said


def _plan_shards(
    plan: Plan, wanted: list[int], truth: Masks, request: Request, out: Path, entries: dict
) -> list[Shard]:
    """Everything that each wanted shard depends on."""
    files = sources.locate_images(
        request.source, request.competition.need("train_images"), plan.ids
    )
    run, starts, found = uuid.uuid4().hex[:12], plan.starts, []
    for place in wanted:
        held = slice(starts[place], starts[place + 1])
        name = plan.shards[place]["file"]
        found.append(
            Shard(
                out / name,
                out / f".{name}.{run}.tmp",
                request.source.path,
                files[held],
                plan.crc[held],
                masks.select(truth, range(held.start, held.stop)),
                plan.scenes[held],
                entries[name]["sha256"] if name in entries else None,
            )
        )
    return found


def _make_metadata(out: Path, shards: list[dict]) -> dict[str, bytes]:
    """The bytes of tensorflow-datasets' metadata files, by name."""
    from ..tf.data.tfds_metadata import write_metadata  # the only part that needs TensorFlow

    folder = out / ".metadata.tmp"
    try:
        folder.mkdir()
        write_metadata(folder, shards)
        return {name: (folder / name).read_bytes() for name in METADATA}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def repair(folder, source=None) -> dict:
    """Makes the damaged files of records again from the source that the manifest names, or from `source`; returns the manifest.

    KitError where the manifest and the plan are both of no use, or the source is not what it was.
    """
    folder = Path(folder)
    if not records.is_records(folder):
        raise KitError(f"{folder}: no such folder of records")
    if not (folder / "manifest.json").exists() and not (folder / "plan.json").exists():
        raise KitError(f"{folder}: packing was not finished; {records.AGAIN}")
    try:
        head = records.read_manifest(folder)
    except KitError as error:
        try:
            head = plans.read_plan(folder / "plan.json").head
        except KitError:
            raise error from None
        if source is None:
            raise KitError(
                f"{error}; only it knows where the images are: give --source COMPETITION"
            ) from None
    return pack(
        source or head["source"],
        folder,
        competition=conventions.from_json(head["competition"]),
        **head["settings"],
    )


# Names of temporary files that a kill may leave.
LEFT = re.compile(
    r"\.(runlength-fold\d+\.tfrecord-.+|(manifest\.json|plan\.json|folds\.csv|features\.json|dataset_info\.json)\..+|metadata)\.tmp.*"
)


@contextlib.contextmanager
def claim(out: Path):
    """The folder `out`, made where it is missing, for this process alone; one that stays empty is removed again."""
    made = not out.exists()
    if not made and (not out.is_dir() or (any(out.iterdir()) and not manifest.is_records(out))):
        raise KitError(
            f"{out}: exists already and holds no records; remove it or choose another folder for the records"
        )
    if any(path.is_symlink() for path in (out / CACHE, *(out / CACHE).glob("*"))):
        raise KitError(f"{out / CACHE}: holds a link, which kit pack does not make; remove it")
    with hold(out, "kit pack"):
        clear(out, LEFT)
        yield
