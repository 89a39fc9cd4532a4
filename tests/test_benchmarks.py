"""Every benchmark runs at its smallest size, without the real images, and prints its figures."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

FOLDER = ROOT / "benchmarks"
QUICK = "--encoder slim --filters 8,8,8,8,8 --epochs 1 --steps 1 --crop 48 --batch 2 --fold 0"
# For each script its arguments, and what each of the lines that carry its figures must match.
SCRIPTS: dict[str, tuple[str, list[str]]] = {
    "encoders": ("", [r"encoder plain, .* slim .* ratio \d", r"decoder slim .* unet .* ratio \d"]),
    "half_size": ("", [r"threshold 0.47 +object F2 0\.\d+", r"threshold 0.50 +object F2 0\.\d+"]),
    "leak": ("MODEL MODEL", [r"pixel IoU, .* in training +\d+ ", r"object F2, .* in training "]),
    "masks": (
        "",
        ["pycocotools, IoU alone .* x kit", "components .* kit", "pycocotools  .* kit"],
    ),
    "gate": ("MODEL", [r"peak +\d\.\d+ ", r"16 maximum +\d", r"stack +\d"]),
    "points": ("MODEL MODEL --plain", [r" model +0 +4 ", "mean of 2 ", "standard deviation "]),
    "postprocessing": ("RECORDS MODEL --no-tta", ["threshold 128 alone ", "rectangles +[+-]0"]),
    "practice": ("", [r"practice .* ratio \d"]),
    "predict": ("", [r"JPEG to CSV: .* ratio -?\d", r"share \d+\.\d%", r"of 16 .* ratio \d"]),
    "records": ("", ["TFDS's generator", "decode at 1/8", "zip, deflated: ", "worker: .* ratio"]),
    "shrink": (f"SMALL OUT {QUICK}", ["images shrunk by 3", "look at .*/report.html"]),
    "train": ("", [r"decoding alone in tf.data .* ratio \d", r"ImageDataGenerator .* ratio \d"]),
    "variants": (f"soft-outline SMALL OUT {QUICK}", ["epoch 1/1 .* object F2"]),
}


def test_every_script_is_listed():
    scripts = {path.stem for path in FOLDER.glob("*.py") if "__main__" in path.read_text()}
    assert scripts == set(SCRIPTS)


@pytest.mark.benchmark
@pytest.mark.parametrize("name", SCRIPTS)
def test_a_benchmark_runs_at_its_smallest_size(name, request, tmp_path):
    text, figures = SCRIPTS[name]
    places = {"OUT": tmp_path / "out"}
    if "MODEL" in text:  # it keeps maps there
        model = request.getfixturevalue("model")
        places |= {"MODEL": shutil.copytree(model, tmp_path / "model")}
        places |= {"RECORDS": request.getfixturevalue("records")}
    if "SMALL" in text:
        places |= {"SMALL": request.getfixturevalue("small") / "records"}
    arguments = [str(places.get(word, word)) for word in text.split()]
    done = subprocess.run(
        [sys.executable, FOLDER / f"{name}.py", *arguments],
        env=os.environ | {"SMALLEST": "1", "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    if done.stdout.startswith("skipped: "):
        pytest.skip(done.stdout.strip())
    for figure in figures:
        assert re.search(figure, done.stdout), (figure, done.stdout)


def test_without_a_peer_a_benchmark_ends_with_a_plain_reason():
    command = [sys.executable, "-c", "from start import need; need('os', 'peerless')"]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "skipped: needs peerless; pip install -e '.[train,test]' brings it\n"


def test_a_practice_competition_is_made_once(tmp_path, monkeypatch):
    """Both copies of a packing's benchmark take their images from the same one."""
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setenv("SMALLEST", "1")
    import folders

    (tmp_path / "part").mkdir()
    many, few = (folders.copy_images(tmp_path / "part", images) for images in (3, 2))
    assert [len(list(Path(place, "train_v2").iterdir())) for place in (many, few)] == [3, 2]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["part", "practice"]
