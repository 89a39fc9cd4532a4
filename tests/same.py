"""Two checkouts of the kit on the same data: proof that a change of the code changes no result.

    python tests/same.py BEFORE AFTER [--images ../shared/airbus]

Each checkout runs the verbs as a user does: a practice competition, records of the real images (of
the practice competition if there are none), trainings of 20 steps, tuning, prediction, score, check
and the page. The script compares the records byte for byte, the weights bit for bit, the CSVs, the
cuts and the figures on the page. It takes about fifteen minutes on two cores. The exit status is 0
only if everything is equal.
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

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

ROOT = Path(__file__).resolve().parents[1]
STEPS = "--epochs 1 --steps 20 --crop 64 --batch 2"
# Two trainings: the default encoder, and the slim one with everything that a preset switches on.
TRAININGS = {
    "resnet18": STEPS,
    "slim": f"{STEPS} --encoder slim --output 2 --loss dice,balanced --presence --optimizer muon",
}
DROPPED = {"min_peak"}  # fields of tuning.json that one checkout may lack


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
            made.append(run_road(tree.resolve(), out, Path(folder, "0"), options.images.resolve()))
    different = 0
    for name in dict.fromkeys([*made[0], *made[1]]):
        one, other = (found.get(name) for found in made)
        different += one != other
        verdict, values = ("same", [one]) if one == other else ("DIFFERENT", [one, other])
        print(f"{verdict:9s}  {name:34s}", *(str(value)[:60] for value in values), sep="  ")
    print(f"{len(made[0])} results, {different} different")
    return int(different > 0)


def run_road(tree: Path, out: Path, first: Path, images: Path) -> dict:
    """What the kit in `tree` makes in the folder `out`: digests and figures by name.

    Predictions are for the practice competition in the folder `first`, of the first checkout.
    """
    found: dict = {}
    environment = os.environ | {"PYTHONPATH": str(tree)}

    def note(name: str, values: dict) -> None:
        found.update({f"{name}{kind}": value for kind, value in values.items()})

    def kit(*words) -> str:
        command = [sys.executable, "-m", "kit", *map(str, words)]
        done = subprocess.run(command, cwd=out, env=environment, capture_output=True, text=True)
        if done.returncode not in (0, 1):
            raise RuntimeError(f"{tree}: {' '.join(map(str, words))}: {done.stderr}")
        return done.stdout

    kit("practice", "practice", "--images", 60, "--test-images", 12, "--seed", 5)
    note("practice, ", digest_folder(out / "practice", ["*"]))
    practice = first / "practice"
    source = images if (images / "train_v2").is_dir() else practice
    kit("pack", source, "records", "--seed", 0, "--folds", 3)
    note("records, ", digest_folder(out / "records", ["*.tfrecord-*", "f*"]))
    kit("pack", source, "few", "--limit", 60, "--folds", 3, "--seed", 1)
    for name, settings in TRAININGS.items():
        kit("train", "few", name, *settings.split())
        found[f"{name}, weights"] = digest_weights(out / name / "best.weights.h5")
        kit("tune", name, "--empty-share", 0.3)
        note(f"{name}, cuts: ", read_tuning(out / name / "tuning.json"))
        kit("predict", name, practice, f"{name}.csv")
        found[f"{name}, submission"] = digest((out / f"{name}.csv").read_bytes())
        kit("report", name)
        page = (out / name / "report.html").read_text()
        found[f"{name}, figures on the page"] = digest_figures(page)
    write_maps(out / "maps")
    kit("tune", "--maps", "maps", "maps/truth.csv", "tuned.json", "--empty-share", 0.3)
    note("maps, cuts: ", read_tuning(out / "tuned.json"))
    kit("predict", "--maps", "maps", "--tuning", "tuned.json", "maps/truth.csv", "maps.csv")
    found["maps, submission"] = digest((out / "maps.csv").read_bytes())
    found["maps, score"] = kit("score", "maps/truth.csv", "maps.csv", "--json")
    found["maps, check"] = kit("check", "maps.csv", "maps/truth.csv")
    truth = practice / "truth" / "test_ship_segmentations_v2.csv"
    found["score"] = kit("score", truth, "slim.csv", "--json", "--per-image", "by-image.csv")
    found["score, by image"] = digest((out / "by-image.csv").read_bytes())
    found["check"] = kit("check", "slim.csv", practice / "sample_submission_v2.csv")
    kit("report", "records", "--out", "data.html")
    found["figures on the data's page"] = digest_figures((out / "data.html").read_text(), r"\d+")
    return found


def write_maps(folder: Path) -> None:
    """Noisy maps of 60 images with up to four bright rectangles, presence.csv, and truth.csv."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    rows, said = ["ImageId,EncodedPixels"], ["ImageId,presence"]
    for number in range(60):
        name, values = f"{number:03d}.jpg", rng.normal(40, 25, (768, 768))
        for place in range(number % 5):
            height, width = rng.integers(4, 60, 2)
            top, left = 150 * place + rng.integers(0, 60), rng.integers(0, 700)
            values[top : top + height, left : left + width] += rng.uniform(60, 180)
            starts = [(left + column) * 768 + top + 1 for column in range(min(width, 768 - left))]
            rows.append(f"{name}," + " ".join(f"{start} {height}" for start in starts))
        if not number % 5:
            rows.append(f"{name},")
        said.append(f"{name},{np.clip(rng.normal(0.7 if number % 5 else 0.4, 0.2), 0, 1):.4f}")
        smooth = gaussian_filter(values, 1.5)
        Image.fromarray(np.clip(smooth, 0, 255).astype(np.uint8)).save(folder / f"{name}.png")
    (folder / "truth.csv").write_text("\n".join(rows) + "\n")
    (folder / "presence.csv").write_text("\n".join(said) + "\n")


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def digest_folder(folder: Path, patterns: list[str]) -> dict[str, str]:
    """How many files each folder has, from `folder` down, and a digest of their names and bytes."""
    found: dict[str, str] = {}
    files = sorted(path for pattern in patterns for path in folder.rglob(pattern) if path.is_file())
    for parent in dict.fromkeys(path.parent for path in files):
        inside = [path for path in files if path.parent == parent]
        total = digest(b"".join(path.name.encode() + path.read_bytes() for path in inside))
        found[str(parent.relative_to(folder))] = f"{len(inside)} files {total}"
    return found


def digest_weights(path: Path) -> str:
    """A digest of every array in a file of weights; the file itself holds times, too."""
    import h5py

    arrays: dict[str, bytes] = {}

    def take(name, item) -> None:
        if isinstance(item, h5py.Dataset):
            arrays[name] = item[()].tobytes()

    with h5py.File(path) as file:
        file.visititems(take)
    total = digest(b"".join(name.encode() + arrays[name] for name in sorted(arrays)))
    return f"{len(arrays)} arrays {total}"


def read_tuning(path: Path) -> dict:
    """The fields of tuning.json; figures to nine digits, since the calibration may round anew."""
    fields = json.loads(path.read_text())
    return {
        name: round(value, 9) if isinstance(value, float) else str(value)
        for name, value in sorted(fields.items())
        if name not in DROPPED
    }


def digest_figures(page: str, number: str = r"\d+\.\d{3,}") -> str:
    """A digest of the numbers that a page shows, outside of pictures.

    By default only scores count: the page on a model shows seconds and dates, too.
    """
    text = re.sub(r"<(style|script|svg|img)\b.*?(</\1>|>)", " ", page, flags=re.S)
    text = re.sub(r"<[^>]*>", " ", text)
    numbers = re.findall(number, text)
    return f"{len(numbers)} numbers {digest(' '.join(numbers).encode())}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
