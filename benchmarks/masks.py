"""Masks and the score against their peers: one table of medians and ratios, in one run, on one core. Run: make bench

The data have the competition's counts: 192,556 images, 150,000 of them empty, 81,723 ships; the ships are rotated rectangles, predicted
with their edges off by a pixel or so. Everything but the dense loops works on all of it, more than the caches hold; maps come 64 in turn.
"""

from __future__ import annotations

import io
import itertools
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CORE = sorted(os.sched_getaffinity(0))[-1]
os.sched_setaffinity(0, {CORE})  # before anything starts threads

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import rlemasklib  # noqa: E402
from pycocotools import mask as coco  # noqa: E402
from scipy.ndimage import gaussian_filter  # noqa: E402
from skimage.measure import label, regionprops  # noqa: E402

from kit import bootstrap, dense, masks, objects, rectangles, rows, score  # noqa: E402
from kit.counts import count  # noqa: E402

SIDE, EMPTY = 768, 150_000
WITH = {
    1: 27_104,
    2: 7_674,
    3: 2_954,
    4: 1_622,
    5: 925,
    8: 2_277 - 1_080,
    9: 1_080,
}  # images by ships; 81,723 ships and 231,723 rows in all


def median(work, rounds: int = 7) -> float:
    """Median seconds of some rounds, after one to warm up."""
    times = []
    for _ in range(rounds + 1):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return float(np.median(times[1:]))


def show(title: str, ours: float, peers: dict[str, float], unit: float, word: str, bars: dict[str, str] | None = None) -> None:
    print(f"\n{title}\n  {'kit':56s}{ours * unit:12.3f} {word}")
    for name, seconds in peers.items():
        bar = (bars or {}).get(name, "")
        print(f"  {name:56s}{seconds * unit:12.3f} {word}   {seconds / ours:9.2f} x kit{f'   bar: {bar}' if bar else ''}")


def outline(rng) -> np.ndarray:
    """Runs (start, length) of one ship: a rotated rectangle somewhere in a tile."""
    area = float(np.clip(np.exp(rng.normal(np.log(300), 1.2)), 6, 20_000))
    length = np.sqrt(area * rng.uniform(2.5, 6))
    angle, row, column, half = rng.uniform(0, np.pi), *rng.uniform(0, SIDE, 2), (length / 2, area / length / 2)
    x = np.arange(max(0, int(column - length)), min(SIDE, int(column + length) + 2))
    cosine, sine = np.cos(angle), np.sin(angle) or 1e-9
    edges = [
        sorted_pair(pole, step, size)
        for pole, step, size in (((x - column) * cosine, sine, half[0]), (-(x - column) * sine, cosine, half[1]))
    ]
    top = np.maximum(np.ceil(np.maximum(edges[0][0], edges[1][0]) + row), 0).astype(int)
    bottom = np.minimum(np.floor(np.minimum(edges[0][1], edges[1][1]) + row), SIDE - 1).astype(int)
    held = top <= bottom
    if not held.any():
        return np.array([[int(column) * SIDE + int(row), 1]])
    return np.stack([x[held] * SIDE + top[held], bottom[held] - top[held] + 1], axis=1)


def sorted_pair(pole, step, size):
    one, other = (-size - pole) / step, (size - pole) / step
    return np.minimum(one, other), np.maximum(one, other)


def jitter(runs: np.ndarray, rng) -> np.ndarray:
    """The same ship as a network might see it: without its first or last column, every run a pixel longer, shorter or moved."""
    runs = runs[rng.integers(0, 2) : len(runs) - rng.integers(0, 2)] if len(runs) > 3 else runs
    top = np.maximum(runs[:, 0] % SIDE + rng.integers(-1, 2), 0)
    length = np.clip(runs[:, 1] + rng.integers(-1, 2), 1, SIDE - top)
    return np.stack([runs[:, 0] // SIDE * SIDE + top, length], axis=1)


def make_tables() -> tuple[masks.Masks, masks.Masks]:
    """Truth and prediction of the competition's size."""
    rng = np.random.default_rng(0)
    numbers = rng.permutation(np.repeat([0, *WITH], [EMPTY, *WITH.values()]))
    sides: tuple[list, list] = ([], [])
    for image, number in enumerate(numbers):
        taken: set[int] = set()
        found = 0
        while found < number:
            runs = outline(rng)
            other = jitter(runs, rng)
            pixels = {p for s, n in itertools.chain(runs, other) for p in range(s, s + n)}
            if number > 1 and pixels & taken:
                continue
            taken |= pixels
            found += 1
            for side, one in zip(sides, (runs, other)):
                side.append((image, one))
    names = np.array([f"{image * 7919:09x}.jpg" for image in range(len(numbers))], object)
    tables = []
    for side in sides:
        flat = np.concatenate([runs for _, runs in side]).astype(np.int32)
        offsets = np.concatenate([[0], np.cumsum([len(runs) for _, runs in side])])
        held = np.concatenate([[0], np.cumsum(np.bincount([image for image, _ in side], minlength=len(numbers)))])
        blank = masks.blank(names, (SIDE, SIDE))
        labels = np.zeros(len(side), np.int32)
        tables.append(masks.Masks(blank.ids, blank.shapes, held, labels, offsets, flat[:, 0].copy(), flat[:, 1].copy()))
    return tables[0], tables[1]


def coco_counts(table, item) -> list[int]:
    span = slice(table.runs[item], table.runs[item + 1])
    start, length = table.start[span].tolist(), table.length[span].tolist()
    ends = [0, *(s + n for s, n in zip(start, length))]
    counts = list(itertools.chain.from_iterable((s - end, n) for s, n, end in zip(start, length, ends)))
    return [*counts, SIDE * SIDE - ends[-1]]


def bench_counts(truth, prediction) -> None:
    sides = [[coco_counts(table, item) for item in range(len(table.labels))] for table in (truth, prediction)]
    held = [range(a, b) for a, b in zip(truth.objects[:-1], truth.objects[1:])]
    theirs = [[coco.frPyObjects({"size": [SIDE, SIDE], "counts": c}, SIDE, SIDE) for c in side] for side in sides]
    pairs = [([theirs[1][k] for k in image], [theirs[0][k] for k in image], [0] * len(image)) for image in held]
    boxed = [[rlemasklib.RLEMask.from_counts(np.array(c, np.uint32), shape=(SIDE, SIDE)) for c in side] for side in sides]
    lists = [([boxed[0][k] for k in image], [boxed[1][k] for k in image]) for image in held]
    few = [masks.select(table, np.flatnonzero(masks.count_objects(truth))[:30]) for table in (truth, prediction)]
    stacks = [[dense.to_masks(table, image) for table in few] for image in range(30)]

    def loop_coco(which):
        for a, b, crowd in which:
            coco.iou(a, b, crowd)

    def loop_rlemasklib(which):
        for a, b in which:
            rlemasklib.RLEMask.iou_matrix(a, b)

    def loop_dense():
        for a, b in stacks:
            for one in a:
                for other in b:
                    (one & other).sum() / (one | other).sum()

    bars = {"pycocotools, IoU alone": ">= 15", "rlemasklib, IoU alone": ">= 3", "dense NumPy loop, IoU alone": ">= 3000"}
    ships = np.flatnonzero(masks.count_objects(truth))
    only = [masks.select(table, ships) for table in (truth, prediction)]
    slow = median(loop_dense, 3) / 30
    for title, tables, chosen in (("all images", (truth, prediction), range(len(truth))), ("ship images", only, ships)):
        ours = median(lambda tables=tables: count(*tables)) / len(chosen)
        a, b = [pairs[k] for k in chosen], [lists[k] for k in chosen]
        peers = {
            "pycocotools, IoU alone": median(lambda a=a: loop_coco(a), 3) / len(chosen),
            "rlemasklib, IoU alone": median(lambda b=b: loop_rlemasklib(b), 3) / len(chosen),
        }
        if len(chosen) == len(ships):
            peers["dense NumPy loop, IoU alone"] = slow
        show(f"Counts at ten thresholds, overlaps checked: {title}, one image", ours, peers, 1e6, "us", bars)
    counts = count(truth, prediction)
    ours = median(lambda: bootstrap.interval(score.f2(counts)[ships]), 3)
    show(f"Bootstrap interval of F2, 1,000 draws of {len(ships):,} images", ours, {}, 1, "s")


def bench_csv(truth, prediction) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("truth.csv", "prediction.csv")]
        for path, table in zip(paths, (truth, prediction)):
            path.write_bytes(rows.format_csv(table))
        lines, size = paths[0].read_bytes().count(b"\n") - 1, sum(path.stat().st_size for path in paths)
        ours = median(lambda: score.score_csv(*paths))
        plain = median(lambda: [pd.read_csv(path) for path in paths])
        text = median(lambda: [pd.read_csv(path, dtype=str, keep_default_na=False) for path in paths])
        title = f"Two CSVs of {lines:,} rows ({size / 1e6:.0f} MB) from file to F2, parsed and validated"
        show(
            title,
            ours,
            {"pandas.read_csv of the two": plain, "the same as text, blanks kept": text},
            1,
            "s",
            {"pandas.read_csv of the two": ">= 0.25"},
        )
        command = [sys.executable, "-m", "kit", "score", *map(str, paths)]
        whole = median(lambda: subprocess.run(command, check=True, capture_output=True), 5)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3
        print(f"\n`kit score` on them as a whole process: {whole:.2f} s (bar: about 2), {peak:.0f} MB (bar: under 700)")
        ours = median(lambda: rows.format_csv(truth))
        frame = pd.read_csv(paths[0], dtype=str, keep_default_na=False)
        peers = {"pandas' to_csv of the same rows, runs being text already": median(lambda: frame.to_csv(io.StringIO(), index=False), 3)}
        show("Masks to CSV, one of the two", ours, peers, 1, "s")
        one = median(lambda: score.score_csv(*paths))
        for path in paths:
            header, *body = path.read_bytes().splitlines(keepends=True)
            path.write_bytes(header + b"".join(b"%d" % copy + line for copy in range(10) for line in body))
        ten = median(lambda: score.score_csv(*paths), 1)
        print(f"\nTen times the rows: {ten:.2f} s, {ten / one:.1f} times as long (linear: 10)")


def make_map(rng, ships: int) -> np.ndarray:
    """A float32 probability map: soft ships on a faint noise."""
    image = np.zeros(SIDE * SIDE, np.float32)
    for _ in range(ships):
        for start, length in outline(rng):
            image[start : start + length] = 1
    image = gaussian_filter(image.reshape(SIDE, SIDE).T, 1) + 0.2 * rng.random((SIDE, SIDE), dtype=np.float32)
    return np.ascontiguousarray(np.clip(image, 0, 1))


def usual_encoder(mask) -> list:
    """The encoder that most public notebooks share."""
    pixels = np.concatenate([[0], mask.T.flatten(), [0]])
    runs = np.where(pixels[1:] != pixels[:-1])[0] + 1
    runs[1::2] -= runs[::2]
    return runs


def bench_maps() -> None:
    rng = np.random.default_rng(1)

    def over(maps, work, rounds=7):
        return median(lambda: [work(image) for image in maps], rounds) / len(maps)

    def ours(image):
        return objects.find_objects(["a"], [image])

    def with_rlemasklib(image):
        return rlemasklib.RLEMask.from_array(image > 0.5).connected_components(connectivity=4)

    def with_skimage(image):
        labels = label(image > 0.5, connectivity=1)
        return [usual_encoder(labels == value) for value in range(1, labels.max() + 1)]

    def in_one_pass(image):
        return dense.from_labels(["a"], [label(image > 0.5, connectivity=1)])

    names = "NumPy's p > t, rlemasklib's encode and components", "scikit-image's label and the usual NumPy encoder"
    bars = {names[0]: ">= 1", names[1]: ">= 5"}
    for ships in (0, 5, 15):
        maps = [make_map(rng, ships) for _ in range(64)]
        peers = {names[0]: over(maps, with_rlemasklib), names[1]: over(maps[:16] if ships else maps, with_skimage, 3)}
        show(f"Map (float32) to masks, {ships} ships, 64 maps in turn", over(maps, ours), peers, 1e3, "ms", bars)
    noise = [rng.random((SIDE, SIDE), dtype=np.float32) for _ in range(8)]
    title = "scikit-image's label and one NumPy pass over all labels"
    show("Map to masks, pure noise", over(noise, ours, 3), {title: over(noise, in_one_pass, 3)}, 1e3, "ms", {title: ">= 1"})

    maps = [objects.to_uint8(make_map(rng, 5)) for _ in range(64)]
    found = [objects.find_objects(["a"], [image]) for image in maps]
    number = sum(len(table.labels) for table in found)
    fit = median(lambda: [rectangles.fit_rectangles(table, [image]) for table, image in zip(found, maps)]) / number

    def moments():
        for table in found:
            for region in regionprops(dense.to_labels(table, 0)):
                _ = region.orientation, region.axis_major_length, region.axis_minor_length

    show(
        "Rectangle with the best soft IoU, one fit",
        fit,
        {"scikit-image's regionprops, moments alone": median(moments, 3) / number},
        1e3,
        "ms",
    )
    print(f"  {1 / fit:,.0f} fits a second (bar: 2,000)")


def main() -> None:
    versions = ", ".join(f"{module.__name__} {module.__version__}" for module in (np, pd))
    print(f"one core (number {CORE}), medians; {versions}")
    truth, prediction = make_tables()
    bench_counts(truth, prediction)
    bench_csv(truth, prediction)
    bench_maps()


if __name__ == "__main__":
    main()
