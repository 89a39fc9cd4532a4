"""Packing: a competition's training images and masks become records, and the same call resumes."""

import importlib.util
import json
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..competition import csv_masks, images, sources
from ..competition.catalog import find_competition
from ..competition.conventions import AIRBUS, Competition
from ..competition.listing import locate_images
from ..errors import KitError, naming_extra
from ..masks import table as masks
from ..masks.table import Masks
from ..records import folds
from ..records import manifest as records
from ..records.manifest import CACHE, METADATA
from ..settings import PackSettings
from ..system import processes, progress, seals
from ..system.files import explain, flush_folder, is_full, write_bytes
from ..system.kaggle import MOUNTS
from . import plan as plans
from .claim import claim
from .plan import Plan
from .planning import make_plan
from .request import Request
from .shards import Shard, write_shard
from .space import check_space, weigh

SPARE = 0.05  # share of the free space that --fit leaves free


@naming_extra()
def pack(
    competition_folder: Path | str,
    records_folder: Path | str,
    *,
    competition: Competition | Path | str = AIRBUS,
    **settings: Any,
) -> dict[str, Any]:
    """Packs the training images of a competition, with their masks, into a folder of records.

    The same call again resumes: it keeps every whole file and makes the others. The bytes of the
    shards, the metadata and folds.csv depend neither on interruptions nor on the number of workers.

    Args:
        competition_folder: a folder, a zip, or `kaggle` for the attached data.
        records_folder: the folder to write; it is made if it is missing.
        competition: the conventions of the competition's files: a Competition, a name in
            COMPETITIONS or a .json file.
        **settings: the fields of PackSettings.

    Returns:
        The manifest, with one more field: `overview`, a summary of the folds as text.

    Raises:
        KitError: if the source cannot be used, too many images are bad, the disk has too little
            space, or the folder holds something else or was begun by a different call.
    """
    chosen, competition = PackSettings(**settings), find_competition(competition)
    # They are needed at the end, so their absence is reported at the beginning.
    for name in ("tensorflow", "tensorflow_datasets", "sklearn"):
        if importlib.util.find_spec(name) is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    source = sources.find_source(competition_folder, competition, MOUNTS)
    truth = sources.find_file(source, competition.need("truth_csv"), "the truth: one row per mask")
    request = Request(source, competition, chosen, sources.read_whole(source, truth))
    out = Path(records_folder)
    try:
        with claim(out):
            return _pack(request, out)
    except OSError as error:
        inside = error.filename is None or Path(error.filename).is_relative_to(out)
        if inside and is_full(error):
            raise KitError(
                f"{out}: its disk is full; free some space and run the same command again to resume"
            ) from None
        raise KitError(explain(error, out if inside else Path(error.filename))) from None


def _pack(request: Request, out: Path) -> dict[str, Any]:
    """Makes the plan if there is none yet, then the missing files."""
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
            f"{out}: manifest.json and plan.json are from different packings; "
            f"remove {out} and pack again"
        )
    for head in (plan.head if plan else None, former):
        if head:
            _compare(head, request.fields, out)
    if plan is None:
        plan, truth = _make_plan(request, out, former)
    shutil.rmtree(out / CACHE, ignore_errors=True)  # nothing after the plan needs it
    if truth is None:
        truth = _read_truth(plan, request)
    elif len(truth) > len(plan.ids):
        empty = len(plan.ids) - int((masks.count_objects(truth) > 0).sum())
        _say(
            f"--fit: {len(plan.ids)} of {len(truth)} images fit on the disk: "
            f"all images with objects and {empty} empty ones, spread over the scenes"
        )
    truth = masks.select_ids(truth, plan.ids)
    manifest = _carry_out(plan, truth, request, out, former)
    return manifest | {"overview": plans.tabulate(plan, truth)}


def _read_former(out: Path) -> dict[str, Any] | None:
    """The manifest of an earlier run; None if there is no usable one."""
    if not (out / "manifest.json").exists():
        return None
    try:
        return records.read_manifest(out)
    except KitError as error:
        if not (out / "plan.json").exists():
            raise
        _say(f"{error}; every shard is made again")
        return None


def _compare(head: dict[str, Any], wanted: dict[str, Any], out: Path) -> None:
    """Raises KitError if an earlier run was asked for something else."""
    if head["truth_sha256"] != wanted["truth_sha256"]:
        raise KitError(
            f"{out}: was packed from another truth CSV; "
            "remove it or choose another folder for the records"
        )
    for kind in ("settings", "competition"):
        for name, value in json.loads(json.dumps(wanted[kind])).items():  # makes tuples lists
            was = head[kind].get(name)
            if was != value:
                raise KitError(
                    f"{out}: was begun with {name.replace('_', '-')} {was}, now it is {value}; "
                    "use the same value, remove the folder or choose another one"
                )


def _make_plan(request: Request, out: Path, former: dict[str, Any] | None) -> tuple[Plan, Masks]:
    """Makes and saves the plan; it must be the one that an earlier manifest names."""
    cache = out / CACHE
    room = int((1 - SPARE) * (shutil.disk_usage(out).free + weigh(cache)))
    if request.settings.fit:
        # Rounded down, so that a disk with nearly the same room leaves out the same images.
        room -= room % (1 << max(0, room.bit_length() - 5))
    if former is not None and former["fit_bytes"] is not None:
        room = former["fit_bytes"]
    if images.find_strict_decoder() is None:
        _say(images.BLIND)
    plan, truth = make_plan(request, cache, room)
    # A plan that cannot be carried out is not saved.
    check_space(plan, range(len(plan.shards)), 0, out, cache)
    data = plans.to_json(plan)
    if former is not None and former["plan"]["sha256"] != seals.digest(data):
        raise KitError(
            f"{out}: its plan cannot be made again because the source or the kit has changed; "
            f"remove {out} and pack again"
        )
    write_bytes(out / "plan.json", data)
    if plan.head["scenes"]["by"] == "":
        _say(
            "no scenes are known, so the folds are random; "
            "neighboring tiles may be in different folds"
        )
    return plan, truth


def _read_truth(plan: Plan, request: Request) -> Masks:
    """The truth of a plan that an earlier run made."""
    shapes = (
        None
        if plan.shapes is None
        else {name: (int(h), int(w)) for name, (h, w) in zip(plan.ids, plan.shapes)}
    )
    return csv_masks.complete(request.read_truth(shapes), plan.ids, request.competition, shapes)


def _carry_out(
    plan: Plan, truth: Masks, request: Request, out: Path, former: dict[str, Any] | None
) -> dict[str, Any]:
    """Makes the missing shards, then folds.csv and the metadata; returns the manifest."""
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

    def note(files: dict[str, str]) -> dict[str, Any]:
        """Writes the manifest of what is done by now."""
        shards = [done[shard["file"]] for shard in plan.shards if shard["file"] in done]
        whole = {**manifest, "files": files, "shards": shards}
        write_bytes(out / "manifest.json", seals.seal(whole))
        return whole

    for path in records.list_extra(out, {shard["file"] for shard in plan.shards}):
        if records.SHARD_NAME.fullmatch(path.name) and not path.is_dir():
            _say(f"{path.name}: a shard that is not in the plan; removed")
            path.unlink()
    if former and former["files"] and not missing:
        actual = {name: seals.digest_file(out / name) for name in former["files"]}
        if actual == former["files"]:
            return former
    if missing:
        _say(check_space(plan, missing, len(done), out))
        for name in METADATA[::-1]:  # their presence means that every shard is there
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


def _plan_shards(
    plan: Plan,
    wanted: Sequence[int],
    truth: Masks,
    request: Request,
    out: Path,
    entries: dict[str, dict[str, Any]],
) -> list[Shard]:
    """Everything that each wanted shard depends on."""
    rules = request.competition
    files = locate_images(request.source, rules.need("train_images"), plan.ids, rules.image_id)
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


def _make_metadata(out: Path, shards: list[dict[str, Any]]) -> dict[str, bytes]:
    """The bytes of tensorflow-datasets' metadata files, by name."""
    from ..tf.data.tfds_metadata import write_metadata  # nothing else here needs TensorFlow

    folder = out / ".metadata.tmp"
    try:
        folder.mkdir()
        write_metadata(folder, shards)
        return {name: (folder / name).read_bytes() for name in METADATA}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
