"""A training that --max-hours, Kaggle, Ctrl-C or SIGTERM stops is saved, and goes on."""

import signal
import threading

import pytest

from kit.tf.training.training import train
from tests.tf.training.conftest import SMALL, same_training

pytestmark = pytest.mark.usefixtures("shallow")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_saved_and_the_same_command_goes_on(
    packed, undisturbed, tmp_path, capsys, monkeypatch, number
):
    from kit.tf.training import stage

    former, calls = stage.learning_rate, []

    def interrupt(*arguments):
        calls.append(1)
        if len(calls) == 6:
            signal.raise_signal(number)
        return former(*arguments)

    before = signal.getsignal(number)
    with monkeypatch.context() as patch:
        patch.setattr("kit.tf.training.stage.learning_rate", interrupt)
        assert len(train(packed, tmp_path / "model", **SMALL)) == 1
    assert f"stopped by {number.name} in epoch 2, step 5; saved in" in capsys.readouterr().out
    assert signal.getsignal(number) is before
    train(packed, tmp_path / "model", **SMALL)
    same_training(undisturbed, tmp_path / "model")


def test_a_signal_while_the_holdout_is_scored_stops_saved(
    packed, undisturbed, tmp_path, capsys, monkeypatch
):
    first = (
        threading.Lock()
    )  # maps are written by several threads, and a second signal would end the process

    def interrupt(folder, name, image):
        if first.acquire(blocking=False):
            signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr("kit.objects.map_files.write_map", interrupt)
        assert train(packed, tmp_path / "model", **SMALL) == []
    assert "stopped by SIGTERM in epoch 1" in capsys.readouterr().out
    assert (tmp_path / "model" / "best.weights.h5").is_file() and not (
        tmp_path / "model" / "maps"
    ).exists()
    train(packed, tmp_path / "model", **SMALL)
    same_training(undisturbed, tmp_path / "model")


def test_max_hours_stops_saved_before_the_first_step(packed, undisturbed, tmp_path, capsys):
    assert train(packed, tmp_path / "model", max_hours=1e-9, **SMALL) == []
    assert "stopped by --max-hours 1e-09 in epoch 1, step 0" in capsys.readouterr().out
    assert {"best.weights.h5", "last.weights.h5"} <= {
        path.name for path in (tmp_path / "model").iterdir()
    }
    train(packed, tmp_path / "model", **SMALL)
    same_training(undisturbed, tmp_path / "model")


def test_on_kaggle_a_training_ends_before_its_session(
    packed, undisturbed, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("kit.tf.training.training.find_hours", lambda: 1e-9)
    assert train(packed, tmp_path / "model", **SMALL) == []
    text = capsys.readouterr().out
    assert (
        "before Kaggle ends this session; --max-hours sets another limit" in text
        and "stopped by --max-hours 1e-09" in text
    )
    train(packed, tmp_path / "model", max_hours=1.0, **SMALL)
    same_training(undisturbed, tmp_path / "model")


def test_the_time_to_the_end_is_said_once_after_fifty_steps(packed, tmp_path, capsys):
    """Of steps that train the whole network."""
    options = {"steps": 35, "epochs": 2, "freeze_encoder": 5, "save_minutes": 5.0}
    train(packed, tmp_path / "model", **(SMALL | options | {"max_hours": 24.0}))
    lines = [line for line in capsys.readouterr().out.splitlines() if "s per step" in line]
    assert (
        len(lines) == 1 and "the 15 steps left take" in lines[0] and "--max-hours" not in lines[0]
    )
