"""What each step after the network is worth, out of fold: object F2 on ship images, on empty ones, re-weighted, with intervals of the
difference to the first row. Cuts are chosen on some scenes and scored on the others, as in kit tune.

Run: python benchmarks/postprocessing.py RECORDS MODEL [MODEL...] [--empty-share 0.765] [--no-tta]
MODEL: folders made by kit train, each on all folds but one, with --presence for the gate. The maps are computed where they are missing;
those of eight views take eight times as long.
"""

import argparse
import sys

import numpy as np

from kit import folds, masks, score, tuning
from kit.bootstrap import interval
from kit.counts import count
from kit.objects import describe_cuts, find_objects, read_cuts
from kit.settings import TuneSettings

STEPS = (  # text, options, views
    ("tuned: threshold, area, confidence", (), 1),
    ("+ threshold by size", ("size",), 1),
    ("+ hysteresis", ("size", "hysteresis"), 1),
    ("+ rectangles", ("size", "hysteresis", "rectangles"), 1),
    ("+ gate", ("size", "hysteresis", "rectangles", "gate"), 1),
    ("rectangles alone", ("rectangles",), 1),
    ("gate alone", ("gate",), 1),
    ("rectangles and gate", ("rectangles", "gate"), 1),
    ("+ TTA 8, no gate", ("size", "hysteresis", "rectangles"), 8),
    ("+ TTA 8 and gate", ("size", "hysteresis", "rectangles", "gate"), 8),
    ("rectangles, gate, TTA 8", ("rectangles", "gate"), 8),
)


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
    from kit.tf.inference import open_holdout

    rows: list[tuple[str, np.ndarray, str]] = []
    truth = scenes = None
    for views in (1,) if options.no_tta else (1, 8):
        read, truth, scenes, presence = open_holdout(options.models, options.records, tta=views)
        if not rows:
            plain = masks.concatenate([find_objects([truth.ids[k]], [read(k)]) for k in range(len(truth))])
            rows.append(("threshold 128 alone", score.f2(count(truth, plain)), ""))
        for text, chosen, wanted in STEPS:
            if wanted == views and ("gate" not in chosen or presence is not None):
                tuned = tuning.tune_maps(read, truth, scenes, presence, TuneSettings(empty_share=options.empty_share, options=chosen))
                cuts = read_cuts(tuned.fields, text)
                rows.append((text, score.f2(count(truth, tuned.prediction)), "blank wins" if cuts.blank else describe_cuts(cuts)))
    empty = masks.count_objects(truth) == 0
    rows.append(("blank", empty.astype(float), ""))
    report(rows, empty, folds.group(scenes), options.empty_share)


def report(rows, empty: np.ndarray, groups: np.ndarray, empty_share: float) -> None:
    """Prints one line a row."""
    print(f"{len(empty)} images, {empty.sum()} of them empty, out of fold; re-weighted to {empty_share:.1%} empty")
    print(f"{'':36} ships   empty   re-weighted   difference to the first row (95% interval over scenes)   cuts chosen on all")
    for text, values, cuts in rows:
        weighted = score.f2_weighted(values, empty, empty_share)
        change = score.f2_weighted(values - rows[0][1], empty, empty_share)
        low, high = interval(values - rows[0][1], groups, empty=empty, empty_share=empty_share)
        parts = f"{values[~empty].mean():.3f}   {values[empty].mean():.3f}   {weighted:.3f}"
        print(f"{text:36} {parts}         {change:+.3f} ({low:+.3f} to {high:+.3f})   {cuts}")


if __name__ == "__main__":
    main(sys.argv[1:])
