"""Counting on parsed runs against a dense NumPy loop and pycocotools' IoU alone, on the same pairs, in one run on one core.

Masks of practice scenes, each predicted by itself moved down one pixel; medians of seven rounds. Run: make bench
"""

import time

import numpy as np
from pycocotools import mask as coco

from kit import masks, score
from kit.seascape import Textures, plan

ROUNDS, TILE = 7, 768


def median_seconds(work) -> float:
    times = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return float(np.median(times))


def dense_ious(a, b):
    for one in a:
        for other in b:
            (one & other).sum() / (one | other).sum()


def main() -> None:
    textures = Textures(0)
    labels = [plan(0, index, textures).labels()[:TILE, :TILE] for index in range(0, 400, 2)]
    labels = [image for image in labels if image.any()]
    moved = [np.vstack([np.zeros((1, TILE), image.dtype), image[:-1]]) for image in labels]
    names = [str(place) for place in range(len(labels))]
    truth, prediction = masks.from_labels(names, labels), masks.from_labels(names, moved)

    def split(image):
        return [np.asfortranarray(image == value, np.uint8) for value in np.unique(image) if value]

    def encode(image):
        return coco.encode(np.asfortranarray(np.dstack(split(image))))

    pairs = [(encode(a), encode(b)) for a, b in zip(labels, moved) if b.any()]
    few = [([m > 0 for m in split(a)], [m > 0 for m in split(b)]) for a, b in zip(labels[:20], moved[:20])]
    score.count(truth, prediction)  # compiles

    ours = median_seconds(lambda: score.count(truth, prediction)) / len(truth)
    theirs = median_seconds(lambda: [coco.iou(b, a, [0] * len(a)) for a, b in pairs]) / len(pairs)
    dense = median_seconds(lambda: [dense_ious(a, b) for a, b in few]) / len(few)
    print(f"{'an image':24s}{'us':>10s}{'ratio':>10s}")
    for name, seconds in (("kit, counts at 10 levels", ours), ("pycocotools, IoU alone", theirs), ("NumPy, IoU alone", dense)):
        print(f"{name:24s}{1e6 * seconds:10.1f}{seconds / ours:10.1f}")


if __name__ == "__main__":
    main()
