"""What several tests share: a small practice competition, its records, a model after a few steps, and the real images where they are."""

import subprocess
import sys
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile("kit", deadline=None)  # a first call compiles
hypothesis.settings.load_profile("kit")

ROOT = Path(__file__).resolve().parents[1]
AIRBUS = ROOT.parent / "shared" / "airbus"


@pytest.fixture(scope="session")
def airbus() -> Path:
    if not (AIRBUS / "train_v2").is_dir():
        pytest.skip("the real competition images are not on this machine")
    return AIRBUS


@pytest.fixture(scope="session")
def practice(tmp_path_factory) -> Path:
    from kit.practice import write_practice

    return write_practice(tmp_path_factory.mktemp("practice") / "competition", images=24, test_images=4, empty_share=0.5, seed=3)


@pytest.fixture(scope="session")
def records(practice, tmp_path_factory) -> Path:
    from kit.packing import pack

    out = tmp_path_factory.mktemp("records") / "records"
    pack(practice, out, folds=2)
    return out


@pytest.fixture(scope="session")
def model(records, tmp_path_factory) -> Path:
    from kit.tf.training import train

    out = tmp_path_factory.mktemp("model") / "model"
    train(records, out, epochs=2, steps=2, batch=2, crop=64, decoder=(16, 8, 8, 8, 4))
    return out


@pytest.fixture
def kit_cli(tmp_path):
    """Runs `kit` in a process of its own, in an empty folder: (status, standard output, standard error)."""

    def run(*arguments, environment=None):
        command = [sys.executable, "-m", "kit", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
        return done.returncode, done.stdout, done.stderr

    return run


def write_csv(path: Path, *rows: str, header: str = "ImageId,EncodedPixels") -> Path:
    """A CSV file of some rows."""
    path.write_text("\n".join([header, *rows]) + "\n")
    return path
