"""What the tests of inference share: a model folder, a few test images, and predictions by hand."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from kit.cuts import Cuts
from kit.masks import table
from kit.objects.extraction import find_objects
from kit.system.seals import digest_file
from kit.tf.inference.ensemble import collect, make_mapper

PLAIN = Cuts()


@pytest.fixture
def copy(detector, tmp_path):
    return shutil.copytree(detector, tmp_path / "model")


@pytest.fixture
def few(small, tmp_path):
    """The competition with only its first seven test images."""
    out = tmp_path / "few"
    (out / "test_v2").mkdir(parents=True)
    lines = (small / "competition" / "sample_submission_v2.csv").read_text().splitlines()[:8]
    (out / "sample_submission_v2.csv").write_text("\n".join(lines) + "\n")
    for line in lines[1:]:
        shutil.copy(small / "competition" / "test_v2" / line.split(",")[0], out / "test_v2")
    return out


@pytest.fixture
def tuned_on(monkeypatch):
    """What tune gives to the tuner."""
    from kit.tuning import tuning

    given = {}

    def keep(read, truth, scenes, presence, settings):
        given.update(
            maps=[read(place) for place in range(len(truth))],
            truth=truth,
            scenes=scenes,
            presence=presence,
        )
        return tuning.Tuning({"f2": 0.5}, truth, np.zeros(1), (), [])

    monkeypatch.setattr("kit.tf.inference.inference.tuning.choose_cuts", keep)
    monkeypatch.setattr(
        "kit.tuning.tuning.write_tuning",
        lambda tuned, path: path.write_text(json.dumps(tuned.fields)),
    )
    return given


def tuning_of(**fields) -> dict:
    return (
        dataclasses.asdict(Cuts())
        | {"f2": 0.5, "f2_blank": 0.25, "tta": 1, "scale": 1, "models": []}
        | fields
    )


def write_tuning(folder, **fields):
    """A tuning.json as of these weights."""
    models = [{"name": "model", "weights": digest_file(folder / "best.weights.h5"), "fold": 0}]
    (folder / "tuning.json").write_text(json.dumps(tuning_of(models=models) | fields))


def predict_by_hand(folder, ids, networks, cuts=PLAIN, tta=1):
    """Masks of test images, read by Pillow, one at a time."""
    finders, found = [make_mapper(network, tta) for network in networks], []
    for name in ids:
        pixels = tf.io.decode_jpeg((folder / "test_v2" / name).read_bytes())[None]
        image, presence = collect([find(pixels) for find in finders])
        found.append(find_objects([name], image, cuts, presence=presence))
    return table.concatenate(found)
