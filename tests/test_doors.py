"""Two doors, one rule: functions and their commands accept and refuse the same."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import polars
import pytest

import kit
from kit.cli import main
from kit.competition.conventions import Competition, to_json

SMALL = Competition(name="small", height=6, width=8)
TRUTH = "ImageId,EncodedPixels\na.jpg,1 4 7 4\nb.jpg,\nc.jpg,31 3\nd.jpg,\n"
SCENES = "ImageId,scene,fold\na.jpg,1,0\nb.jpg,2,1\nc.jpg,3,0\nd.jpg,4,1\n"
# Every form in which a function takes a CSV.
CSVS = {
    "path": lambda path: path,
    "text of a path": str,
    "bytes": lambda path: path.read_bytes(),
    "name and bytes": lambda path: (path.name, path.read_bytes()),
    "pandas": lambda path: pd.read_csv(path),
    "polars": lambda path: polars.read_csv(path),
}
# Every form in which a function is told the competition, of images that are 6 x 8 px.
RULES = {
    "Competition": lambda folder: {"competition": SMALL},
    "file": lambda folder: {"competition": str(folder / "small.json")},
    "path": lambda folder: {"competition": folder / "small.json"},
    "name and shape": lambda folder: {"competition": "airbus", "shape": (6, 8)},
    "text of a shape": lambda folder: {"shape": "6x8"},
}
# What every function refuses, with the words of the error.
REFUSED = {
    "another competition": ({"competition": "coco"}, "competition 'coco': not one of airbus"),
    "no competition": ({"competition": 7}, "competition '7': not one of airbus"),
    "another shape": ({"shape": "6"}, "'6': expected HEIGHTxWIDTH in px"),
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "truth.csv").write_text(TRUTH)
    (tmp_path / "scenes.csv").write_text(SCENES)
    (tmp_path / "small.json").write_text(json.dumps(to_json(SMALL)))
    (tmp_path / "maps").mkdir()
    masks = kit.read_csv(TRUTH.encode(), SMALL)
    for image, name in enumerate(masks.ids):
        np.save(tmp_path / "maps" / f"{name}.npy", (kit.to_labels(masks, image) > 0) * 0.9)
    return tmp_path


def check(folder, csv, **rules):
    return kit.check_csv(csv, folder / "truth.csv", **rules)[0] == []


def check_sample(folder, csv, **rules):
    return kit.check_csv(folder / "truth.csv", csv, **rules)[0] == []


def score(folder, csv, **rules):
    return kit.score_csv(csv, folder / "truth.csv", **rules)["f2"] == 1


def score_prediction(folder, csv, **rules):
    return kit.score_csv(folder / "truth.csv", csv, **rules)["f2"] == 1


def write(folder, csv, **rules):
    masks = kit.read_csv(TRUTH.encode(), SMALL)
    kit.write_csv(masks, folder / "out.csv", rules["competition"], sample=csv)
    return (folder / "out.csv").read_text() == TRUTH


def read(folder, csv, **rules):
    return len(kit.read_csv(csv, rules["competition"]).labels) == 2


def tune(folder, csv, **rules):
    tuned = kit.tune_maps(folder / "maps", csv, folder / "tuning.json", **rules)
    return tuned.fields["images"] == 4


def predict(folder, csv, **rules):
    found = kit.predict_maps(folder / "maps", csv, folder / "predicted.csv", **rules)
    return len(found.labels) == 2


SHAPED = [check, check_sample, score, score_prediction, tune, predict]
FUNCTIONS = [*SHAPED, write, read]


def name(function):
    return function.__name__


@pytest.mark.parametrize("form", CSVS)
@pytest.mark.parametrize("function", FUNCTIONS, ids=name)
def test_a_csv_is_taken_in_every_form(folder, function, form):
    assert function(folder, CSVS[form](folder / "truth.csv"), competition=SMALL)


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("function", FUNCTIONS, ids=name)
def test_a_competition_is_taken_in_every_form(folder, function, rules):
    told = RULES[rules](folder)
    if function in SHAPED or "shape" not in told:
        assert function(folder, folder / "truth.csv", **told)


@pytest.mark.parametrize("told", REFUSED)
@pytest.mark.parametrize("function", FUNCTIONS, ids=name)
def test_a_function_refuses_what_its_command_refuses(folder, capsys, function, told):
    wrong, words = REFUSED[told]
    if "shape" in wrong and function not in SHAPED:
        return
    with pytest.raises(kit.KitError) as error:
        function(folder, folder / "truth.csv", **wrong)
    assert words in str(error.value) and "\n" not in str(error.value)


COMMANDS = {
    "check": ["check", "truth.csv", "truth.csv"],
    "score": ["score", "truth.csv", "truth.csv"],
    "tune": ["tune", "--maps", "maps", "truth.csv", "tuning.json"],
    "predict": ["predict", "--maps", "maps", "truth.csv", "predicted.csv"],
}


@pytest.mark.parametrize("verb", COMMANDS)
def test_the_commands_say_the_same(folder, capsys, monkeypatch, verb):
    monkeypatch.chdir(folder)
    for options, status, words in (
        (["--competition", "small.json"], 0, ""),
        (["--shape", "6x8"], 0, ""),
        (["--competition", "coco"], 2, REFUSED["another competition"][1]),
        (["--competition", "gone.json"], 2, "gone.json: missing"),
    ):
        assert main([*COMMANDS[verb], *options]) == status
        assert words in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main([*COMMANDS[verb], "--shape", "6"])
    assert REFUSED["another shape"][1] in capsys.readouterr().err


@pytest.mark.parametrize("value", [3, None, ["a"], {"a": 1}, object()])
@pytest.mark.parametrize("function", [check, score, write, read], ids=name)
def test_what_is_no_csv_is_refused_in_one_line(folder, function, value):
    if function is write and value is None:
        return  # without a sample the masks decide
    with pytest.raises(kit.KitError, match=r"give a path, bytes or a DataFrame$"):
        function(folder, value, competition=SMALL)


@pytest.mark.parametrize("form", CSVS)
def test_scenes_and_folds_are_taken_in_every_form(folder, small, form):
    tuned = kit.tune_maps(
        folder / "maps",
        folder / "truth.csv",
        folder / "tuning.json",
        scenes=CSVS[form](folder / "scenes.csv"),
        competition=SMALL,
    )
    assert tuned.fields["images"] == 4
    place, folds = small / "competition", small / "records" / "folds.csv"
    rules = kit.Competition(height=48, width=48)
    index = kit.open_index(place, [0], folds_csv=CSVS[form](folds), competition=rules)
    assert 0 < len(index) < len(pd.read_csv(folds))


@pytest.mark.parametrize("form", [str, Path, kit.open_records, kit.open_index], ids=name)
def test_a_source_is_taken_in_every_form(small, form):
    assert len(kit.open_index(form(small / "records"))) > 5


@pytest.mark.parametrize(
    "wrong", [np.array([[20.0, 220.0]]), np.array([[-3.0, 4.0]]), np.full((2, 3), np.nan)], ids=str
)
def test_an_array_and_its_file_are_refused_alike(folder, wrong):
    np.save(folder / "maps" / "x.jpg.npy", wrong)
    with pytest.raises(kit.KitError) as array:
        kit.find_objects(["x.jpg"], [wrong])
    with pytest.raises(kit.KitError) as file:
        kit.predict_maps(
            folder / "maps",
            b"ImageId,EncodedPixels\nx.jpg,\n",
            folder / "x.csv",
            shape=wrong.shape[:2],
        )
    told = [str(error.value).rpartition("x.jpg")[2].partition(": ")[2] for error in (array, file)]
    assert told[0] == told[1]


@pytest.mark.tensorflow
@pytest.mark.parametrize("form", CSVS)
@pytest.mark.parametrize("rules", ["object", "file", "path"])
def test_batches_and_the_callback_take_what_an_index_takes(folder, small, form, rules):
    square = Competition(name="square", height=48, width=48)
    (folder / "square.json").write_text(json.dumps(to_json(square)))
    path = folder / "square.json"
    told = {"object": square, "file": str(path), "path": path}[rules]
    folds = CSVS[form](small / "records" / "folds.csv")
    options = {"folds_csv": folds, "competition": told}
    place = small / "competition"
    index = kit.open_index(place, [0], **options)
    assert kit.ObjectF2(place, [0], **options).index.truth == index.truth
    images, masks = next(iter(kit.batches(place, [0], batch=2, crop=48, **options)))
    assert images.shape == (2, 48, 48, 3) and masks.shape == (2, 48, 48)


@pytest.mark.tensorflow
@pytest.mark.parametrize("public", ["open_index", "batches", "ObjectF2"])
def test_an_index_batches_and_the_callback_refuse_alike(small, public):
    call = getattr(kit, public)  # not sooner: it loads TensorFlow
    with pytest.raises(kit.KitError, match="competition 'coco': not one of airbus"):
        call(small / "competition", competition="coco")
    with pytest.raises(kit.KitError, match=r"no such folder or zip"):
        call(small / "gone")
    with pytest.raises(kit.KitError, match=r"give a path, bytes or a DataFrame$"):
        call(small / "competition", folds_csv=3, competition=Competition(height=48, width=48))
