"""What a reader of `kit` meets first: its names without TensorFlow, its signatures and reprs."""

import dataclasses
import inspect
import subprocess
import sys
import typing

import numpy as np
import pytest

import kit
from kit.competition import csv_text
from kit.competition.catalog import COMPETITIONS
from kit.competition.conventions import Competition
from kit.records.index import open_index
from kit.scoring.counts import Counts
from kit.tuning.tuning import Tuning

# Modules of the extra `train`; without them, these names need one when they are called.
TRAIN = ("tensorflow", "keras", "tensorflow_datasets", "sklearn")
NEED = ("pack", "repair", "batches", "unet", "make_loss", "ObjectF2", "load_model", "train")
NEED += ("tune", "predict", "report", "run_demo", "check_settings")

EXPLORING = """
import inspect, pydoc, rlcompleter, sys
sys.modules |= dict.fromkeys(sys.argv[2].split(","))
import kit
from kit import *

assert set(kit.__all__) <= set(dir(kit)) and set(kit.__all__) <= set(globals())
assert all(hasattr(kit, name) for name in dir(kit)) and not hasattr(kit, "nothing")
members = dict(inspect.getmembers(kit))
assert callable(members["train"]) and "pip install" in members["train"].__doc__
assert "train(" in pydoc.render_doc(kit) and inspect.signature(kit.train)
assert rlcompleter.Completer({"kit": kit}).complete("kit.trai", 0).startswith("kit.train")
folder = sys.argv[1]
calls = dict.fromkeys(sys.argv[3].split(","), (folder, "out"))
calls |= {"run_demo": ("demo",), "report": ("a model",)}
for name, arguments in calls.items():
    try:
        getattr(kit, name)(*arguments)
    except KitError as error:
        assert "pip install '.[train]'" in str(error), (name, error)
    else:
        raise AssertionError(name)
"""


def test_without_the_extra_names_are_there_and_a_call_says_what_to_install(records, tmp_path):
    command = [sys.executable, "-c", EXPLORING, records, ",".join(TRAIN), ",".join(NEED)]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.iterdir())  # nothing was begun


def test_a_name_that_could_not_be_loaded_works_once_it_can(monkeypatch):
    modules = [name for name in sys.modules if name.startswith("kit.tf.network.losses")]
    for name in modules:
        monkeypatch.delitem(sys.modules, name)
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "kit.tf.network.losses", None)
        early = kit.make_loss
        with pytest.raises(ImportError):
            early("dice")
    assert len(early("dice").parts) == 1


@pytest.mark.tensorflow
def test_no_signature_spells_a_competition_out():
    named = {name: getattr(kit, name) for name in kit.__all__ if name != "Competition"}
    texts = [str(inspect.signature(value)) for value in named.values() if callable(value)]
    assert any("Competition('airbus')" in text for text in texts)
    assert str(inspect.signature(kit.train)).startswith("(records, out, *, model=None")
    assert max(map(len, texts)) < 1200 and not any("train_v2" in text for text in texts)


def test_a_competition_tells_what_it_has_other_than_airbus():
    assert repr(Competition()) == "Competition('airbus')"
    assert repr(Competition(name="mine", height=256, labels=("a",))) == (
        "Competition('mine', labels=('a',), height=256)"
    )
    for competition in COMPETITIONS.values():
        assert eval(repr(competition), {"Competition": Competition}) == competition


def check_repr(value) -> None:
    text = repr(value)
    assert text.count("\n") < 10 and len(text) < 800, text
    assert "array(" not in text and type(value).__name__ in text


def test_a_repr_gives_sizes_instead_of_contents(records):
    index = open_index(records)
    truth = index.truth
    assert repr(truth) == (
        f"Masks({len(truth)} images, {len(truth.labels)} objects, {len(truth.start)} runs)"
    )
    counts = kit.count(truth, truth)
    assert f"tp=int32[{len(truth)}, 10]" in repr(counts)
    opened = kit.open_records(records)
    assert f"manifest=<dict of {len(opened.manifest)}>" in repr(opened)
    page = kit.report(records)
    assert repr(page) == f"Page(text=<str of {len(page.text)}>)"
    made = [truth, counts, index, opened, page, kit.find_mistakes(truth, truth), kit.Cuts()]
    made += [*kit.climb_ladder(truth, truth).values(), *COMPETITIONS.values()]
    made.append(kit.read_csv(csv_text.format_csv(truth)))
    for value in made:
        check_repr(value)


def test_a_tuning_is_told_in_a_line(records, tmp_path):
    truth = open_index(records).truth
    (tmp_path / "maps").mkdir()
    for place, name in enumerate(truth.ids):
        image = kit.to_labels(truth, place) > 0
        np.save(tmp_path / "maps" / f"{name}.npy", np.uint8(200) * image)
    (tmp_path / "truth.csv").write_bytes(csv_text.format_csv(truth))
    tuned = kit.tune_maps(tmp_path / "maps", tmp_path / "truth.csv", tmp_path / "tuning.json")
    check_repr(tuned)
    assert f"cuts=<list of {len(truth)}>" in repr(tuned) and "float32[" in repr(tuned)


@pytest.mark.tensorflow
def test_an_evaluation_is_told_in_a_line(model):
    from kit.tf.inference.evaluation import evaluate

    check_repr(evaluate(model))


@pytest.mark.tensorflow
def test_results_that_hold_arrays_do_not_print_them():
    """A data class with an array and the repr that dataclasses makes would print it."""
    functions = [getattr(kit, name) for name in kit.__all__]
    kinds = set()
    for function in filter(inspect.isfunction, functions):
        hint = typing.get_type_hints(inspect.unwrap(function)).get("return")
        kinds |= {kind for kind in (hint, *typing.get_args(hint)) if dataclasses.is_dataclass(kind)}
    assert {kit.Masks, Counts, Tuning} <= kinds
    for kind in kinds:
        hints = " ".join(map(str, typing.get_type_hints(kind).values()))
        made = hasattr(kind.__repr__, "__wrapped__")  # by dataclasses
        assert not made or not any(
            word in hints for word in ("ndarray", "Masks", "dict", "list")
        ), kind
