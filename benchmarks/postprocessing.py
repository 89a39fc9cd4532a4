"""What each step after the network is worth, out of fold.

Run: python benchmarks/postprocessing.py RECORDS MODEL [MODEL...] [--empty-share 0.765] [--no-tta]

MODEL are folders made by kit train, each on all folds but one, with --presence for the gate.
Missing maps are computed; those of eight views take eight times as long.

The first rows show object F2 on ship images, on empty ones and re-weighted, and the difference to
the first row with its interval. Cuts are chosen on some scenes and scored on the others, as in kit
tune. The last rows show the gain from each step, averaged over all combinations of the others, so
that no lucky order of the rows decides.
"""

import argparse
import sys
from itertools import combinations

import numpy as np
from tqdm import tqdm

from kit.cuts import OPTIONS, describe_cuts, from_json
from kit.masks import table
from kit.objects.extraction import find_objects
from kit.records import folds
from kit.scoring import scores
from kit.scoring.bootstrap import interval
from kit.scoring.counts import count
from kit.settings import TuneSettings
from kit.tuning import tuning

TTA = "TTA 8"
STEPS = ("size", "rectangles", TTA, "gate")  # one row each, with all steps before it


def main(arguments: list[str]) -> None:
    if not arguments:
        print("needs trained models: python benchmarks/postprocessing.py RECORDS MODEL [MODEL...]")
        return
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("records")
    parser.add_argument("models", nargs="+")
    parser.add_argument("--empty-share", type=float, default=0.765)
    parser.add_argument("--no-tta", action="store_true")
    options = parser.parse_args(arguments)
    from kit.tf.inference.holdout import open_holdout

    found: dict[frozenset[str], np.ndarray] = {}  # by the steps taken: F2 of each image
    cuts: dict[frozenset[str], str] = {}
    for views in (1,) if options.no_tta else (1, 8):
        read, truth, scenes, presence = open_holdout(options.models, options.records, tta=views)
        if views == 1:
            objects = [find_objects([truth.ids[k]], [read(k)]) for k in range(len(truth))]
            plain = scores.f2(count(truth, table.concatenate(objects)))
        known = [name for name in OPTIONS if name != "gate" or presence is not None]
        every = [some for size in range(len(known) + 1) for some in combinations(known, size)]
        for chosen in tqdm(every, desc="tuning", ascii=True):
            settings = TuneSettings(empty_share=options.empty_share, options=chosen)
            tuned = tuning.choose_cuts(read, truth, scenes, presence, settings)
            taken = frozenset(chosen) | ({TTA} if views == 8 else set())
            found[taken] = scores.f2(count(truth, tuned.prediction))
            best = from_json(tuned.fields)
            cuts[taken] = "blank wins" if best.blank else describe_cuts(best)
    empty = table.count_objects(truth) == 0
    steps = [step for step in STEPS if any(step in taken for taken in found)]
    rows = [
        ("threshold 128 alone", plain, ""),
        ("tuned: threshold, area, confidence", found[frozenset()], cuts[frozenset()]),
    ]
    for number, step in enumerate(steps, 1):
        taken = frozenset(steps[:number])
        rows.append((f"+ {step}", found[taken], cuts[taken]))
    rows.append(("blank", empty.astype(float), ""))

    def weigh(values: np.ndarray) -> float:
        return scores.f2_weighted(values, empty, options.empty_share)

    def compare(change: np.ndarray) -> str:
        groups = folds.group(scenes)
        low, high = interval(change, groups, empty=empty, empty_share=options.empty_share)
        return f"{weigh(change):+.3f} ({low:+.3f} to {high:+.3f})"

    print(
        f"{len(empty)} images, {empty.sum()} of them empty, out of fold; re-weighted to "
        f"{options.empty_share:.1%} empty"
    )
    print(f"{'':36} ships   empty   re-weighted   difference to the first row   cuts chosen on all")
    for text, values, about in rows:
        parts = f"{values[~empty].mean():.3f}   {values[empty].mean():.3f}   {weigh(values):.3f}"
        print(f"{text:36} {parts}         {compare(values - plain)}     {about}")
    print(
        "gain from each step, averaged over all combinations of the others (95% intervals over "
        "scenes, as above)"
    )
    for step in steps:
        gains = [found[taken | {step}] - found[taken] for taken in found if step not in taken]
        print(f"{step:36} {compare(np.mean(gains, axis=0))}")


if __name__ == "__main__":
    main(sys.argv[1:])
