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

from kit.cuts import Cuts, describe_cuts
from kit.masks import table
from kit.objects.forest import THRESHOLDS
from kit.records import folds
from kit.scoring import scores
from kit.scoring.bootstrap import interval
from kit.scoring.counts import count
from kit.tuning import tuning
from kit.tuning.candidates import find_candidates

TTA = "TTA 8"
STEPS = ("rated", "rectangles", TTA, "gate")  # one row each, with all steps before it


def tune(holdout, evidence: tuning.Evidence, steps) -> tuple[np.ndarray, str]:
    """F2 of each image by cuts of some of the STEPS, and the cuts that all images choose."""
    split = tuning.split_scenes(holdout.scenes, evidence.objects, 0)
    cuts = [choose(evidence, split != number, steps) for number in range(split.max() + 1)]
    each = [cuts[number] for number in split]
    prediction = tuning.find_each(holdout.read, holdout.truth, holdout.presence, each)
    best = choose(evidence, np.ones(len(split), bool), steps)
    return scores.f2(count(holdout.truth, prediction)), describe_cuts(best)


def choose(evidence: tuning.Evidence, images: np.ndarray, steps) -> Cuts:
    """The cuts of some of the STEPS that score most on `images`, bool (images,)."""
    choice = tuning.search_cuts(evidence, images)
    if "rated" not in steps:  # as if there were one threshold, with rectangles and a gate or not
        weights = evidence.weights(images)
        known = [
            Cuts(threshold, rectangles=kind)
            for threshold in THRESHOLDS
            for kind in {False, "rectangles" in steps}
        ]
        best = max(known, key=lambda cuts: weights @ evidence.score(cuts))
        gates = range(1, len(tuning.GATES)) if "gate" in steps else ()
        gated = [choice.add_gate(best, tuning.GATES[gate]) for gate in gates]
        return max([best, *gated], key=lambda cuts: weights @ evidence.score(cuts))
    if "rectangles" not in steps:
        choice.surface[1] = -np.inf
    if "gate" not in steps:
        choice.surface[..., 1:] = -np.inf
    point = tuning.choose_point(choice)
    return Cuts() if point is None else choice.read(point)


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
        holdout = open_holdout(options.models, options.records, tta=views)
        truth, scenes = holdout.truth, holdout.scenes
        if views == 1:
            everywhere = [Cuts()] * len(truth)
            plain = scores.f2(count(truth, tuning.find_each(holdout.read, truth, None, everywhere)))
        known = [
            name
            for name in STEPS
            if name != TTA and (name != "gate" or holdout.presence is not None)
        ]
        candidates = find_candidates(holdout.read, truth)
        evidence = tuning.Evidence(
            candidates, table.count_objects(truth), holdout.presence, options.empty_share
        )
        every = [some for size in range(len(known) + 1) for some in combinations(known, size)]
        for chosen in tqdm(every, desc="tuning", ascii=True):
            taken = frozenset(chosen) | ({TTA} if views == 8 else set())
            found[taken], cuts[taken] = tune(holdout, evidence, chosen)
    empty = table.count_objects(truth) == 0
    steps = [step for step in STEPS if any(step in taken for taken in found)]
    rows = [
        ("threshold 128 alone", plain, ""),
        ("the best threshold", found[frozenset()], cuts[frozenset()]),
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
