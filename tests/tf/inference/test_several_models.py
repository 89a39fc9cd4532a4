"""Several models: their maps and presence are averaged, their folds are tuned on together."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from kit.competition.catalog import find_competition
from kit.competition.conventions import to_json
from kit.cuts import Cuts
from kit.errors import KitError
from kit.masks import table
from kit.objects import map_files
from kit.records.index import open_index
from kit.system.seals import digest_file
from kit.tf.data.batches import scan
from kit.tf.inference.ensemble import average_presence, collect, make_mapper
from kit.tf.inference.inference import predict, tune
from tests.tf.detectors import make_detector, train_detector
from tests.tf.inference.conftest import predict_by_hand, write_tuning


@pytest.fixture(scope="module")
def folds(detector, small, tmp_path_factory):
    """Model folders and their networks: two of fold 0, one without presence; one of fold 1."""
    out = tmp_path_factory.mktemp("folds")
    one = shutil.copytree(detector, out / "one")
    two = train_detector(small / "records", out / "two", level=150.0, presence=False)
    three = train_detector(small / "records", out / "three", fold=1)
    return {one: make_detector, two: lambda: make_detector(150.0, False), three: make_detector}


def holdout(small, fold, *networks, tta=1, scale=1):
    """Truth, averaged maps and presence of a fold, computed here."""
    index = open_index(small / "records", [fold])
    finders, found = [make_mapper(network, tta, scale) for network in networks], []
    for _, images, _ in scan(index, 2):
        found.append(collect([find(images) for find in finders]))
    presence = [part for _, part in found]
    return (
        index,
        [image for part, _ in found for image in part],
        None if presence[0] is None else np.concatenate(presence),
    )


def test_models_of_one_fold_are_averaged(folds, small, tuned_on):
    one, two, _ = folds
    tuned = tune([one, two], networks=[folds[one](), folds[two]()])
    index, expected, presence = holdout(small, 0, folds[one](), folds[two]())
    assert tuned_on["truth"] == index.truth and np.array_equal(tuned_on["scenes"], index.scenes)
    assert all(np.array_equal(a, b) for a, b in zip(tuned_on["maps"], expected, strict=True))
    assert np.array_equal(tuned_on["presence"], presence)  # of the one that has it
    each = [
        map_files.read_map(one / "maps", index.truth.ids[0]),
        map_files.read_map(two / "maps", index.truth.ids[0]),
    ]
    assert np.array_equal(tuned_on["maps"][0], map_files.average(each)) and not np.array_equal(
        *each
    )
    assert [model["name"] for model in tuned.fields["models"]] == ["one", "two"]
    assert (one / "tuning.json").read_bytes() == (two / "tuning.json").read_bytes()


def test_different_folds_are_tuned_on_together_out_of_fold(folds, small, tuned_on):
    one, _, three = folds
    tune([three, one], networks=[folds[three](), folds[one]()], tta=4, scale=2)
    parts = [holdout(small, fold, make_detector(), tta=4, scale=2) for fold in (0, 1)]
    assert tuned_on["truth"] == table.concatenate([index.truth for index, _, _ in parts])
    assert all(
        np.array_equal(a, b)
        for a, b in zip(
            tuned_on["maps"], [image for _, part, _ in parts for image in part], strict=True
        )
    )
    assert np.array_equal(
        tuned_on["presence"], np.concatenate([presence for _, _, presence in parts])
    )
    fields = json.loads((three / "tuning.json").read_text())
    assert (fields["tta"], fields["scale"], [model["fold"] for model in fields["models"]]) == (
        4,
        2,
        [1, 0],
    )
    assert (one / "maps-tta4-scale2").is_dir() and (three / "maps-tta4-scale2").is_dir()


def test_presence_that_one_fold_lacks_is_not_used_and_that_is_said(folds, tuned_on, capsys):
    _, two, three = folds
    tune([two, three], networks=[folds[two](), folds[three]()])
    assert tuned_on["presence"] is None
    assert "only some folds have a model" in capsys.readouterr().out


def test_models_of_other_records_are_not_tuned_together(detector, model):
    with pytest.raises(KitError, match="was trained on other records than"):
        tune([detector, model], networks=[make_detector(), None])


def test_models_that_were_tuned_apart_are_refused(folds, few, tmp_path):
    one, two, _ = (shutil.copytree(folder, tmp_path / folder.name) for folder in folds)
    networks = [make_detector(), make_detector(150.0, False)]
    write_tuning(one)
    (two / "tuning.json").unlink(missing_ok=True)
    with pytest.raises(
        KitError,
        match=r"two: was not tuned together with \S+one; "
        r"choose cuts for all: kit tune \S+one \S+two",
    ):
        predict([one, two], few, tmp_path / "out.csv", networks=networks)
    write_tuning(two, threshold=129)
    with pytest.raises(KitError, match="was not tuned together"):
        predict([one, two], few, tmp_path / "out.csv", networks=networks)


def test_several_models_are_averaged(folds, few, tmp_path, capsys):
    one, two, three = (shutil.copytree(folder, tmp_path / folder.name) for folder in folds)
    models = [
        {"name": "model", "weights": digest_file(folder / "best.weights.h5")}
        for folder in (three, two, one)
    ]
    for folder in (one, two, three):
        write_tuning(folder, min_presence=0.2, models=models)
    networks = [folds[folder]() for folder in folds]
    found = predict([one, two, three], few, tmp_path / "out.csv", networks=networks)
    assert "other weights" not in capsys.readouterr().out
    assert found == predict_by_hand(few, found.ids, networks, Cuts(min_presence=0.2))
    assert found != predict_by_hand(few, found.ids, networks[:1], Cuts(min_presence=0.2))


def test_models_of_two_competitions_are_not_mixed(copy, few, small, tmp_path):
    other = shutil.copytree(copy, tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    changed = dataclasses.replace(find_competition(str(small / "competition.json")), height=96)
    (other / "config.json").write_text(json.dumps(config | {"competition": to_json(changed)}))
    with pytest.raises(KitError, match="trained on another competition"):
        predict(
            [copy, other], few, tmp_path / "out.csv", networks=[make_detector(), make_detector()]
        )


def test_presence_of_stored_maps_is_that_of_the_network(folds, small):
    index = open_index(small / "records", [0])
    stored = map_files.read_presence(next(iter(folds)) / "maps")
    expected = np.concatenate(
        [collect([make_mapper(make_detector())(images)])[1] for _, images, _ in scan(index, 2)]
    )
    assert np.array_equal(
        average_presence([np.array([stored[name] for name in index.truth.ids])]), expected
    )
    assert all(stored[name] == float(value) for name, value in zip(index.truth.ids, expected))
