import json
import re
import shutil

import keras
import numpy as np
import pytest

import kit
from kit.cuts import Cuts
from kit.errors import KitError
from kit.models.folder import identify_model, read_config
from kit.records.manifest import open_records
from kit.system.seals import digest_file
from kit.tf.inference.load import load_network, pair_models
from tests.tf.detectors import make_detector
from tests.tf.inference.conftest import write_tuning


def test_an_own_network_is_given_again(detector):
    with pytest.raises(
        KitError,
        match="its network is not the kit's but (make_detector|functional)",
    ):
        load_network(detector)
    network, config = load_network(detector, make_detector(level=0.0))
    assert config["fold"] == 0 and np.array_equal(
        network.get_weights()[1], make_detector().get_weights()[1]
    )


def test_a_model_comes_with_its_cuts_and_competition(copy, small, capsys):
    write_tuning(copy, threshold=140, rectangles=True)
    model = kit.load_model(copy, make_detector(level=0.0))
    assert capsys.readouterr().out == ""
    assert np.array_equal(model.network.get_weights()[1], make_detector().get_weights()[1])
    assert model.cuts == Cuts(threshold=140, rectangles=True)
    assert model.competition == open_records(small / "records").competition
    assert repr(model).count("\n") == 0


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        (None, "not tuned, so threshold 128 and no cuts; kit tune .* chooses better ones"),
        ({"models": []}, "was chosen for other weights than these"),
        ({"tta": 8}, "were chosen on maps by --tta 8 --scale 1"),
    ],
)
def test_cuts_that_may_not_fit_a_model_are_told_in_one_line(copy, capsys, fields, told):
    if fields is not None:
        write_tuning(copy, threshold=140, **fields)
    model = kit.load_model(copy, make_detector())
    assert model.cuts == (Cuts() if fields is None else Cuts(threshold=140))
    (line,) = capsys.readouterr().out.splitlines()
    assert re.match(f"kit.load_model: .*{told}", line), line


def test_a_model_of_the_kits_own_network_is_loaded(model):
    loaded = kit.load_model(model)
    assert loaded.network.count_params() == load_network(model)[0].count_params()


def test_a_model_is_described_by_what_it_was_trained_to(detector):
    found = identify_model(detector)
    assert found == {
        "name": "model",
        "weights": digest_file(detector / "best.weights.h5"),
        "fold": 0,
        "encoder": json.loads((detector / "config.json").read_text())["own"]["model"],
        "scale": 1,
        "crop": 32,
        "steps": 1,
    }


def test_a_training_in_its_first_epoch_has_no_steps_yet(detector, tmp_path):
    copy = shutil.copytree(detector, tmp_path / "model")
    text = (copy / "history.csv").read_text()
    for left in (text.splitlines()[0] + "\n", ""):
        (copy / "history.csv").write_text(left)
        assert identify_model(copy)["steps"] is None
    (copy / "history.csv").write_text("step\n" + "1" * 200_000)
    assert identify_model(copy)["steps"] is None
    (copy / "history.csv").unlink()
    assert identify_model(copy)["steps"] is None


def test_folders_and_networks_come_in_pairs(tmp_path):
    network = make_detector()
    assert pair_models(tmp_path) == pair_models(str(tmp_path)) == [(tmp_path, None)]
    assert (
        pair_models(tmp_path, network)
        == pair_models([tmp_path], [network])
        == [(tmp_path, network)]
    )
    assert pair_models([tmp_path, "b"], [None, network])[1][1] is network
    for models, networks in (([], None), ([tmp_path], []), ([tmp_path, tmp_path], network)):
        with pytest.raises(KitError, match=r"\d model folders and \d networks"):
            pair_models(models, networks)


@pytest.mark.parametrize(
    "change",
    [
        {"filters": [8]},
        {"scale": "x"},
        {"competition": {"height": "768"}},
        {"fold": None, "seed": -1},
        {"own": 3},
        {"competition": []},
        {"records": None},
        {"scale": None},
    ],
)
def test_a_damaged_config_is_named(detector, tmp_path, change):
    config = json.loads((detector / "config.json").read_text())
    if change in ({"records": None}, {"scale": None}):
        del config[next(iter(change))]
        change = {}
    (tmp_path / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(KitError, match=r"config\.json: not the settings of a training"):
        read_config(tmp_path)


def test_a_preset_of_another_version_is_no_obstacle(detector, tmp_path):
    config = json.loads((detector / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"preset": "of-tomorrow"}))
    assert read_config(tmp_path) == read_config(detector)


def test_what_is_missing_is_named(detector, tmp_path):
    with pytest.raises(KitError, match="nowhere: no such model folder; make it"):
        load_network(tmp_path / "nowhere")
    with pytest.raises(KitError, match=r"config\.json: missing"):
        load_network(tmp_path)
    shutil.copy(detector / "config.json", tmp_path)
    with pytest.raises(KitError, match=r"best\.weights\.h5: missing; train again"):
        load_network(tmp_path, make_detector())


def test_weights_of_another_network_are_an_error(detector):
    other = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(2, 3)])
    with pytest.raises(KitError, match="not the weights of"):
        load_network(detector, other)
