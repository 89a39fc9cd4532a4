"""Masks and the score against their peers: one table of medians and ratios, in one run, on one core. Run: make bench

The data have the competition's counts: 192,556 images, 150,000 of them empty, 81,723 ships; the ships are rotated rectangles, predicted
with their edges off by a pixel or so. Everything but the dense loops works on all of it, more than the caches hold; maps come 64 in turn.
"""

from __future__ import annotations

import io
import itertools
import os
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

from kit.competition import csv_masks  # noqa: E402
from kit.masks import dense  # noqa: E402
from kit.masks import table as masks  # noqa: E402
from kit.objects import components, extraction, rectangles  # noqa: E402
from kit.scoring import bootstrap, scores  # noqa: E402
from kit.scoring.counts import count  # noqa: E402

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


def medians(works: dict, rounds: int = 7) -> dict[str, float]:
    """Median seconds of each piece of work; they take turns, so that a slow moment of the machine meets all of them."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds + 1):
        for name, work in works.items():
            begun = time.perf_counter()
            work()
            times[name].append(time.perf_counter() - begun)
    return {
        name: float(np.median(seconds[1:])) for name, seconds in times.items()
    }  # the first round warms up


def compare(
    title: str,
    works: dict,
    unit: float,
    word: str,
    bars: dict[str, str] | None = None,
    *,
    per: float = 1,
    rounds: int = 7,
) -> float:
    """Prints medians, and their ratio to the kit's, which is the first of `works`; per: how many images or so a piece of work is about.

    Returns the kit's seconds for one of these.
    """
    found = medians(works, rounds)
    ours = next(iter(found.values()))
    print(f"\n{title}")
    for name, seconds in found.items():
        bar = (bars or {}).get(name, "")
        ratio = "" if seconds == ours else f"   {seconds / ours:9.2f} x kit"
        print(
            f"  {name:56s}{seconds / per * unit:12.3f} {word}{ratio}{f'   bar: {bar}' if bar else ''}",
            flush=True,
        )
    return ours / per


def outline(rng) -> np.ndarray:
    """Runs (start, length) of one ship: a rotated rectangle somewhere in a tile."""
    area = float(np.clip(np.exp(rng.normal(np.log(300), 1.2)), 6, 20_000))
    length = np.sqrt(area * rng.uniform(2.5, 6))
    angle, row, column, half = (
        rng.uniform(0, np.pi),
        *rng.uniform(0, SIDE, 2),
        (length / 2, area / length / 2),
    )
    x = np.arange(max(0, int(column - length)), min(SIDE, int(column + length) + 2))
    cosine, sine = np.cos(angle), np.sin(angle) or 1e-9
    edges = [
        sorted_pair(pole, step, size)
        for pole, step, size in (
            ((x - column) * cosine, sine, half[0]),
            (-(x - column) * sine, cosine, half[1]),
        )
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
    top = np.clip(runs[:, 0] % SIDE + rng.integers(-1, 2), 0, SIDE - 1)
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
        held = np.concatenate(
            [[0], np.cumsum(np.bincount([image for image, _ in side], minlength=len(numbers)))]
        )
        blank = masks.blank(names, (SIDE, SIDE))
        labels = np.zeros(len(side), np.int32)
        tables.append(
            masks.Masks(
                blank.ids, blank.shapes, held, labels, offsets, flat[:, 0].copy(), flat[:, 1].copy()
            )
        )
    return tables[0], tables[1]


def coco_counts(table, item) -> list[int]:
    span = slice(table.runs[item], table.runs[item + 1])
    start, length = table.start[span].tolist(), table.length[span].tolist()
    ends = [0, *(s + n for s, n in zip(start, length))]
    counts = list(
        itertools.chain.from_iterable((s - end, n) for s, n, end in zip(start, length, ends))
    )
    return [*counts, SIDE * SIDE - ends[-1]]


def bench_counts(truth, prediction) -> None:
    sides = [
        [coco_counts(table, item) for item in range(len(table.labels))]
        for table in (truth, prediction)
    ]
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
    few = [
        masks.select(table, np.flatnonzero(masks.count_objects(truth))[:30])
        for table in (truth, prediction)
    ]
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

    bars = {"pycocotools, IoU alone": ">= 15", "rlemasklib, IoU alone": ">= 3"}
    ships = np.flatnonzero(masks.count_objects(truth))
    only = [masks.select(table, ships) for table in (truth, prediction)]
    for title, tables, chosen in (
        ("all images", (truth, prediction), range(len(truth))),
        ("ship images", only, ships),
    ):
        a, b = [pairs[k] for k in chosen], [lists[k] for k in chosen]
        works = {
            "kit": lambda tables=tables: count(*tables),
            "pycocotools, IoU alone": lambda a=a: loop_coco(a),
            "rlemasklib, IoU alone": lambda b=b: loop_rlemasklib(b),
        }
        ours = compare(
            f"Counts at ten thresholds, overlaps checked: {title}, one image",
            works,
            1e6,
            "us",
            bars,
            per=len(chosen),
        )
    slow = medians({"loop": loop_dense}, 3)["loop"] / len(stacks)
    print(
        f"  {f'dense NumPy loop, IoU alone, {len(stacks)} of them':56s}{slow * 1e6:12.3f} us   {slow / ours:9.0f} x kit   bar: >= 3000"
    )
    counts = count(truth, prediction)
    title = f"Bootstrap interval of F2, 1,000 draws of {len(ships):,} images"
    compare(title, {"kit": lambda: bootstrap.interval(scores.f2(counts)[ships])}, 1, "s", rounds=3)


# Work on two CSVs, as text for processes that do nothing else: pandas reads twice as fast from a heap that others have grown.
ALONE = {
    "kit": ("from kit.scoring import scores", "scores.score_csv(*paths)"),
    "pandas.read_csv of the two": ("import pandas", "[pandas.read_csv(path) for path in paths]"),
    "the same as text, blanks kept": (
        "import pandas",
        "[pandas.read_csv(path, dtype=str, keep_default_na=False) for path in paths]",
    ),
}


def alone(setup: str, work: str, paths: list[Path]) -> float:
    """Median seconds of seven rounds of `work` in a new process, after one to warm up."""
    timed = f"timeit.repeat(lambda: {work}, number=1, repeat=8)"
    code = f"import statistics, sys, timeit\n{setup}\npaths = sys.argv[1:]\nprint(statistics.median({timed}[1:]))"
    return float(
        subprocess.run(
            [sys.executable, "-c", code, *paths], check=True, capture_output=True, text=True
        ).stdout
    )


def bench_csv(truth, prediction) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("truth.csv", "prediction.csv")]
        for path, table in zip(paths, (truth, prediction)):
            path.write_bytes(csv_masks.format_csv(table))
        lines, size = (
            paths[0].read_bytes().count(b"\n") - 1,
            sum(path.stat().st_size for path in paths),
        )
        title = f"Two CSVs of {lines:,} rows ({size / 1e6:.0f} MB) from file to F2, parsed and validated; each in a process of its own"
        print(f"\n{title}")
        ours = 0.0
        for name, (setup, work) in ALONE.items():
            seconds = alone(setup, work, paths)
            ours = ours or seconds
            bar = "   bar: >= 0.25" if name == "pandas.read_csv of the two" else ""
            print(f"  {name:56s}{seconds:12.3f} s   {seconds / ours:9.2f} x kit{bar}", flush=True)
        # A small process of its own starts it: a child's peak memory counts that of the process that it was forked from.
        code = "import resource, subprocess, sys; subprocess.run([sys.executable, '-m', 'kit', 'score', *sys.argv[1:]], check=True)"
        code += "; print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
        peaks: list[int] = []

        def run_whole():
            done = subprocess.run(
                [sys.executable, "-c", code, *paths], check=True, capture_output=True, text=True
            )
            peaks.append(int(done.stdout.split()[-1]))

        compare(
            "`kit score` on them as a whole process",
            {"kit (bar: about 2)": run_whole},
            1,
            "s",
            rounds=5,
        )
        print(f"  its peak memory (bar: under 700) {max(peaks) / 1e3:35.0f} MB")
        frame = pd.read_csv(paths[0], dtype=str, keep_default_na=False)
        works = {
            "kit": lambda: csv_masks.format_csv(truth),
            "pandas' to_csv of the same text": lambda: frame.to_csv(io.StringIO(), index=False),
        }
        compare("Masks to CSV, one of the two", works, 1, "s", rounds=3)
        longer = [path.with_name(f"long-{path.name}") for path in paths]
        for path, long in zip(paths, longer):
            header, *body = path.read_bytes().splitlines(keepends=True)
            long.write_bytes(
                header + b"".join(b"%d" % copy + line for copy in range(10) for line in body)
            )
        works = {
            "kit": lambda: scores.score_csv(*paths),
            "kit, ten times the rows": lambda: scores.score_csv(*longer),
        }
        works["pandas.read_csv of the two"] = lambda: [pd.read_csv(path) for path in paths]
        works["pandas.read_csv of the two, ten times the rows"] = lambda: [
            pd.read_csv(path) for path in longer
        ]
        compare(
            "From file to F2 again",
            works,
            1,
            "s",
            {"kit, ten times the rows": "linear is 10"},
            rounds=3,
        )


def make_map(rng, ships: int) -> np.ndarray:
    """A float32 probability map: soft ships on a faint noise."""
    image = np.zeros(SIDE * SIDE, np.float32)
    for _ in range(ships):
        for start, length in outline(rng):
            image[start : start + length] = 1
    image = gaussian_filter(image.reshape(SIDE, SIDE).T, 1) + 0.2 * rng.random(
        (SIDE, SIDE), dtype=np.float32
    )
    return np.ascontiguousarray(np.clip(image, 0, 1))


def usual_encoder(mask) -> list:
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
        return [usual_encoder(labels == value) for value in range(1, labels.max() + 1)]

    def in_one_pass(image):
        return dense.from_labels(["a"], [label(image > 0.5, connectivity=1)])

    def over(maps, work):
        return lambda: [work(image) for image in maps]

    fast, slow = (
        "NumPy's p > t, rlemasklib's encode and components",
        "scikit-image's label and the usual NumPy encoder",
    )
    for ships in (0, 5, 15):
        maps = [make_map(rng, ships) for _ in range(64)]
        works = {"kit": over(maps, ours), fast: over(maps, with_rlemasklib)}
        compare(
            f"Map (float32) to masks, {ships} ships, 64 maps in turn",
            works,
            1e3,
            "ms",
            {fast: ">= 1"},
            per=64,
            rounds=15,
        )
        works = {"kit": over(maps[:16], ours), slow: over(maps[:16], with_skimage)}
        compare("  the same, 16 of them", works, 1e3, "ms", {slow: ">= 5"}, per=16)
    noise = [rng.random((SIDE, SIDE), dtype=np.float32) for _ in range(8)]
    once = "scikit-image's label and one NumPy pass over all labels"
    compare(
        "Map to masks, pure noise",
        {"kit": over(noise, ours), once: over(noise, in_one_pass)},
        1e3,
        "ms",
        {once: ">= 1"},
        per=8,
    )

    maps = [components.to_uint8(make_map(rng, 5)) for _ in range(64)]
    found = [extraction.find_objects(["a"], [image]) for image in maps]
    number = sum(len(table.labels) for table in found)

    def fit():
        for table, image in zip(found, maps):
            rectangles.fit_rectangles(table, [image])

    def moments():
        for table in found:
            for region in regionprops(dense.to_labels(table, 0)):
                _ = region.orientation, region.axis_major_length, region.axis_minor_length

    title = "Rectangle with the best soft IoU, one fit (bar: 0.5 ms, 2,000 a second)"
    compare(
        title,
        {"kit": fit, "scikit-image's regionprops, moments alone": moments},
        1e3,
        "ms",
        per=number,
        rounds=3,
    )


def main() -> None:
    versions = ", ".join(f"{module.__name__} {module.__version__}" for module in (np, pd))
    print(f"one core (number {CORE}), medians; {versions}")
    truth, prediction = make_tables()
    bench_counts(truth, prediction)
    bench_csv(truth, prediction)
    bench_maps()


if __name__ == "__main__":
    main()
