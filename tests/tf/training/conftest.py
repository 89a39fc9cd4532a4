"""What the tests of training share."""

import csv

import keras
import numpy as np
import pytest

from kit.tf.network import plain
from kit.tf.training.training import train
from tests.conftest import arrays_of
from tests.deaths import plan_death
from tests.forks import finish

TINY = {"epochs": 1, "steps": 1, "batch": 2, "crop": 32, "encoder": "plain"}
SMALL = {
    "encoder": "plain",
    "epochs": 3,
    "steps": 4,
    "batch": 2,
    "crop": 32,
    "average": 0.9,
    "save_minutes": 0.0,
    "keep": 1,
}
SMALL |= {
    "optimizer": "muon",
    "presence": True,
    "augment": ("dihedral", "brightness", "copy_paste"),
    "loss": ("dice", "balanced"),
}


@pytest.fixture
def packed(small):
    """Records of small images, so that the holdout is scored in no time."""
    return small / "records"


def small_network():
    inputs = keras.Input((None, None, 3), dtype="uint8")
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(
        keras.layers.Rescaling(1 / 255)(inputs)
    )
    return keras.Model(
        inputs, keras.layers.Conv2D(1, 1, activation="sigmoid")(x)
    )  # a channel of one, as many networks have


def logit_network():
    network = small_network()
    head = network.layers[-1]
    return keras.Model(network.input, keras.layers.Conv2D(1, 1, name="logits")(head.input))


@pytest.fixture(scope="session")
def undisturbed(small, once):
    def make(folder):
        assert train_in_child(small / "records", folder / "model")[0] == 0

    return once("undisturbed", make) / "model"


def train_shallow(records, out, death) -> None:
    """In a child."""
    plain.FILTERS = (8, 8)
    plan_death(death)
    train(records, out, **SMALL)


def train_in_child(records, out, death=None) -> tuple[int, str, str]:
    return finish(train_shallow, records, out, death)


def history_of(out):
    with open(out / "history.csv", newline="") as file:
        return [
            {name: value for name, value in row.items() if name != "seconds"}
            for row in csv.DictReader(file)
        ]


def same_training(one, other, maps=True):
    assert history_of(one) == history_of(other) and len(history_of(one)) == 3
    names = sorted(path.name for path in one.glob("*.weights.h5"))
    assert names == sorted(path.name for path in other.glob("*.weights.h5"))
    for name in names:
        a, b = arrays_of(one / name), arrays_of(other / name)
        assert a.keys() == b.keys() and all(np.array_equal(a[key], b[key]) for key in a)
    for path in (one / "maps").iterdir() if maps else ():
        assert (
            path.name == "source.sha256"
            or path.read_bytes() == (other / "maps" / path.name).read_bytes()
        )
    left = [path.name for path in other.rglob(".*")]
    assert not left
