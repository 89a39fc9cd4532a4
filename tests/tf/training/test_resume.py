"""Kills, full disks and damaged states: a resumed training ends as if undisturbed."""

import os
import random
import resource
import shutil
import signal

import numpy as np
import pytest
import tensorflow as tf

from kit.competition.conventions import Competition
from kit.errors import KitError
from kit.machine.session import Session
from kit.models.checkpoint import load_state
from kit.packing import packing
from kit.tf.network import plain
from kit.tf.training import stage
from kit.tf.training.training import train
from tests.conftest import arrays_of
from tests.deaths import Death, plan_death
from tests.forks import finish, run_kit_within
from tests.tf.training.conftest import SMALL, TINY, history_of, same_training, train_in_child

pytestmark = pytest.mark.usefixtures("shallow")


# Each of them once before and once after it is due; a file that is torn lost its second half.
IN_EPOCH_2 = Death("replace", False, ".npz", 9)


DEATHS = [
    Death("replace", False, ".npz", 2, torn=True),
    Death("fsync", False, ".npz", 2, torn=True),
    Death("fsync", True, ".npz", 2),
    Death("replace", True, ".npz", 2),
    Death("replace", False, "last.weights.h5", torn=True),
    Death("replace", True, "last.weights.h5"),
    Death("fsync", False, "history.csv"),
    Death("replace", False, "history.csv"),
    Death("replace", True, "history.csv"),
    Death("replace", True, "best.weights.h5"),
]


def command_shallow(limit, records, out) -> None:
    """In a child: the same training by `kit train`, with no file of more than `limit` bytes."""
    plain.FILTERS = (8, 8)
    options = []
    for name, value in SMALL.items():
        words = (
            [",".join(value) if isinstance(value, tuple) else str(value)]
            if value is not True
            else []
        )
        options += [f"--{name.replace('_', '-')}", *words]
    run_kit_within(limit, "train", records, out, *options)


def test_twelve_kills_change_nothing(packed, undisturbed, tmp_path):
    """Ten at planned points, two at random moments."""
    rng, out = random.Random(5), tmp_path / "model"
    for death in (DEATHS[0], rng.uniform(0, 0.5), *DEATHS[1:5], rng.uniform(0, 0.5), *DEATHS[5:]):
        status, _, stderr = train_in_child(packed, out, death)
        print(death, "left", sorted(path.name for path in out.rglob("*") if path.is_file()))
        assert status == -signal.SIGKILL, (death, stderr)
        rows = history_of(out) if (out / "history.csv").exists() else []
        assert [row["epoch"] for row in rows] == [str(epoch) for epoch in range(1, len(rows) + 1)]
    assert len(rows) < 3  # it was killed before it was done
    status, _, stderr = train_in_child(packed, out)
    assert status == 0, stderr
    same_training(undisturbed, out)


def train_whole(records, out, delay) -> None:
    """In a child, with all filters, and as many threads as TensorFlow wants."""
    os.environ.pop("TF_NUM_INTRAOP_THREADS", None)
    plan_death(delay)
    train(records, out, **SMALL)


@pytest.mark.prove(
    reason="the network of full depth, killed twelve times at random moments: a minute and more"
)
def test_twelve_random_kills_of_the_whole_network_change_nothing(packed, tmp_path):
    rng, kills = random.Random(6), 0
    assert finish(train_whole, packed, tmp_path / "undisturbed", None)[0] == 0
    while kills < 12:
        delay = rng.uniform(0, 1)
        status, _, errors = finish(train_whole, packed, tmp_path / "model", delay)
        assert status in (0, -signal.SIGKILL), errors
        print(f"{'killed' if status else 'done before'} {delay:.3f} s after the first fsync")
        kills += status != 0
        if status == 0:
            same_training(tmp_path / "undisturbed", tmp_path / "model")
            shutil.rmtree(tmp_path / "model")
    assert finish(train_whole, packed, tmp_path / "model", None)[0] == 0
    same_training(tmp_path / "undisturbed", tmp_path / "model")


def test_a_finished_training_says_so_and_more_epochs_go_on(packed, undisturbed, tmp_path, capsys):
    out = shutil.copytree(undisturbed, tmp_path / "model")
    before = {path: path.read_bytes() for path in out.rglob("*.h5")}
    assert len(train(packed, out, **SMALL)) == 3
    assert "is finished after 3 epochs; a larger --epochs continues it" in capsys.readouterr().out
    assert before == {path: path.read_bytes() for path in out.rglob("*.h5")}
    history = train(packed, out, **(SMALL | {"epochs": 4}))
    assert [row["epoch"] for row in history] == [
        1,
        2,
        3,
        4,
    ] and "resuming" in capsys.readouterr().out
    assert [row["epoch"] for row in history_of(out)] == ["1", "2", "3", "4"]


def test_a_damaged_state_falls_back_to_the_one_before(packed, undisturbed, tmp_path, capsys):
    out = tmp_path / "model"
    assert train_in_child(packed, out, IN_EPOCH_2)[0] == -signal.SIGKILL
    states = sorted((out / "state").glob("step-*.npz"))
    assert len(states) == 2
    states[1].write_bytes(states[1].read_bytes()[:-1000])
    train(packed, out, **SMALL)
    assert "is damaged" in capsys.readouterr().out
    same_training(undisturbed, out)


def test_a_training_that_another_session_left_inside_an_epoch_ends_as_one(
    small, packed, undisturbed, tmp_path, capsys
):
    """With records that were packed anew, and a folder of which nothing can be written."""
    earlier = tmp_path / "input" / "notebook" / "model"
    assert train_in_child(packed, earlier, IN_EPOCH_2)[0] == -signal.SIGKILL
    for path in (earlier, *earlier.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    packing.pack(
        small / "competition",
        tmp_path / "records",
        folds=3,
        competition=Competition(height=48, width=48, scenes=""),
    )
    session = Session(
        small / "competition", False, tmp_path, tmp_path / "working", tmp_path / "input"
    )
    assert len(train(tmp_path / "records", session.bring("model"), max_hours=1e-9, **SMALL)) == 1
    assert "after step 6, epoch 2/3" in capsys.readouterr().out
    train(tmp_path / "records", session.bring("model"), **SMALL)
    same_training(
        undisturbed, session.working / "model", maps=False
    )  # those of its first epoch are not brought


def test_a_full_disk_says_so_and_keeps_the_last_good_state(packed, undisturbed, tmp_path):
    out = tmp_path / "model"
    assert train_in_child(packed, out, Death("replace", False, ".npz", 5))[0] == -signal.SIGKILL
    states = {path.name: path.read_bytes() for path in (out / "state").glob("step-*.npz")}
    limit = min(map(len, states.values())) // 2

    status, _, errors = finish(command_shallow, limit, packed, out)
    assert status == 2 and "is full" in errors and len(errors.strip().splitlines()) == 1, errors
    kept = {path.name: path.read_bytes() for path in (out / "state").glob("step-*.npz")}
    assert kept == states
    status, _, errors = finish(command_shallow, resource.RLIM_INFINITY, packed, out)
    assert status == 0, errors
    same_training(undisturbed, out)


@pytest.mark.parametrize(
    "eager",
    [
        True,
        pytest.param(False, marks=pytest.mark.prove(reason="five traces: eight seconds")),
    ],
)
def test_a_training_stopped_before_the_encoder_thaws_ends_as_one(
    packed, tmp_path, monkeypatch, eager
):
    options = TINY | {"steps": 4, "average": 0.9, "encoder_rate": 0.5, "freeze_encoder": 3}
    former, calls = stage.learning_rate, []

    def interrupt(*arguments):
        calls.append(1)
        if len(calls) == 2:
            signal.raise_signal(signal.SIGTERM)
        return former(*arguments)

    states = []
    for name in ("whole", "stopped", "stopped"):
        with monkeypatch.context() as patch:
            if name == "stopped" and not calls:
                patch.setattr(stage, "learning_rate", interrupt)
            tf.config.run_functions_eagerly(eager)
            try:
                train(packed, tmp_path / name, fold=None, **options)
            finally:
                tf.config.run_functions_eagerly(False)
        states.append(load_state(tmp_path / name / "state"))
    (whole, end), (half, _), (again, last) = states
    # All steps of the optimizer, and those in which the encoder learned.
    counts = [
        [int(a) for a in arrays if a.shape == () and a.dtype.kind == "i"] for arrays, _ in states
    ]
    assert counts == [[4, 1], [2, 0], [4, 1]]
    assert len(whole) == len(half) and all(map(np.array_equal, whole, again))
    assert end["history"][0]["loss"] == last["history"][0]["loss"]


CHANGES = {
    "crop": 40,
    "learning_rate": 2e-3,
    "seed": 1,
    "loss": ("dice",),
    "ship_share": 0.5,
    "filters": (8, 8, 8, 8, 8),
    "best_by": "epoch",
    "encoder_rate": 0.5,
    "freeze_encoder": 3,
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_setting_is_refused_and_named(packed, undisturbed, name):
    before = sorted(os.listdir(undisturbed)), (undisturbed / "config.json").read_bytes()
    with pytest.raises(
        KitError, match=f"began with --{name.replace('_', '-')} .*only --epochs, --max-hours"
    ):
        train(packed, undisturbed, **(SMALL | {name: CHANGES[name]}))
    assert before == (sorted(os.listdir(undisturbed)), (undisturbed / "config.json").read_bytes())


def test_other_records_and_own_functions_are_refused_moved_ones_are_not(
    packed, undisturbed, records, tmp_path, capsys
):
    with pytest.raises(KitError, match="other records"):
        train(records, undisturbed, **SMALL)
    with pytest.raises(KitError, match="own"):
        train(packed, undisturbed, schedule=lambda *_: 1.0, **SMALL)
    moved = shutil.copytree(packed, tmp_path / "moved")
    assert len(train(moved, shutil.copytree(undisturbed, tmp_path / "model"), **SMALL)) == 3


def test_a_new_training_starts_from_anothers_weights(packed, undisturbed, tmp_path):
    train(
        packed,
        tmp_path / "a",
        start_from=str(undisturbed),
        **(SMALL | {"epochs": 1, "steps": 1, "learning_rate": 0.0, "average": 0.0}),
    )
    first, best = (
        arrays_of(tmp_path / "a" / "last.weights.h5"),
        arrays_of(undisturbed / "best.weights.h5"),
    )
    same = [np.array_equal(first[key], best[key]) for key in best if "seed" not in key]
    assert all(same) and len(same) > 10
    with pytest.raises(KitError, match="--start-from .*nowhere: holds no best"):
        train(packed, tmp_path / "b", start_from=str(tmp_path / "nowhere"), **SMALL)


def test_two_trainings_in_one_folder_at_once_are_refused(packed, undisturbed):
    from kit.system.locks import hold

    with (
        hold(undisturbed, "kit train"),
        pytest.raises(KitError, match="another kit train is at work there"),
    ):
        train(packed, undisturbed, **SMALL)
