"""What the leak of a random split is worth in points, against folds of whole scenes.

Run: python benchmarks/leak.py RANDOM MODEL [MODEL...]

RANDOM is the model folder of a training on a random split: its records were packed without a search
for scenes (kit pack COMPETITION RECORDS --competition FILE.json, where the file says
{"scenes": ""}). MODEL are folders of trainings with the same settings on folds of whole scenes.
Together they hold out many of RANDOM's holdout images.

Each of these images is compared with itself. RANDOM's training showed the rest of its scene, or did
not; MODEL's never did. Figures are at threshold 128 without cuts, for images with ships; the 95%
intervals are over scenes. Two trainings also differ by chance, on all images alike. So the leak's
worth is the first difference minus the second.

Two models of one split can be compared, too. Then there is only one difference.
"""

import csv
import sys
from pathlib import Path

import numpy as np

from kit.masks import table
from kit.objects.extraction import find_objects
from kit.scoring import scores
from kit.scoring.bootstrap import interval
from kit.scoring.counts import count

HEAD = ("images", "first", "others", "difference")


def main(arguments: list[str]) -> None:
    if len(arguments) < 2:
        print("needs trained models: python benchmarks/leak.py RANDOM MODEL [MODEL...]")
        return
    random, *others = (Path(name) for name in arguments)
    mine, held = rate([random])
    theirs, _ = rate(others)
    scenes = read_scenes(others[0])
    shared = sorted(set(mine) & set(theirs))
    trained_on = {scene for name, scene in scenes.items() if name not in held}
    scene = np.array([scenes[name] for name in shared])
    seen = np.array([number in trained_on for number in scene])
    print(f"{'ship images that both hold out':44s}" + "".join(f"{text:>16s}" for text in HEAD))
    for place, figure in enumerate(("pixel IoU", "object F2")):
        one, two = (np.array([values[name][place] for name in shared]) for values in (mine, theirs))
        gains = []
        for words, chosen in (
            ("others of their scene in training", seen),
            ("none of their scene in training", ~seen),
        ):
            if not chosen.any():  # two models of one split
                continue
            low, high = interval((one - two)[chosen], scene[chosen])
            first, second = one[chosen].mean(), two[chosen].mean()
            gains.append(first - second)
            row = f"{chosen.sum():16d}{first:16.3f}{second:16.3f}{gains[-1]:+16.3f}"
            print(f"{f'{figure}, {words}':44s}{row} ({low:+.3f} to {high:+.3f})")
        if len(gains) < 2:
            continue
        worth = gains[0] - gains[1]
        print(
            f"{figure}, the leak's worth: {worth:+.3f} on such an image, "
            f"{worth * seen.mean():+.3f} on average"
        )


def read_scenes(model: Path) -> dict[str, int]:
    """The scene of every image in the records of a model."""
    from kit.models.folder import read_config

    path = Path(read_config(model)["records"]) / "folds.csv"
    with open(path, newline="", encoding="utf-8") as file:
        return {row["ImageId"]: int(row["scene"]) for row in csv.DictReader(file)}


def rate(folders: list[Path]) -> tuple[dict[str, tuple[float, float]], set[str]]:
    """Pixel IoU and object F2 of the ship images that the models hold out, by id.

    Also the ids of all images that they hold out.
    """
    from kit.tf.inference.holdout import open_holdout

    read, truth, _, _ = open_holdout(folders)
    found = table.concatenate(
        [find_objects([name], [read(place)]) for place, name in enumerate(truth.ids)]
    )
    counts = count(truth, found)
    figures = zip(truth.ids, scores.iou(counts), scores.f2(counts), counts.ships)
    return {name: (iou, f2) for name, iou, f2, ships in figures if ships}, set(truth.ids)


if __name__ == "__main__":
    main(sys.argv[1:])
