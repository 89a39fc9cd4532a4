"""What two checkouts of the kit make of the same data: proves that a change of the code changes no result.

    python tests/same.py BEFORE AFTER [--images ../shared/airbus]

In each checkout the verbs run as a user runs them: a practice competition, records of the real images
(of the practice competition if there are none), trainings of 20 steps, tuning, prediction, score,
check and the page. Compared are the records byte for byte, the weights bit for bit, the CSVs, the
cuts and the figures of the page. It takes about fifteen minutes on two cores. The exit status is 0
only if all is equal.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STEPS = ("--epochs", "1", "--steps", "20", "--crop", "64", "--batch", "2")
# Two trainings: the default encoder, and the slim one with all that a preset switches on.
TRAININGS = {
    "resnet18": STEPS,
    "slim": (
        *STEPS,
        "--encoder",
        "slim",
        "--output",
        "2",
        "--loss",
        "dice,balanced",
        "--presence",
        "--optimizer",
        "muon",
    ),
}
DROPPED = {"min_peak"}  # fields of tuning.json that one of the checkouts may lack


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--images", type=Path, default=ROOT.parent / "shared" / "airbus")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        made = []
        for number, tree in enumerate((options.before, options.after)):
            out = Path(folder, str(number))
            out.mkdir()
            print(f"{tree}: running", flush=True)
            made.append(run_road(tree.resolve(), out, options.images.resolve()))
    different = 0
    for name in dict.fromkeys([*made[0], *made[1]]):
        one, other = (found.get(name) for found in made)
        different += one != other
        print(
            f"{'same' if one == other else 'DIFFERENT':9s}  {name:34s}  {str(one)[:60]}"
            + ("" if one == other else f"  {str(other)[:60]}")
        )
    print(f"{len(made[0])} results, {different} different")
    return int(different > 0)


def run_road(tree: Path, out: Path, images: Path) -> dict:
    """What the kit in `tree` makes in the folder `out`: digests and figures by name."""
    found: dict = {}

    def kit(*words) -> str:
        command = [sys.executable, "-m", "kit", *map(str, words)]
        done = subprocess.run(
            command,
            cwd=out,
            env=os.environ | {"PYTHONPATH": str(tree)},
            capture_output=True,
            text=True,
        )
        if done.returncode not in (0, 1):
            raise RuntimeError(f"{tree}: {' '.join(map(str, words))}: {done.stderr}")
        return done.stdout

    kit("practice", "practice", "--images", 60, "--test-images", 12, "--seed", 5)
    found |= {
        f"practice, {name}": value for name, value in digest_folder(out / "practice", ["*"]).items()
    }
    source = images if (images / "train_v2").is_dir() else out / "practice"
    kit("pack", source, "records", "--seed", 0, "--folds", 3)
    found |= {
        f"records, {name}": value
        for name, value in digest_folder(out / "records", ["*.tfrecord-*", "f*"]).items()
    }
    kit("pack", source, "few", "--limit", 60, "--folds", 3, "--seed", 1)
    for name, settings in TRAININGS.items():
        kit("train", "few", name, *settings)
        found[f"{name}, weights"] = digest_weights(out / name / "best.weights.h5")
        options = "size,rectangles" + (",gate" if "--presence" in settings else "")
        kit("tune", name, "--options", options, "--empty-share", 0.3)
        found |= {
            f"{name}, cuts: {field}": value
            for field, value in read_tuning(out / name / "tuning.json").items()
        }
        kit("predict", name, "practice", f"{name}.csv")
        found[f"{name}, submission"] = digest((out / f"{name}.csv").read_bytes())
        kit("report", name)
        found[f"{name}, figures of the page"] = digest_figures(
            (out / name / "report.html").read_text()
        )
    truth = "practice/truth/test_ship_segmentations_v2.csv"
    found["score"] = kit("score", truth, "slim.csv", "--json", "--per-image", "by-image.csv")
    found["score, by image"] = digest((out / "by-image.csv").read_bytes())
    found["check"] = kit("check", "slim.csv", "practice/sample_submission_v2.csv")
    kit("report", "records", "--out", "data.html")
    found["figures of the data's page"] = digest_figures((out / "data.html").read_text())
    return found


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def digest_folder(folder: Path, patterns: list[str]) -> dict[str, str]:
    """The number of files below each subfolder (or beside them), with one digest of their names and bytes."""
    found: dict[str, str] = {}
    files = sorted(path for pattern in patterns for path in folder.rglob(pattern) if path.is_file())
    for parent in dict.fromkeys(path.parent for path in files):
        inside = [path for path in files if path.parent == parent]
        total = digest(b"".join(path.name.encode() + path.read_bytes() for path in inside))
        found[str(parent.relative_to(folder))] = f"{len(inside)} files {total}"
    return found


def digest_weights(path: Path) -> str:
    """Of every array in a file of weights, by its name; HDF5 notes times beside them."""
    import h5py

    arrays: dict[str, bytes] = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: (
                arrays.update({name: item[()].tobytes()})
                if isinstance(item, h5py.Dataset)
                else None
            )
        )
    return f"{len(arrays)} arrays {digest(b''.join(name.encode() + arrays[name] for name in sorted(arrays)))}"


def read_tuning(path: Path) -> dict:
    """The fields of tuning.json; of figures nine digits, since the calibration may round elsewhere."""
    fields = json.loads(path.read_text())
    return {
        name: round(value, 9) if isinstance(value, float) else str(value)
        for name, value in sorted(fields.items())
        if name not in DROPPED
    }


def digest_figures(page: str) -> str:
    """Of the numbers that a page shows, but for pictures, seconds and versions."""
    text = re.sub(r"<(style|script|svg|img)\b.*?(</\1>|>)", " ", page, flags=re.S)
    text = re.sub(r"<[^>]*>", " ", text)
    numbers = re.findall(r"\d+\.\d{3,}", text)
    return f"{len(numbers)} numbers {digest(' '.join(numbers).encode())}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
