"""What all tests share, made once for all processes of a run.

A small practice competition, its records, a model after a few steps, a competition of tiny images,
and the real images if they are there.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import hypothesis
import pytest

# Two processes of tests share two cores. TensorFlow reads this at its first op.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

hypothesis.settings.register_profile("kit", deadline=None)  # a first call compiles
hypothesis.settings.load_profile("kit")

ROOT = Path(__file__).resolve().parents[1]
AIRBUS = ROOT.parent / "shared" / "airbus"
# The fixtures that pack: packing writes metadata with TensorFlow.
TENSORFLOW = {"records", "model", "small", "detector"}


def pytest_ignore_collect(collection_path, config):
    """If a run leaves TensorFlow out, ignores the files that import it at their top."""
    apart = collection_path.name in ("tf", "test_tfrecord.py")
    return True if apart and "not tensorflow" in config.option.markexpr else None


def pytest_collection_modifyitems(items) -> None:
    for item in items:
        needed = TENSORFLOW & set(getattr(item, "fixturenames", ()))
        if needed or (ROOT / "tests" / "tf") in item.path.parents:
            item.add_marker("tensorflow")


@pytest.fixture(scope="session")
def airbus() -> Path:
    if not (AIRBUS / "train_v2").is_dir():
        pytest.skip("the real competition images are not on this machine")
    return AIRBUS


@pytest.fixture(scope="session")
def once(tmp_path_factory):
    """once(name, make): a folder that all processes of this run share; never write into it.

    The first process that asks for it fills it with make(folder).
    """
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def find(name: str, make) -> Path:
        folder = base / "shared" / name
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder.with_name(f"{name}.lock"), "a+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            lock.seek(0)
            if not lock.read():
                make(folder)
                lock.write("made")
        return folder

    return find


@pytest.fixture(scope="session")
def practice(once) -> Path:
    from kit.practice.folder import write_practice

    def make(folder):
        write_practice(folder / "competition", images=24, test_images=4, empty_share=0.5, seed=3)

    return once("practice", make) / "competition"


@pytest.fixture
def competition(practice, tmp_path):
    """A competition folder of the test's own."""
    return shutil.copytree(practice, tmp_path / "competition")


@pytest.fixture(scope="session")
def records(practice, once) -> Path:
    from kit.packing.packing import pack

    return once("records", lambda folder: pack(practice, folder / "records", folds=2)) / "records"


SLIM = {"encoder": "slim", "filters": (8, 8, 8, 8, 8), "crop": 64, "batch": 2}


@pytest.fixture(scope="session")
def model(records, once) -> Path:
    def make(folder):
        from kit.tf.training.training import train

        train(records, folder / "model", epochs=2, steps=2, **SLIM)

    return once("model", make) / "model"


SIDE = 48


@pytest.fixture(scope="session")
def small(once) -> Path:
    """A folder with `competition`, its JSON and `records`.

    The competition has 30 training and 300 test images of 48 px: bright ships on dark water.
    """
    return once("small", write_small)


def write_small(out: Path) -> None:
    import numpy as np
    from PIL import Image

    from kit.competition.conventions import Competition, to_json
    from kit.masks import dense
    from kit.packing import packing
    from kit.submission import csv_file
    from kit.system.files import write_json

    rng = np.random.default_rng(0)
    names, labels = [f"{place:03d}.jpg" for place in range(330)], []
    for part in ("train_v2", "test_v2"):
        (out / "competition" / part).mkdir(parents=True)
    for place, name in enumerate(names):
        label = np.zeros((SIDE, SIDE), int)
        for number in range(place % 3):
            top, left = 24 * number + rng.integers(0, 8), rng.integers(0, 30)
            label[top : top + 12, left : left + 14] = number + 1
        labels.append(label)
        pixels = rng.integers(0, 90, (SIDE, SIDE, 3)) + 160 * (label > 0)[..., None]
        Image.fromarray(pixels.astype(np.uint8)).save(
            out / "competition" / ("train_v2" if place < 30 else "test_v2") / name
        )
    competition = Competition(height=SIDE, width=SIDE, scenes="")
    csv_file.write_csv(
        dense.from_labels(names[:30], labels[:30]),
        out / "competition" / competition.truth_csv,
        competition,
    )
    lines = ["ImageId,EncodedPixels", *(f"{name},1 1" for name in names[30:])]
    (out / "competition" / competition.sample_csv).write_text("\n".join(lines) + "\n")
    write_json(out / "competition.json", to_json(competition))
    packing.pack(out / "competition", out / "records", folds=3, competition=competition)


@pytest.fixture
def shallow(monkeypatch):
    """The plain U-Net with two levels of eight filters.

    A training takes three seconds, all but a few tenths of them to trace graphs.
    """
    monkeypatch.setattr("kit.tf.network.plain.FILTERS", (8, 8))


@pytest.fixture
def kit_cli(tmp_path):
    """Runs `kit` in a process of its own, in an empty folder.

    Returns the exit status, standard output and standard error.
    """

    def run(*arguments, environment=None):
        command = [sys.executable, "-m", "kit", *map(str, arguments)]
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=tmp_path, env=environment
        )
        return done.returncode, done.stdout, done.stderr

    return run


def fails(capsys, *arguments) -> str:
    """Runs `kit` here; asserts status 2 and one line on standard error, which it returns."""
    from kit.cli import main

    try:
        status = main([str(argument) for argument in arguments])
    except SystemExit as stop:
        status = stop.code
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert status == 2 and len(lines) == 1 and lines[0].startswith("kit"), (status, captured)
    return lines[0]


def write_csv(path: Path, *rows: str, header: str = "ImageId,EncodedPixels") -> Path:
    """A CSV file of some rows."""
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def flip_bytes(path: Path) -> Path:
    """Changes two bytes of the first image in a shard."""
    data = bytearray(path.read_bytes())
    data[300] ^= 1
    data[301] ^= 1
    path.write_bytes(bytes(data))
    return path


def arrays_of(path: Path) -> dict:
    """The arrays of an HDF5 file of weights, by name."""
    import h5py

    found = {}

    def take(name, item) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = item[()]

    with h5py.File(path) as file:
        file.visititems(take)
    return found
