"""What the tests of prediction share: the images, their maps, and a prediction of them."""

import functools
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from kit.competition import csv_text
from kit.competition.conventions import Competition
from kit.cuts import Cuts
from kit.objects.extraction import find_objects
from kit.submission import workers
from kit.submission.parts import PART_SIZE, split_parts
from kit.submission.prediction import predict_batches
from kit.submission.workers import Batch
from tests.conftest import write_csv

COMPETITION = Competition(height=12, width=10)
IDS = [f"{place:04d}.jpg" for place in range(2 * PART_SIZE + 90)]
CUTS = Cuts(threshold=200, min_presence=0.2)
LIKELY = np.random.default_rng(1).random(len(IDS)).astype(np.float32)


def map_of(place: int) -> np.ndarray:
    return np.random.default_rng(place).integers(0, 256, (12, 10), np.uint8)


def make_batches(places, size=16, bad=()):
    def load(chosen):
        return [map_of(place) for place in chosen], LIKELY[chosen]

    for part in split_parts(places):
        for at in range(0, len(part), size):
            chosen = part[at : at + size]
            held = chosen[~np.isin(chosen, list(bad))]
            yield Batch(
                held,
                functools.partial(load, held),
                {int(place): "is\ntorn" for place in chosen if place in bad},
            )


def predict(folder: Path, make=make_batches, ids=IDS, cuts=CUTS, plan="one", **options):
    sample = folder / "sample.csv"
    if not sample.exists():
        write_csv(sample, *(f"{name},1 1" for name in ids))
    options = {"competition": COMPETITION, "words": {"models": ["m"]}, **options}
    return predict_batches(
        folder / "out.csv", sample, ids, cuts, make, plan={"weights": plan}, **options
    )


@pytest.fixture
def two_threads(monkeypatch):
    """How many batches are under way when something happens."""
    monkeypatch.setattr(workers.processes, "count_cores", lambda: 2)


@pytest.fixture(scope="module")
def expected():
    return find_objects(IDS, map(map_of, range(len(IDS))), CUTS, presence=LIKELY)


def whole(folder: Path, masks) -> bool:
    """The CSV holds the masks, the JSON its SHA-256, and nothing else is left."""
    data = (folder / "out.csv").read_bytes()
    report = json.loads((folder / "out.json").read_text())
    return (
        data == csv_text.format_csv(masks, COMPETITION, submission=True)
        and report["sha256"] == hashlib.sha256(data).hexdigest()
        and {path.name for path in folder.iterdir()} == {"sample.csv", "out.csv", "out.json"}
    )


def parts_of(folder: Path) -> list[Path]:
    return sorted((folder / "out.csv.parts").iterdir())
