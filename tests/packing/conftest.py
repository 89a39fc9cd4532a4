"""What the tests of packing share."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def competition(practice, tmp_path):
    """A practice competition of the test's own."""
    return shutil.copytree(practice, tmp_path / "competition")


def contents(folder: Path) -> dict[str, bytes]:
    """Shards, metadata and folds.csv: what must be equal."""
    names = ("folds.csv", "features.json", "dataset_info.json")
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if path.name in names or ".tfrecord-" in path.name
    }
