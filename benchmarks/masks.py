"""Masks and the score against their peers: medians and ratios, in one run, on one core.

Run: make bench

The data have the competition's counts: 192,556 images, 150,000 of them empty, and 81,723 ships. The
ships are rotated rectangles, and the predictions miss their edges by a pixel or so. Everything but
the dense loops works on all of it, which is more than the caches hold. Of maps, 64 take turns.
"""

from __future__ import annotations

import io
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

CORE = sorted(os.sched_getaffinity(0))[-1]
os.sched_setaffinity(0, {CORE})  # before anything starts threads

from start import choose, need  # noqa: E402

need("pycocotools", "rlemasklib")

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import rlemasklib  # noqa: E402
from pycocotools import mask as coco  # noqa: E402
from ships import EMPTY, SIDE, WITH, make_map, make_masks  # noqa: E402
from skimage.measure import label, regionprops  # noqa: E402
from turns import compare_seconds, take_medians  # noqa: E402

from kit.competition import csv_text  # noqa: E402
from kit.masks import dense, table  # noqa: E402
from kit.objects import extraction, rectangles  # noqa: E402
from kit.objects.maps import to_uint8  # noqa: E402
from kit.scoring import bootstrap, csv_score, scores  # noqa: E402
from kit.scoring.counts import count  # noqa: E402


def coco_counts(masks: table.Masks, item: int) -> list[int]:
    """Lengths of background and object in turn, as COCO's uncompressed masks have them."""
    span = slice(masks.runs[item], masks.runs[item + 1])
    start, length = masks.start[span].tolist(), masks.length[span].tolist()
    ends = [0, *(s + n for s, n in zip(start, length))]
    counts = itertools.chain.from_iterable((s - end, n) for s, n, end in zip(start, length, ends))
    return [*counts, SIDE * SIDE - ends[-1]]


def bench_counts(truth: table.Masks, prediction: table.Masks) -> None:
    tables = (truth, prediction)
    sides = [[coco_counts(one, item) for item in range(len(one.labels))] for one in tables]
    held = [range(a, b) for a, b in zip(truth.objects[:-1], truth.objects[1:])]
    theirs = [
        [coco.frPyObjects({"size": [SIDE, SIDE], "counts": c}, SIDE, SIDE) for c in side]
        for side in sides
    ]
    pairs = [
        ([theirs[1][k] for k in image], [theirs[0][k] for k in image], [0] * len(image))
        for image in held
    ]
    boxed = [
        [rlemasklib.RLEMask.from_counts(np.array(c, np.uint32), shape=(SIDE, SIDE)) for c in side]
        for side in sides
    ]
    lists = [([boxed[0][k] for k in image], [boxed[1][k] for k in image]) for image in held]
    ships = np.flatnonzero(table.count_objects(truth))
    few = [table.select(one, ships[:30]) for one in tables]
    stacks = [[dense.to_masks(one, image) for one in few] for image in range(len(few[0]))]

    def loop_coco(which):
        for a, b, crowd in which:
            coco.iou(a, b, crowd)

    def loop_rlemasklib(which):
        for a, b in which:
            rlemasklib.RLEMask.iou_matrix(a, b)

    def loop_dense():
        for a, b in stacks:
            for one, other in itertools.product(a, b):
                (one & other).sum() / (one | other).sum()

    bars = {"pycocotools, IoU alone": ">= 15", "rlemasklib, IoU alone": ">= 3"}
    only = [table.select(one, ships) for one in tables]
    for title, masks, chosen in (
        ("all images", tables, range(len(truth))),
        ("ship images", only, ships),
    ):
        a, b = [pairs[k] for k in chosen], [lists[k] for k in chosen]
        works = {
            "kit": lambda masks=masks: count(*masks),
            "pycocotools, IoU alone": lambda a=a: loop_coco(a),
            "rlemasklib, IoU alone": lambda b=b: loop_rlemasklib(b),
        }
        title = f"Counts at ten thresholds, overlaps checked: {title}, one image"
        ours = compare_seconds(title, works, 1e6, "us", bars, per=len(chosen))
    slow = take_medians({"loop": loop_dense}, 3)["loop"] / len(stacks)
    name = f"dense NumPy loop, IoU alone, {len(stacks)} of them"
    print(f"  {name:56s}{slow * 1e6:12.3f} us   {slow / ours:9.0f} x kit   bar: >= 3000")
    counts = count(truth, prediction)
    title = f"Bootstrap interval of F2, 1,000 draws of {len(ships):,} images"
    works = {"kit": lambda: bootstrap.interval(scores.f2(counts)[ships])}
    compare_seconds(title, works, 1, "s", rounds=3)


# Work on two CSVs, as code for processes that do nothing else: pandas reads twice as fast from a
# heap that other work has grown.
ALONE = {
    "kit": ("from kit.scoring import csv_score", "csv_score.score_csv(*paths)"),
    "pandas.read_csv of the two": ("import pandas", "[pandas.read_csv(path) for path in paths]"),
    "the same as text, blanks kept": (
        "import pandas",
        "[pandas.read_csv(path, dtype=str, keep_default_na=False) for path in paths]",
    ),
}


def run_code(code: str, paths: list[Path]) -> str:
    """What a new Python process prints that runs the code on the paths."""
    command = [sys.executable, "-c", code, *map(str, paths)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def time_alone(setup: str, work: str, paths: list[Path]) -> float:
    """Median seconds of seven rounds of `work` in a new process, after one to warm up."""
    code = f"import sys, timeit\n{setup}\npaths = sys.argv[1:]\n"
    code += f"print(*timeit.repeat(lambda: {work}, number=1, repeat=8))"
    return statistics.median(map(float, run_code(code, paths).split()[1:]))


# A small process starts `kit score`: the peak memory of a child counts that of the process that it
# was forked from.
PEAK = """
import resource, subprocess, sys
subprocess.run([sys.executable, '-m', 'kit', 'score', *sys.argv[1:]], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def bench_csv(truth: table.Masks, prediction: table.Masks) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("truth.csv", "prediction.csv")]
        for path, masks in zip(paths, (truth, prediction)):
            path.write_bytes(csv_text.format_csv(masks))
        lines = paths[0].read_bytes().count(b"\n") - 1
        size = sum(path.stat().st_size for path in paths)
        print(
            f"\nTwo CSVs of {lines:,} rows ({size / 1e6:.0f} MB) from file to F2, parsed and "
            "validated; each in a process of its own"
        )
        ours = 0.0
        for name, (setup, work) in ALONE.items():
            seconds = time_alone(setup, work, paths)
            ours = ours or seconds
            bar = "   bar: >= 0.25" if name == "pandas.read_csv of the two" else ""
            print(f"  {name:56s}{seconds:12.3f} s   {seconds / ours:9.2f} x kit{bar}", flush=True)
        peaks: list[int] = []
        works = {"kit (bar: about 2)": lambda: peaks.append(int(run_code(PEAK, paths).split()[-1]))}
        compare_seconds("`kit score` on them as a whole process", works, 1, "s", rounds=5)
        print(f"  its peak memory (bar: under 700) {max(peaks) / 1e3:35.0f} MB")
        frame = pd.read_csv(paths[0], dtype=str, keep_default_na=False)
        works = {
            "kit": lambda: csv_text.format_csv(truth),
            "pandas' to_csv of the same text": lambda: frame.to_csv(io.StringIO(), index=False),
        }
        compare_seconds("Masks to CSV, one of the two", works, 1, "s", rounds=3)
        longer = [path.with_name(f"long-{path.name}") for path in paths]
        for path, long in zip(paths, longer):
            header, *body = path.read_bytes().splitlines(keepends=True)
            rows = (b"%d" % copy + line for copy in range(10) for line in body)
            long.write_bytes(header + b"".join(rows))
        read = "pandas.read_csv of the two"
        works = {
            "kit": lambda: csv_score.score_csv(*paths),
            "kit, ten times the rows": lambda: csv_score.score_csv(*longer),
            read: lambda: [pd.read_csv(path) for path in paths],
            f"{read}, ten times the rows": lambda: [pd.read_csv(path) for path in longer],
        }
        bars = {"kit, ten times the rows": "linear is 10"}
        compare_seconds("From file to F2 again", works, 1, "s", bars, rounds=3)


def bench_dense(truth: table.Masks) -> None:
    few = table.select(truth, np.flatnonzero(table.count_objects(truth))[: choose(971, 4)])
    coded = [
        [
            coco.frPyObjects({"size": [SIDE, SIDE], "counts": coco_counts(few, item)}, SIDE, SIDE)
            for item in range(first, last)
        ]
        for first, last in zip(few.objects[:-1], few.objects[1:])
    ]

    def decode():
        return map(coco.decode, coded)  # (height, width, objects), in memory column by column

    def ours():
        masks = dense.from_masks(few.ids, (stack.transpose(2, 0, 1) for stack in decode()))
        return [len(dense.to_masks(masks, image)) for image in range(len(masks))]

    works = {
        "kit": ours,
        "pycocotools": lambda: [len(coco.decode(coco.encode(stack))) for stack in decode()],
        "decoding alone": lambda: [len(stack) for stack in decode()],
    }
    title = f"Decoded masks of {len(few)} images to runs and back, decoding included"
    compare_seconds(title, works, 1e3, "ms", {"pycocotools": ">= 1"}, per=len(few), rounds=3)


def encode_usually(mask) -> list:
    """The encoder that most public notebooks share."""
    pixels = np.concatenate([[0], mask.T.flatten(), [0]])
    runs = np.where(pixels[1:] != pixels[:-1])[0] + 1
    runs[1::2] -= runs[::2]
    return runs


def bench_maps() -> None:
    rng = np.random.default_rng(1)

    def ours(image):
        return extraction.find_objects(["a"], [image])

    def with_rlemasklib(image):
        return rlemasklib.RLEMask.from_array(image > 0.5).connected_components(connectivity=4)

    def with_skimage(image):
        labels = label(image > 0.5, connectivity=1)
        return [encode_usually(labels == value) for value in range(1, labels.max() + 1)]

    def in_one_pass(image):
        return dense.from_labels(["a"], [label(image > 0.5, connectivity=1)])

    def over(maps, work):
        return lambda: [work(image) for image in maps]

    fast = "NumPy's p > t, rlemasklib's encode and components"
    slow = "scikit-image's label and the usual NumPy encoder"
    number, part = choose((64, 16), (4, 2))
    for ships in (0, 5, 15):
        maps = [make_map(rng, ships) for _ in range(number)]
        title = f"Map (float32) to masks, {ships} ships, {number} maps in turn"
        works = {"kit": over(maps, ours), fast: over(maps, with_rlemasklib)}
        compare_seconds(title, works, 1e3, "ms", {fast: ">= 1"}, per=number, rounds=15)
        works = {"kit": over(maps[:part], ours), slow: over(maps[:part], with_skimage)}
        compare_seconds(f"  the same, {part} of them", works, 1e3, "ms", {slow: ">= 5"}, per=part)
    noise = [rng.random((SIDE, SIDE), dtype=np.float32) for _ in range(choose(8, 1))]
    once = "scikit-image's label and one NumPy pass over all labels"
    works = {"kit": over(noise, ours), once: over(noise, in_one_pass)}
    compare_seconds("Map to masks, pure noise", works, 1e3, "ms", {once: ">= 1"}, per=len(noise))

    maps = [to_uint8(make_map(rng, 5)) for _ in range(number)]
    found = [extraction.find_objects(["a"], [image]) for image in maps]
    number = sum(len(masks.labels) for masks in found)

    def fit():
        for masks, image in zip(found, maps):
            rectangles.fit_rectangles(masks, [image])

    def moments():
        for masks in found:
            for region in regionprops(dense.to_labels(masks, 0)):
                _ = region.orientation, region.axis_major_length, region.axis_minor_length

    title = "Rectangle with the best soft IoU, one fit (bar: 0.5 ms, 2,000 per second)"
    works = {"kit": fit, "scikit-image's regionprops, moments alone": moments}
    compare_seconds(title, works, 1e3, "ms", per=number, rounds=3)


def main() -> None:
    versions = ", ".join(f"{module.__name__} {module.__version__}" for module in (np, pd))
    print(f"one core (number {CORE}), medians; {versions}")
    truth, prediction = make_masks(*choose((EMPTY, WITH), (40, {1: 20, 2: 10})))
    bench_counts(truth, prediction)
    bench_csv(truth, prediction)
    bench_dense(truth)
    bench_maps()


if __name__ == "__main__":
    main()
