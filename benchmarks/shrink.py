"""The ancestor's last experiment, repeated fairly: full-size images against 256 px of 768.

Run: python benchmarks/shrink.py RECORDS OUT [options of kit train]

Trains the same network on full-size images (OUT/full) and on images shrunk to a third (OUT/shrunk)
with the same options, and tunes both. OUT/report.html compares them on the same fold by object F2
at full size. For that the shrunk network's probabilities, not its masks, are enlarged again
(bilinear). Without options, network, losses and steps are those of --preset cpu-hour, on crops of
384 px. If it was stopped, run it again to resume.
"""

import sys
from pathlib import Path

import kit
from kit.options import make_parser, pick_settings
from kit.settings import TrainSettings

SHRUNK = 3  # 768 / 256


def main(arguments: list[str]) -> None:
    if len(arguments) < 2:
        print("needs records: python benchmarks/shrink.py RECORDS OUT [options of kit train]")
        return
    options = make_parser().parse_args(["train", *arguments])
    given = {"preset": "cpu-hour", "crop": 384, "batch": 4} | pick_settings(options, TrainSettings)
    out = Path(options.model)
    out.mkdir(parents=True, exist_ok=True)
    models = {out / "full": 1, out / "shrunk": SHRUNK}
    for model, scale in models.items():
        print(f"\n{model}: images shrunk by {scale}", flush=True)
        kit.train(options.records, model, **{**given, "scale": scale, "output": 1})
        kit.tune(model)
    kit.report(list(models), out / "report.html")
    print(f"\nlook at {out / 'report.html'}")


if __name__ == "__main__":
    main(sys.argv[1:])
