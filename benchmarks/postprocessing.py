"""What each step after the network is worth, out of fold: object F2 on ship images, on empty ones, re-weighted, with intervals of the
difference to the first row. Cuts are chosen on some scenes and scored on the others, as in kit tune. Below: what each option adds on
average over all combinations of the others, so that no lucky order of the rows decides.

Run: python benchmarks/postprocessing.py RECORDS MODEL [MODEL...] [--empty-share 0.765] [--no-tta]
MODEL: folders made by kit train, each on all folds but one, with --presence for the gate. The maps are computed where they are missing;
those of eight views take eight times as long.
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
STEPS = ("size", "rectangles", TTA, "gate")  # a row each, with all before it


def main(arguments: list[str]) -> None:
    if not arguments:
        print("needs trained models: python benchmarks/postprocessing.py RECORDS MODEL [MODEL...]")
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("records")
    parser.add_argument("models", nargs="+")
    parser.add_argument("--empty-share", type=float, default=0.765)
    parser.add_argument("--no-tta", action="store_true")
    options = parser.parse_args(arguments)
    from kit.tf.inference.inference import open_holdout

    found: dict[frozenset[str], np.ndarray] = {}  # F2 of each image by the steps taken
    cuts: dict[frozenset[str], str] = {}
    for views in (1,) if options.no_tta else (1, 8):
        read, truth, scenes, presence = open_holdout(options.models, options.records, tta=views)
        if views == 1:
            plain = scores.f2(
                count(
                    truth,
                    table.concatenate(
                        [find_objects([truth.ids[k]], [read(k)]) for k in range(len(truth))]
                    ),
                )
            )
        known = [name for name in OPTIONS if name != "gate" or presence is not None]
        for chosen in tqdm(
            [some for size in range(len(known) + 1) for some in combinations(known, size)],
            desc="tuning",
            ascii=True,
        ):
            tuned = tuning.choose_cuts(
                read,
                truth,
                scenes,
                presence,
                TuneSettings(empty_share=options.empty_share, options=chosen),
            )
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

    def compare(change: np.ndarray) -> str:
        low, high = interval(
            change, folds.group(scenes), empty=empty, empty_share=options.empty_share
        )
        return f"{scores.f2_weighted(change, empty, options.empty_share):+.3f} ({low:+.3f} to {high:+.3f})"

    print(
        f"{len(empty)} images, {empty.sum()} of them empty, out of fold; re-weighted to {options.empty_share:.1%} empty"
    )
    print(f"{'':36} ships   empty   re-weighted   difference to the first row   cuts chosen on all")
    for text, values, about in rows:
        parts = f"{values[~empty].mean():.3f}   {values[empty].mean():.3f}   {scores.f2_weighted(values, empty, options.empty_share):.3f}"
        print(f"{text:36} {parts}         {compare(values - plain)}     {about}")
    print(
        "each step with less without it, mean over all combinations of the others (95% intervals, as above, over scenes)"
    )
    for step in steps:
        without = [taken for taken in found if step not in taken]
        print(
            f"{step:36} {compare(np.mean([found[taken | {step}] - found[taken] for taken in without], axis=0))}"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
