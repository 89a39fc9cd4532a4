"""The same seed gives the same weights, on all cores and on a busy machine."""

import os
import subprocess
import sys

import numpy as np
import pytest

from kit.packing.packing import pack
from kit.practice.folder import EASY, write_practice
from kit.tf.training.training import train
from tests.conftest import SLIM, arrays_of
from tests.forks import finish


def train_on_all_cores(records, out, seed, options):
    """In a child: trains a network with batch norms in as many threads as TensorFlow wants."""
    os.environ.pop("TF_NUM_INTRAOP_THREADS", None)
    train(records, out, seed=seed, fold=None, **(SLIM | {"epochs": 1} | options))


@pytest.mark.prove(reason="three trainings of resnet18: half a minute")
def test_the_same_seed_gives_the_same_weights_of_the_default_encoder(records, tmp_path):
    compare_seeds(records, tmp_path, {"encoder": "resnet18", "steps": 4})


OFTEN_BUSY = """
import time
while time.sleep(1) is None:
    end = time.time() + 1
    while time.time() < end:
        pass
"""


@pytest.mark.prove(
    reason="two trainings of resnet18 with scorings between: five minutes on a quiet machine"
)
def test_a_busy_machine_changes_no_byte_of_a_training(tmp_path):
    """As long as the demo's epochs: gradients must be as small as after some hundred steps."""
    write_practice(tmp_path / "competition", seed=0, **EASY | {"images": 240, "test_images": 1})
    pack(tmp_path / "competition", tmp_path / "records", folds=4)
    options = {"scale": 2, "presence": True, "learning_rate": 3e-3, "steps": 130, "epochs": 2}
    options |= {"encoder": "resnet18", "fold": 0, "seed": 0, "save_minutes": 0.3}
    for name in ("quiet", "busy"):
        busy = [
            subprocess.Popen([sys.executable, "-c", OFTEN_BUSY])
            for _ in range(4 * (name == "busy"))
        ]
        try:
            status, _, errors = finish(train_freely, tmp_path / "records", tmp_path / name, options)
        finally:
            for process in busy:
                process.kill()
        assert status == 0, errors[-2000:]
    quiet, busy = (arrays_of(tmp_path / name / "last.weights.h5") for name in ("quiet", "busy"))
    assert all(np.array_equal(quiet[name], busy[name]) for name in quiet)


def train_freely(records, out, options):
    """In a child: trains in as many threads as TensorFlow wants."""
    os.environ.pop("TF_NUM_INTRAOP_THREADS", None)
    train(records, out, **options)


def test_the_same_seed_gives_the_same_weights(packed, tmp_path):
    compare_seeds(packed, tmp_path, {"steps": 4, "crop": 48})


def compare_seeds(records, tmp_path, options) -> None:
    """Two trainings of one seed leave the same weights, one of another seed others."""
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        assert finish(train_on_all_cores, records, tmp_path / name, seed, options)[0] == 0
    a, b, c = (arrays_of(tmp_path / name / "last.weights.h5") for name in "abc")
    assert a.keys() == b.keys() == c.keys() and len(a) > 50
    assert all(np.array_equal(a[name], b[name]) for name in a)
    assert not all(np.array_equal(a[name], c[name]) for name in a)
