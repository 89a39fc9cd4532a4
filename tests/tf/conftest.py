"""A detector trained on tiny images, and how its forward passes are counted."""

from pathlib import Path

import pytest

from kit.tf.inference.ensemble import make_mapper
from tests.tf.detectors import train_detector


@pytest.fixture(scope="session")
def detector(small, once) -> Path:
    """A model folder with the maps that its training left; it holds out fold 0."""
    return (
        once("detector", lambda folder: train_detector(small / "records", folder / "model"))
        / "model"
    )


@pytest.fixture
def passes(monkeypatch):
    """How many images each forward pass had, of compute_maps and of predictions."""
    seen = []

    def counting(*arguments):
        find = make_mapper(*arguments)

        def count(images):
            seen.append(len(images))
            return find(images)

        return count

    for module in ("holdout_maps", "inference"):
        monkeypatch.setattr(f"kit.tf.inference.{module}.make_mapper", counting)
    return seen
