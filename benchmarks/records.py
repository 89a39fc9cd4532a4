"""Packing against cp -r, TFDS's generator writer and bare tf.data, in one run, on the same files, from a warm cache; everything that is
written is synced to the disk within its time. Run: make bench; one part: python benchmarks/records.py write|look|zip|memory|read|scenes

Images: copies of the real ones where they lie beside the project, else of a practice competition's.
"""

import csv
import io
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np

from kit.competition import csv_masks, sources
from kit.competition.conventions import AIRBUS
from kit.masks import table as masks
from kit.packing import inspection, packing, plan
from kit.packing.scenes import find_scenes
from kit.packing.shards import write_shard
from kit.practice.folder import SCENES_CSV, write_practice
from kit.settings import PackSettings
from kit.system import processes

REAL = Path(__file__).resolve().parents[2] / "shared" / "airbus"
ROUNDS = 3


def make_competition(folder: Path, images: int) -> Path:
    """A competition folder of so many images: copies under other names, whose bytes lie elsewhere on the disk."""
    source = (
        REAL if REAL.is_dir() else write_practice(folder / "practice", images=300, test_images=1)
    )
    truth = csv_masks.read_csv(source / AIRBUS.truth_csv)
    files = {name: source / "train_v2" / name for name in truth.ids}
    good = [name for name in truth.ids if files[name].read_bytes().endswith(b"\xff\xd9")]
    out = folder / f"of-{images}"
    (out / "train_v2").mkdir(parents=True)
    chosen = [good[place % len(good)] for place in range(images)]
    table = masks.select_ids(truth, chosen)
    table.ids[:] = [f"{place:05d}{name}" for place, name in enumerate(chosen)]
    for old, new in zip(chosen, table.ids):
        shutil.copyfile(files[old], out / "train_v2" / new)
    (out / AIRBUS.truth_csv).write_bytes(csv_masks.format_csv(table))
    sync(out)
    return out


def sync(folder: Path) -> None:
    subprocess.run(["sync", "-f", str(folder)], check=True)


def timed(work) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def warm(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            path.read_bytes()


def median(values) -> float:
    return float(np.median(values))


class Passes:
    """The two passes of a packing, one at a time."""

    def __init__(self, place: Path, work: Path):
        self.source = sources.find_source(place, AIRBUS)
        truth = sources.read_whole(
            self.source, sources.find_file(self.source, AIRBUS.truth_csv, "the truth")
        )
        self.request = plan.Request(self.source, AIRBUS, PackSettings(), truth)
        self.listing = sources.list_images(self.source, AIRBUS.train_images)
        self.work = work
        self.plan = None

    def inspect(self) -> None:
        shutil.rmtree(self.work / "cache", ignore_errors=True)
        inspection.inspect_images(self.source, self.listing, self.work / "cache", (768, 768))

    def make_plan(self) -> None:
        made, truth = plan.make(self.request, self.work / "cache", 0)
        self.plan, self.truth = made, masks.select_ids(truth, made.ids)

    def write(self) -> None:
        out = self.work / "out"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        tasks = packing._plan_shards(
            self.plan, range(len(self.plan.shards)), self.truth, self.request, out, {}
        )
        with processes.run_tasks(write_shard, tasks) as results:
            for _ in results:
                pass


def write_by_tfds(place: Path, out: Path) -> None:
    """TFDS's own way: a builder that yields the same features."""
    import tensorflow_datasets as tfds

    from kit.tf.data.tfds_metadata import features

    truth = csv_masks.read_csv(place / AIRBUS.truth_csv)

    class Ships(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version("1.0.0")
        pkg_dir_path = out

        def _info(self):
            return tfds.core.DatasetInfo(builder=self, features=features())

        def _split_generators(self, dl_manager):
            return {"fold0": self._generate_examples()}

        def _generate_examples(self):
            for image, name in enumerate(truth.ids):
                first, last = truth.objects[image], truth.objects[image + 1]
                runs = slice(truth.runs[first], truth.runs[last])
                owners = np.repeat(np.arange(last - first), np.diff(truth.runs[first : last + 1]))
                yield (
                    name,
                    {
                        "image_id": name,
                        "image": str(place / "train_v2" / name),
                        "height": 768,
                        "width": 768,
                        "scene": -1,
                        "objects": last - first,
                        "labels": truth.labels[first:last],
                        "runs": {
                            "start": truth.start[runs],
                            "length": truth.length[runs],
                            "object": owners.astype(np.int32),
                        },
                    },
                )

    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        Ships(data_dir=str(out)).download_and_prepare()


def bench_write(folder: Path) -> None:
    many, few = make_competition(folder, 10_000), make_competition(folder, 2_000)
    ours = Passes(many, folder)
    ours.inspect()
    ours.make_plan()
    times: dict[str, list[float]] = {"ours": [], "cp -r": [], "tfds": []}
    copy = folder / "copy"
    for number in range(ROUNDS):
        warm(many)
        sync(folder)
        times["ours"].append(timed(lambda: (ours.write(), sync(folder))) / 10_000)
        shutil.rmtree(folder / "out")
        times["cp -r"].append(
            timed(lambda: (subprocess.run(["cp", "-r", many, copy], check=True), sync(folder)))
            / 10_000
        )
        shutil.rmtree(copy)
        target = folder / f"tfds{number}"
        times["tfds"].append(
            timed(lambda target=target: (write_by_tfds(few, target), sync(folder))) / 2_000
        )
        shutil.rmtree(target)
    rates = {name: 1 / median(values) for name, values in times.items()}
    print(
        "writing pass, 10,000 images, images/s: "
        + ", ".join(f"{name} {rate:,.0f}" for name, rate in rates.items())
    )
    print(
        f"  {rates['ours'] / rates['tfds']:.1f} times TFDS's generator writer, {rates['ours'] / rates['cp -r']:.2f} of cp -r"
    )
    shutil.rmtree(many)
    shutil.rmtree(few)


def bench_look(folder: Path) -> None:
    import tensorflow as tf

    place = make_competition(folder, 4_000)
    ours, paths = Passes(place, folder), sorted(map(str, (place / "train_v2").iterdir()))

    def decode():
        data = tf.data.Dataset.from_tensor_slices(paths)
        data = data.map(
            lambda path: tf.io.decode_jpeg(tf.io.read_file(path), ratio=8, channels=3),
            num_parallel_calls=tf.data.AUTOTUNE,
        )
        for _ in data.batch(64):
            pass

    times: dict[str, list[float]] = {"ours": [], "tf.data": []}
    warm(place)
    for _ in range(ROUNDS):
        times["ours"].append(timed(ours.inspect) / 4_000)
        times["tf.data"].append(timed(decode) / 4_000)
    rates = {name: 1 / median(values) for name, values in times.items()}
    print(
        "inspection pass, 4,000 images, images/s: "
        + ", ".join(f"{name} {rate:,.0f}" for name, rate in rates.items())
    )
    print(f"  {rates['ours'] / rates['tf.data']:.2f} of a bare tf.data decode at 1/8 scale")
    shutil.rmtree(place)


def bench_zip(folder: Path) -> None:
    place = make_competition(folder, 4_000)
    works = {"folder": Passes(place, folder / "a")}
    for kind, method in (("stored", zipfile.ZIP_STORED), ("deflated", zipfile.ZIP_DEFLATED)):
        with zipfile.ZipFile(folder / f"{kind}.zip", "w", method) as archive:
            for path in place.rglob("*.*"):
                archive.write(path, path.relative_to(place))
        works[kind] = Passes(folder / f"{kind}.zip", folder / kind)
    times: dict[tuple[str, str], list[float]] = {}
    for number in range(ROUNDS):
        for kind, passes in works.items():
            passes.work.mkdir(exist_ok=True)
            warm(place) if kind == "folder" else (folder / f"{kind}.zip").read_bytes()
            times.setdefault(("inspection", kind), []).append(timed(passes.inspect))
            if number == 0:
                passes.make_plan()
            times.setdefault(("writing", kind), []).append(
                timed(lambda passes=passes: (passes.write(), sync(folder)))
            )
            shutil.rmtree(passes.work / "out")
    found = {key: median(values) for key, values in times.items()}
    for kind in ("stored", "deflated"):
        steps = np.array(
            [[found[step, of] for step in ("inspection", "writing")] for of in ("folder", kind)]
        )
        look, write = steps[0] / steps[1]
        print(
            f"zip, {kind}: inspection {look:.2f}, writing {write:.2f}, both {steps[0].sum() / steps[1].sum():.2f} of the folder's rate"
        )
    for passes in works.values():
        shutil.rmtree(passes.work)
    shutil.rmtree(place)


MEASURE = """
import os, re, sys, threading, time
from pathlib import Path
from kit.packing.packing import pack

peaks = {}  # high-water mark of resident memory by process, KB; a new process counts from its own program on

def watch():
    while True:
        for path in Path("/proc").glob("[0-9]*"):
            try:
                status = (path / "status").read_text()
                mine = path.name == str(os.getpid())
                if mine or (f"PPid:\\t{os.getpid()}\\n" in status and b"spawn_main" in (path / "cmdline").read_bytes()):
                    peaks[path.name, mine] = int(re.search(r"VmHWM:\\s+(\\d+)", status)[1])
            except (OSError, TypeError):
                pass
        time.sleep(0.02)

threading.Thread(target=watch, daemon=True).start()
pack(sys.argv[1], sys.argv[2], workers=2)
time.sleep(0.1)
print(*(max(peak for (_, mine), peak in peaks.items() if mine == own) / 1024 for own in (True, False)))
"""


def bench_memory(folder: Path) -> None:
    peaks = {}
    for images in (1_000, 10_000):
        place = make_competition(folder, images)
        command = [sys.executable, "-c", MEASURE, str(place), str(folder / "records")]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        peaks[images] = [float(value) for value in done.stdout.splitlines()[-1].split()]
        shutil.rmtree(folder / "records")
        shutil.rmtree(place)
    for who, small, large in zip(("parent", "largest worker"), peaks[1_000], peaks[10_000]):
        print(
            f"memory of the whole packing, {who}: {small:.0f} MB at 1,000 images, {large:.0f} MB at 10,000, ratio {large / small:.3f}"
        )


def bench_read(folder: Path) -> None:
    """What records buy over the folder: random crops of 256 px from all images in random order, warm and cold."""
    import tensorflow as tf

    from kit.records.manifest import open_records

    place = make_competition(folder, 4_000)
    with redirect_stdout(io.StringIO()):
        packing.pack(place, folder / "records")
    shards = open_records(folder / "records").shards(list(range(5)))
    paths = sorted(map(str, (place / "train_v2").iterdir()))
    random.Random(0).shuffle(paths)

    def crop(data):
        return tf.io.decode_and_crop_jpeg(data, [200, 300, 256, 256], channels=3)

    def from_records(step):
        data = tf.data.Dataset.from_tensor_slices(shards).interleave(
            tf.data.TFRecordDataset, cycle_length=4
        )
        feature = {"image": tf.io.FixedLenFeature([], tf.string)}
        return data.map(
            lambda record: step(tf.io.parse_single_example(record, feature)["image"]),
            num_parallel_calls=tf.data.AUTOTUNE,
        )

    def from_folder(step):
        return tf.data.Dataset.from_tensor_slices(paths).map(
            lambda path: step(tf.io.read_file(path)), num_parallel_calls=tf.data.AUTOTUNE
        )

    def forget():
        for path in [*map(Path, paths), *map(Path, shards)]:
            with open(path, "rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    sync(folder)
    for step, text in ((tf.strings.length, "bytes alone"), (crop, "crops decoded")):
        for cold in (False, True):
            times: dict[str, list[float]] = {"records": [], "folder": []}
            for _ in range(ROUNDS):
                for name, pipeline in (("records", from_records), ("folder", from_folder)):
                    forget() if cold else (warm(place), warm(folder / "records"))
                    times[name].append(
                        timed(
                            lambda pipeline=pipeline, step=step: [
                                None for _ in pipeline(step).batch(64)
                            ]
                        )
                    )
            rates = {name: 4_000 / median(values) for name, values in times.items()}
            print(
                f"reading, {text}, {'cold' if cold else 'warm'} cache, images/s: records {rates['records']:,.0f}, "
                f"folder {rates['folder']:,.0f}, ratio {rates['records'] / rates['folder']:.2f}"
            )


def bench_scenes(folder: Path) -> None:
    """Inspection and scene search on whole scenes of a practice competition, as it grows; TILES=20000 takes ten minutes to make."""
    total = int(os.environ.get("TILES", 2_000))
    with redirect_stderr(io.StringIO()):
        place = write_practice(folder / "practice", images=total, test_images=1)
    source = sources.find_source(place, AIRBUS)
    listing = sources.list_images(source, AIRBUS.train_images)
    with open(place / SCENES_CSV, newline="") as file:
        known = {row["ImageId"]: int(row["scene"]) for row in csv.DictReader(file)}
    order = np.random.default_rng(0).permutation(sorted({known[name] for name in listing}))
    find_scenes(np.zeros((2, 96, 96), np.uint8))  # compiles
    seen = []
    for part in (4, 2, 1):
        chosen = set(order[: len(order) // part].tolist())
        wanted = {name: file for name, file in listing.items() if known[name] in chosen}
        begun = time.perf_counter()
        found, thumbnails = inspection.inspect_images(
            source, wanted, folder / f"cache{part}", (768, 768)
        )
        middle = time.perf_counter()
        scenes = find_scenes(thumbnails)
        seen.append((len(wanted), middle - begun, time.perf_counter() - middle))
        true = np.array([known[name] for name, finding in found.items() if finding.reason is None])
        groups = [true[scenes == scene] for scene in np.flatnonzero(np.bincount(scenes) > 1)]
        mixed = sum(len(set(group)) > 1 for group in groups)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"scenes: {len(wanted):,} tiles inspected in {seen[-1][1]:.1f} s, searched in {seen[-1][2]:.2f} s; {len(groups)} groups, "
            f"{mixed} of them mixed; peak memory {peak:.0f} MB"
        )
    for place, text in ((1, "inspection"), (2, "search")):
        slope = np.log(seen[2][place] / seen[0][place]) / np.log(seen[2][0] / seen[0][0])
        minutes = seen[2][place] * (192_556 / seen[2][0]) ** max(slope, 1) / 60
        print(
            f"  {text}: grows with the tiles to the power of {slope:.2f}; {minutes:.1f} min at 192,556 on {processes.count_cores()} cores"
        )


def main() -> None:
    parts = {
        "write": bench_write,
        "look": bench_look,
        "zip": bench_zip,
        "memory": bench_memory,
        "read": bench_read,
        "scenes": bench_scenes,
    }
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    for name in sys.argv[1:] or parts:
        with tempfile.TemporaryDirectory() as folder:
            parts[name](Path(folder))


if __name__ == "__main__":
    main()
