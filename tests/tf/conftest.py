"""A competition of small images that costs next to nothing to predict, and a detector trained on it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kit import dense, packing, submission
from kit.competition import Competition, to_json
from kit.tf.ensemble import make_mapper
from kit.writing import write_json

from .detectors import train_detector

SIDE = 48


@pytest.fixture(scope="session")
def small(tmp_path_factory) -> Path:
    """A folder with `competition` (30 training and 300 test images of 48 px, bright ships on dark water), its JSON and `records`."""
    out, rng = tmp_path_factory.mktemp("small"), np.random.default_rng(0)
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
        Image.fromarray(pixels.astype(np.uint8)).save(out / "competition" / ("train_v2" if place < 30 else "test_v2") / name)
    competition = Competition(height=SIDE, width=SIDE, scenes="")
    submission.write_csv(dense.from_labels(names[:30], labels[:30]), out / "competition" / competition.truth_csv, competition)
    lines = ["ImageId,EncodedPixels", *(f"{name},1 1" for name in names[30:])]
    (out / "competition" / competition.sample_csv).write_text("\n".join(lines) + "\n")
    write_json(out / "competition.json", to_json(competition))
    packing.pack(out / "competition", out / "records", folds=3, competition=competition)
    return out


@pytest.fixture(scope="session")
def detector(small, tmp_path_factory) -> Path:
    """A model folder with the maps that its training left; it holds out fold 0."""
    return train_detector(small / "records", tmp_path_factory.mktemp("detector") / "model")


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

    for module in ("maps", "inference"):
        monkeypatch.setattr(f"kit.tf.{module}.make_mapper", counting)
    return seen
