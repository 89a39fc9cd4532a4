"""Offline, as on Kaggle: `make wheels`, installed without an index beside Kaggle's pins, replaces nothing and runs."""

import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PINS = ROOT / "tests" / "kaggle-pins.txt"
OURS = {"runlength-kit", "segmentation-models", "image-classifiers", "efficientnet", "keras-applications"}
CORE = ("test_rle", "test_rows", "test_objects", "test_rectangles", "test_competition", "test_history", "test_folds")
DEMO = """
from kit import demo
demo.PRACTICE = {"images": 48, "test_images": 4, "empty_share": 0.5, "clutter": 0.2, "ship_area": 500.0}
demo.PACK = {"folds": 2}
demo.TRAIN = {"epochs": 1, "steps": 2, "batch": 2, "crop": 64, "decoder": (8, 8, 8, 8, 8), "presence": True}
demo.run_demo("demo")
"""


def run(*command, cwd=None) -> str:
    """Standard output and error of a command, which must succeed."""
    done = subprocess.run([str(part) for part in command], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


def find_python() -> str:
    """Kaggle's Python, 3.12, where there is one."""
    found = shutil.which("python3.12")
    if found and subprocess.run([found, "-c", "import venv, ensurepip"], capture_output=True).returncode == 0:
        return found
    warnings.warn(f"no Python 3.12 with venv here: Kaggle's pins are tried on {sys.version.split()[0]}", stacklevel=2)
    return sys.executable


@pytest.fixture(scope="module")
def wheels(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("wheels") / "wheels"
    run("make", "-s", "wheels", f"WHEELS={out}", f"BIN={Path(sys.executable).parent}", cwd=ROOT)
    return out


@pytest.fixture(scope="module")
def pinned(tmp_path_factory):
    """The python of a fresh environment with Kaggle's versions and a test runner."""
    folder = tmp_path_factory.mktemp("pinned")
    run(find_python(), "-m", "venv", folder / "venv")
    python = folder / "venv" / "bin" / "python"
    run(python, "-m", "pip", "install", "-q", "-r", PINS, "pytest", "hypothesis")
    yield python
    shutil.rmtree(folder)  # two gigabytes


def list_packages(python) -> set[str]:
    return {item for item in run(python, "-m", "pip", "list", "--format=freeze").split() if "==" in item}


def test_the_wheels_are_pure_and_few(wheels):
    names = sorted(path.name for path in wheels.iterdir())
    assert {re.sub(r"[-_.]+", "-", name.split("-")[0]).lower() for name in names} == OURS and len(names) == len(OURS)
    assert all(name.endswith("-none-any.whl") for name in names)


def test_kaggle_s_packages_stay_and_the_kit_runs_beside_them(wheels, pinned, tmp_path):
    before = list_packages(pinned)
    run(pinned, "-m", "pip", "install", "-q", "--no-index", "--find-links", wheels, "--no-deps", *OURS)
    after = list_packages(pinned)
    assert before <= after and {item.split("==")[0].lower() for item in after - before} == OURS
    unmet = subprocess.run([pinned, "-m", "pip", "check"], capture_output=True, text=True).stdout
    assert not [line for line in unmet.splitlines() if line.split()[0].lower() in OURS]
    assert "WRONG" not in run(pinned, "-m", "kit", "check", cwd=tmp_path)
    shutil.copytree(ROOT / "tests", tmp_path / "tests", ignore=shutil.ignore_patterns("__pycache__", "tf"))
    tests = [f"tests/{name}.py" for name in CORE]
    text = run(pinned, "-m", "pytest", "-q", "--import-mode=importlib", "-p", "no:cacheprovider", *tests, cwd=tmp_path)
    assert " passed" in text and "failed" not in text
    assert "fine. 4 images" in run(pinned, "-c", DEMO, cwd=tmp_path)
    assert "<title>Model model</title>" in (tmp_path / "demo" / "model" / "report.html").read_text()
