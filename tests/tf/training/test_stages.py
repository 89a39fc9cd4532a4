"""A training in stages: one history, resumed exactly on both sides of the border."""

import signal

import numpy as np
import pytest
import tensorflow as tf

from kit.errors import KitError
from kit.models.checkpoint import load_state
from kit.presets import STAGES
from kit.settings import choose_training
from kit.tf.training import stage
from kit.tf.training.run import Run
from kit.tf.training.training import train
from tests.tf.training.conftest import TINY

OPTIONS = TINY | {"fold": None, "steps": 3, "average": 0.9, "presence": True, "then": ["cpu-whole"]}
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
    rates, enter = stage.learning_rate, Run._enter
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
    assert [(row["epoch"], row["step"]) for row in rows] == [(1, 3), (2, 5)]
    steps = [*seen[:3], *seen[4:6]]  # each epoch's row asks once more
    assert max(steps[:3]) == pytest.approx(1e-3) and max(steps[3:]) == pytest.approx(5e-4)
    assert batches == [(2, 32, 0), (3, None, 0)]
    assert "stage 2/2: cpu-whole" in capsys.readouterr().out

    def interrupt(*arguments):
        seen.append(0)
        if len(seen) == 5:  # in the second stage's first step
            signal.raise_signal(signal.SIGTERM)
        return rates(*arguments)

    def fall(run, progress):
        if progress.stage == 1:
            raise RuntimeError("killed at the border")
        return enter(run, progress)

    for name, place in {
        "border": (Run, "_enter", fall),
        "step": (stage, "learning_rate", interrupt),
    }.items():
        seen.clear()
        with monkeypatch.context() as patch:
            patch.setattr(*place)
            if name == "border":
                with pytest.raises(RuntimeError, match="border"):
                    train(packed, tmp_path / name, **OPTIONS)
            else:
                train(packed, tmp_path / name, **OPTIONS)
        at = load_state(tmp_path / name / "state")[1]
        assert (at["step"], at["stage"]) == ((3, 0) if name == "border" else (4, 1))
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


def test_a_stage_changes_what_a_stage_can(tried):
    chosen = choose_training(then=list(STAGES))
    network = {"encoder", "filters", "decoder", "scale", "output", "presence", "average", "mixed"}
    for name, settings in zip(STAGES, stage.list_stages(chosen)[1:]):
        assert not network & set(STAGES[name]) and settings.crop == STAGES[name]["crop"]
