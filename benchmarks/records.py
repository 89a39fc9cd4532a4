"""Packing against cp -r, TFDS's generator writer and bare tf.data, in one run, on the same files.

Run: make bench; one part: python benchmarks/records.py write|look|zip|memory|read|scenes

The files come from a warm cache, and the time to write includes the sync. The images are copies of
the real ones if they lie beside the project, else of a practice competition's.
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
from collections import deque
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path

import numpy as np
from folders import copy_images, sync, warm
from passes import Passes, write_by_tfds
from start import choose, need
from turns import time_work

from kit.competition import sources
from kit.competition.conventions import AIRBUS
from kit.competition.listing import list_images
from kit.packing import inspection, packing
from kit.packing.scenes import find_scenes
from kit.practice.folder import SCENES_CSV, write_practice
from kit.system import processes

ROUNDS = choose(3, 1)
MANY, FEW, SOME = choose(10_000, 20), choose(2_000, 10), choose(4_000, 20)
GROWTH = choose((1_000, 10_000), (10, 20))  # images of packings whose memory is compared


def take_rates(times: dict[str, list[float]], text: str) -> dict[str, float]:
    """Images per second from the median seconds per image, which it prints."""
    rates = {name: 1 / float(np.median(values)) for name, values in times.items()}
    listed = ", ".join(f"{name} {rate:,.0f}" for name, rate in rates.items())
    print(f"{text}, images/s: {listed}")
    return rates


def bench_write(folder: Path) -> None:
    many, few = copy_images(folder, MANY), copy_images(folder, FEW)
    ours = Passes(many, folder)
    ours.inspect()
    ours.make_plan()
    times: dict[str, list[float]] = {"ours": [], "cp -r": [], "tfds": []}
    copy = folder / "copy"
    for number in range(ROUNDS):
        warm(many)
        sync(folder)
        target = folder / f"tfds{number}"
        for name, images, out, work in (
            ("ours", MANY, folder / "out", ours.write),
            ("cp -r", MANY, copy, lambda: subprocess.run(["cp", "-r", many, copy], check=True)),
            ("tfds", FEW, target, lambda target=target: write_by_tfds(few, target)),
        ):
            seconds = time_work(lambda work=work: (work(), sync(folder)))
            times[name].append(seconds / images)
            shutil.rmtree(out)
    rates = take_rates(times, f"writing pass, {MANY:,} images")
    print(
        f"  {rates['ours'] / rates['tfds']:.1f} times TFDS's generator writer, "
        f"{rates['ours'] / rates['cp -r']:.2f} of cp -r"
    )
    shutil.rmtree(many)
    shutil.rmtree(few)


def bench_look(folder: Path) -> None:
    import tensorflow as tf

    place = copy_images(folder, SOME)
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
        times["ours"].append(time_work(ours.inspect) / SOME)
        times["tf.data"].append(time_work(decode) / SOME)
    rates = take_rates(times, f"inspection pass, {SOME:,} images")
    print(f"  {rates['ours'] / rates['tf.data']:.2f} of a bare tf.data decode at 1/8 scale")
    shutil.rmtree(place)


def bench_zip(folder: Path) -> None:
    place = copy_images(folder, SOME)
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
            times.setdefault(("inspection", kind), []).append(time_work(passes.inspect))
            if number == 0:
                passes.make_plan()
            seconds = time_work(lambda passes=passes: (passes.write(), sync(folder)))
            times.setdefault(("writing", kind), []).append(seconds)
            shutil.rmtree(passes.work / "out")
    found = {key: float(np.median(values)) for key, values in times.items()}
    for kind in ("stored", "deflated"):
        steps = np.array(
            [[found[step, of] for step in ("inspection", "writing")] for of in ("folder", kind)]
        )
        look, write = steps[0] / steps[1]
        both = steps[0].sum() / steps[1].sum()
        print(
            f"zip, {kind}: inspection {look:.2f}, writing {write:.2f}, both {both:.2f} of the "
            "folder's rate"
        )
    for passes in works.values():
        shutil.rmtree(passes.work)
    shutil.rmtree(place)


MEASURE = """
import os, re, sys, threading, time
from pathlib import Path
from kit.packing.packing import pack

# High-water mark of resident memory by process, KB. A process that runs a new program starts anew.
peaks = {}

def watch():
    while True:
        for path in Path("/proc").glob("[0-9]*"):
            try:
                status = (path / "status").read_text()
                mine = path.name == str(os.getpid())
                child = f"PPid:\\t{os.getpid()}\\n" in status
                if mine or (child and b"spawn_main" in (path / "cmdline").read_bytes()):
                    peaks[path.name, mine] = int(re.search(r"VmHWM:\\s+(\\d+)", status)[1])
            except (OSError, TypeError):
                pass
        time.sleep(0.02)

threading.Thread(target=watch, daemon=True).start()
pack(sys.argv[1], sys.argv[2], workers=2)
time.sleep(0.1)
for own in (True, False):
    print(max(peak for (_, mine), peak in peaks.items() if mine == own) / 1024)
"""


def bench_memory(folder: Path) -> None:
    peaks = {}
    for images in GROWTH:
        place = copy_images(folder, images)
        command = [sys.executable, "-c", MEASURE, str(place), str(folder / "records")]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        peaks[images] = [float(value) for value in done.stdout.split()[-2:]]
        shutil.rmtree(folder / "records")
        shutil.rmtree(place)
    for who, small, large in zip(("parent", "largest worker"), *peaks.values()):
        print(
            f"memory of the whole packing, {who}: {small:.0f} MB at {GROWTH[0]:,} images, "
            f"{large:.0f} MB at {GROWTH[1]:,}, ratio {large / small:.3f}"
        )


def bench_read(folder: Path) -> None:
    """Records against the folder: crops of 256 px of all images in random order, warm and cold."""
    import tensorflow as tf

    from kit.records.manifest import open_records

    place = copy_images(folder, SOME)
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

    def read_all(pipeline, step):
        deque(pipeline(step).batch(64), 0)

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
                    run = partial(read_all, pipeline, step)
                    times[name].append(time_work(run) / SOME)
            rates = take_rates(times, f"reading, {text}, {'cold' if cold else 'warm'} cache")
            print(f"  ratio {rates['records'] / rates['folder']:.2f}")


def bench_scenes(folder: Path) -> None:
    """Inspection and scene search on whole scenes of a practice competition, as it grows.

    TILES=20000 takes ten minutes to make.
    """
    total = int(os.environ.get("TILES", choose(2_000, 60)))
    with redirect_stderr(io.StringIO()):
        place = write_practice(folder / "practice", images=total, test_images=1)
    source = sources.find_source(place, AIRBUS)
    listing = list_images(source, AIRBUS.train_images)
    with open(place / SCENES_CSV, newline="") as file:
        known = {row["ImageId"]: int(row["scene"]) for row in csv.DictReader(file)}
    order = np.random.default_rng(0).permutation(sorted({known[name] for name in listing}))
    find_scenes(np.zeros((2, 96, 96), np.uint8))  # compiles
    seen = []
    for part in (4, 2, 1):
        chosen = set(order[: len(order) // part].tolist())
        wanted = {name: file for name, file in listing.items() if known[name] in chosen}
        begun = time.perf_counter()
        cache = folder / f"cache{part}"
        found, thumbnails = inspection.inspect_images(source, wanted, cache, (768, 768))
        middle = time.perf_counter()
        scenes = find_scenes(thumbnails)
        seen.append((len(wanted), middle - begun, time.perf_counter() - middle))
        true = np.array([known[name] for name, finding in found.items() if finding.reason is None])
        groups = [true[scenes == scene] for scene in np.flatnonzero(np.bincount(scenes) > 1)]
        mixed = sum(len(set(group)) > 1 for group in groups)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"scenes: {len(wanted):,} tiles inspected in {seen[-1][1]:.1f} s, searched in "
            f"{seen[-1][2]:.2f} s; {len(groups)} groups, {mixed} of them mixed; peak memory "
            f"{peak:.0f} MB"
        )
    for place, text in ((1, "inspection"), (2, "search")):
        slope = np.log(seen[2][place] / seen[0][place]) / np.log(seen[2][0] / seen[0][0])
        minutes = seen[2][place] * (192_556 / seen[2][0]) ** max(slope, 1) / 60
        print(
            f"  {text}: grows with the tiles to the power of {slope:.2f}; {minutes:.1f} min at "
            f"192,556 on {processes.count_cores()} cores"
        )


def main() -> None:
    need("tensorflow", "tensorflow_datasets")
    parts = {
        "write": bench_write,
        "look": bench_look,
        "zip": bench_zip,
        "memory": bench_memory,
        "read": bench_read,
        "scenes": bench_scenes,
    }
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with tempfile.TemporaryDirectory() as base:
        for name in sys.argv[1:] or parts:
            folder = Path(base) / name
            folder.mkdir()
            parts[name](folder)
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
