"""What trained networks earn on their holdouts, with mean, spread and the oracle ladder.

Run: python benchmarks/points.py MODEL [MODEL...] [--tta 1] [--empty-share 0.765]
    [--tuned-for 0.765] [--plain]

MODEL are folders made by kit train. Each is scored by itself on the fold that it held out. Cuts are
chosen on four fifths of the scenes and scored on the other fifth, in turn, for the F2 at a share of
--tuned-for empty images. With --plain, the threshold is 128 and there are no cuts.

The columns:
    images/s   crops of training per second of its epochs, which include scoring the holdout
    IoU        mean pixel IoU over ship images
    ships      object F2 on images with ships
    empty      object F2 on images without
    weighted   both, at a share of --empty-share empty images; blank scores --empty-share there
    +gate ...  weighted, with the rungs of kit.climb_ladder
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from kit.masks import table
from kit.models.history import read_history
from kit.objects.extraction import find_objects
from kit.scoring import ladder, scores
from kit.scoring.counts import count
from kit.settings import TuneSettings
from kit.tuning import tuning

HEAD = (
    "model",
    "fold",
    "steps",
    "images/s",
    "IoU",
    "ships",
    "empty",
    "weighted",
    *(f"+{rung}" for rung in ladder.RUNGS[1:]),
)


def main(arguments: list[str]) -> None:
    if not arguments:
        print("needs trained models: python benchmarks/points.py MODEL [MODEL...]")
        return
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="+")
    parser.add_argument("--records")
    parser.add_argument("--tta", type=int, default=1)
    parser.add_argument("--empty-share", type=float, default=0.765)
    parser.add_argument("--tuned-for", type=float, default=0.765)
    parser.add_argument("--plain", action="store_true")
    options = parser.parse_args(arguments)
    print("  ".join(f"{name:>24}" if name == "model" else f"{name:>10}" for name in HEAD))
    rows = []
    for model in options.models:
        about, figures = rate(Path(model), options)
        rows.append(figures)
        show(about, figures)
    if len(rows) > 1:
        show([f"mean of {len(rows)}", "", "", ""], np.mean(rows, axis=0))
        show(["standard deviation", "", "", ""], np.std(rows, axis=0, ddof=1))


def rate(model: Path, options) -> tuple[list, list[float]]:
    """Name, fold, steps and images/s of a model, and the figures of the other columns."""
    from kit.models.folder import read_config
    from kit.tf.inference.holdout import open_holdout

    config = read_config(model)
    epochs = read_history(model / "history.csv")
    steps = int(epochs[-1]["step"])
    speed = steps * config["batch"] / sum(row["seconds"] for row in epochs)
    read, truth, scenes, presence = open_holdout([model], options.records, tta=options.tta)
    if options.plain:
        found = table.concatenate(
            [find_objects([name], [read(k)]) for k, name in enumerate(truth.ids)]
        )
    else:
        chosen = TuneSettings(empty_share=options.tuned_for, tta=options.tta)
        found = tuning.choose_cuts(read, truth, scenes, presence, chosen).prediction
    counts, empty = count(truth, found), table.count_objects(truth) == 0
    values = scores.f2(counts)
    rungs = [scores.f2(part) for part in ladder.climb_ladder(truth, found).values()]
    weighted = [scores.f2_weighted(part, empty, options.empty_share) for part in rungs]
    kinds = [values[kind].mean() if kind.any() else np.nan for kind in (~empty, empty)]
    pixel_iou = np.nan if empty.all() else scores.pixel_iou(counts)
    about = [model.name, config["fold"], steps, f"{speed:.1f}"]
    return about, [pixel_iou, *kinds, *weighted]


def show(about, figures) -> None:
    name, *others = about
    cells = [*(f"{text:>10}" for text in others), *(f"{value:10.3f}" for value in figures)]
    print(f"{name:>24}", *cells, sep="  ", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
