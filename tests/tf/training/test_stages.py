"""A training in stages: one history, resumed exactly on both sides of the border."""

import signal

import numpy as np
import pytest
import tensorflow as tf

from kit.errors import KitError
from kit.masks import table
from kit.models.checkpoint import load_state
from kit.presets import STAGES
from kit.records.index import open_index
from kit.settings import choose_training
from kit.tf.data.batches import scan
from kit.tf.network.unet import unet
from kit.tf.training import run, stage
from kit.tf.training.gate import fit_gate
from kit.tf.training.run import Run
from kit.tf.training.training import train
from kit.tuning.calibration import logit
from tests.tf.training.conftest import TINY

OPTIONS = TINY | {
    "fold": None,
    "steps": 3,
    "average": 0.9,
    "presence": True,
    "then": ["cpu-whole", "gate"],
}
WHOLE = {"steps": 2, "batch": 3, "learning_rate": 5e-4, "empty_share": None}


@pytest.fixture
def tried(shallow, monkeypatch):
    """A second stage of two steps; steps run eagerly, which spares the traces."""
    monkeypatch.setitem(STAGES, "cpu-whole", STAGES["cpu-whole"] | WHOLE)
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def test_a_training_goes_on_in_its_next_stage_and_ends_the_same_wherever_it_stopped(
    packed, tmp_path, monkeypatch, capsys, tried
):
    rates, enter, fit = stage.learning_rate, Run._enter, run.fit_gate
    seen, batches, make = [], [], stage.batches

    def watch(*arguments):
        seen.append(rates(*arguments))
        return seen[-1]

    def note(*arguments, **options):
        batches.append((options["batch"], options["crop"], options["start"]))
        return make(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(stage, "learning_rate", watch)
        patch.setattr(stage, "batches", note)
        rows = train(packed, tmp_path / "whole", **OPTIONS)
    assert [(row["epoch"], row["step"]) for row in rows] == [(1, 3), (2, 5), (3, 5)]
    steps = [*seen[:3], *seen[4:6]]  # each epoch's row asks once more
    assert max(steps[:3]) == pytest.approx(1e-3) and max(steps[3:]) == pytest.approx(5e-4)
    assert batches == [(2, 32, 0), (3, None, 0)]
    assert "stage 2/3: cpu-whole" in capsys.readouterr().out

    def interrupt(*arguments):
        seen.append(0)
        if len(seen) == 5:  # in the second stage's first step
            signal.raise_signal(signal.SIGTERM)
        return rates(*arguments)

    def fall(training, progress):
        if progress.stage == 1:
            raise RuntimeError("killed at the border")
        return enter(training, progress)

    def halt(network, index, stopped):
        signal.raise_signal(signal.SIGTERM)
        return fit(network, index, stopped)

    for name, place, reached in (
        ("border", (Run, "_enter", fall), (3, 0)),
        ("step", (stage, "learning_rate", interrupt), (4, 1)),
        ("gate", (run, "fit_gate", halt), (5, 2)),
    ):
        seen.clear()
        with monkeypatch.context() as patch:
            patch.setattr(*place)
            if name == "border":
                with pytest.raises(RuntimeError, match="border"):
                    train(packed, tmp_path / name, **OPTIONS)
            else:
                train(packed, tmp_path / name, **OPTIONS)
        at = load_state(tmp_path / name / "state")[1]
        assert (at["step"], at["stage"]) == reached
        train(packed, tmp_path / name, **OPTIONS)
        (wanted, words), (found, again) = (
            load_state(tmp_path / folder / "state") for folder in ("whole", name)
        )
        assert len(wanted) == len(found) and all(map(np.array_equal, wanted, found)), name
        for row in (*words["history"], *again["history"]):
            del row["seconds"]
        assert words["history"] == again["history"]
    with pytest.raises(KitError, match="--epochs may change only before the next stage begins"):
        train(packed, tmp_path / "whole", **(OPTIONS | {"epochs": 2}))


def test_the_gate_is_fitted_to_whole_images_and_changes_nothing_else(packed, tmp_path, shallow):
    index = open_index(packed, [0, 1])
    network = unet("plain", presence=True)
    before = {weight.path: weight.numpy() for weight in network.weights}
    holds = table.count_objects(index.truth) > 0
    first = fit_gate(network, index, lambda: False)
    changed = [w.path for w in network.weights if not np.array_equal(before[w.path], w)]
    assert sorted(path.split("/")[-2] for path in changed) == ["presence_dense"] * 2
    found = [network(images)["presence"].numpy() for _, images, _ in scan(index, 2)]
    said = logit(np.concatenate(found))
    assert said[holds].mean() > said[~holds].mean() and 0 < first < 2 * np.log(2)
    assert fit_gate(network, index, lambda: False) == first  # what it says itself has no say
    assert fit_gate(network, index, lambda: True) is None
    for then in (["gate"], ["gate", "cpu-whole"]):
        with pytest.raises(KitError, match="gate comes last, and needs --presence"):
            choose_training(then=then, presence=then[-1] == "cpu-whole")
    with pytest.raises(KitError, match="--then gate: fits the kit's own networks"):
        train(packed, tmp_path / "own", model=network, presence=True, then=["gate"], **TINY)


def test_a_stage_changes_what_a_stage_can(tried):
    chosen = choose_training(then=list(STAGES))
    network = {"encoder", "filters", "decoder", "scale", "output", "presence", "average", "mixed"}
    for name, settings in zip(STAGES, stage.list_stages(chosen)[1:]):
        assert not network & set(STAGES[name]) and settings.crop == STAGES[name]["crop"]
