"""How much object F2 a perfect network loses if it sees and draws ships at half size.

Run: make bench; shrunk by another factor: python benchmarks/half_size.py 3

Each ship's mask is shrunk to the mean of its pixels, as the losses shrink it, and enlarged again,
as the networks enlarge their map (bilinear). What reaches a threshold is scored as that ship, so
ships that touch stay apart. The masks are the real ones if they lie beside the project, else a
practice competition's.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from folders import find_competition
from scipy.ndimage import find_objects

from kit.competition import csv_masks
from kit.competition.conventions import AIRBUS
from kit.masks import dense, table
from kit.scoring import scores
from kit.scoring.counts import count

THRESHOLDS = (0.4, 0.44, 0.47, 0.5, 0.55)


def enlarge(image: np.ndarray, factor: int) -> np.ndarray:
    """Rows enlarged by bilinear interpolation; pixel centers lie in the middle of pixels."""
    place = (np.arange(len(image) * factor) + 0.5) / factor - 0.5
    low = np.floor(place).astype(int)
    share = (place - low).astype(np.float32)[:, None]
    first, second = (image[np.clip(low + k, 0, len(image) - 1)] for k in (0, 1))
    return first * (1 - share) + second * share


def pass_through(truth: table.Masks, image: int, factor: int) -> tuple[np.ndarray, np.ndarray]:
    """Per pixel the largest value of any ship after shrinking and enlarging, and whose it is.

    Ships are counted from 1.
    """
    numbers = dense.to_labels(truth, image)
    values, owners = np.zeros(numbers.shape, np.float32), np.zeros(numbers.shape, np.int32)
    for ship, box in enumerate(find_objects(numbers), 1):
        near = tuple(
            slice(max(side.start // factor - 2, 0) * factor, (side.stop // factor + 3) * factor)
            for side in box
        )
        mask = numbers[near] == ship
        height, width = mask.shape
        parts = mask.reshape(height // factor, factor, width // factor, factor)
        small = parts.mean((1, 3), dtype=np.float32)
        large = enlarge(enlarge(small, factor).T, factor).T
        better = large > values[near]
        values[near][better], owners[near][better] = large[better], ship
    return values, owners


def main() -> None:
    factor = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    with tempfile.TemporaryDirectory() as folder:
        truth = csv_masks.read_csv(find_competition(Path(folder), 300) / AIRBUS.truth_csv)
    truth = table.select(truth, table.count_objects(truth) > 0)
    found: dict[float, list[table.Masks]] = {share: [] for share in THRESHOLDS}
    for image, name in enumerate(truth.ids):
        values, owners = pass_through(truth, image, factor)
        for share, parts in found.items():
            parts.append(dense.from_labels([name], [np.where(values >= share, owners, 0)]))
    print(f"{len(truth)} ship images, each ship through 1/{factor} of its size; by threshold:")
    for share, parts in found.items():
        f2 = scores.f2(count(truth, table.concatenate(parts))).mean()
        print(f"threshold {share:.2f}   object F2 {f2:.3f}")


if __name__ == "__main__":
    main()
