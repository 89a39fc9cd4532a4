"""Kills, signals, full disks and damaged states: a resumed training ends as if undisturbed."""

import csv
import os
import random
import resource
import shutil
import signal
import threading

import numpy as np
import pytest

from kit.competition.conventions import Competition
from kit.errors import KitError
from kit.machine.session import Session
from kit.packing import packing
from kit.tf.network import plain
from kit.tf.training.training import train
from tests.conftest import arrays_of
from tests.deaths import Death, plan_death
from tests.forks import finish, run_kit_within

pytestmark = pytest.mark.usefixtures("shallow")

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


@pytest.fixture
def tiny(small):
    """Records of small images, so that the holdout is scored in no time."""
    return small / "records"


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


def test_twelve_kills_change_nothing(tiny, undisturbed, tmp_path):
    """Ten at planned points, two at random moments."""
    rng, out = random.Random(5), tmp_path / "model"
    for death in (DEATHS[0], rng.uniform(0, 0.5), *DEATHS[1:5], rng.uniform(0, 0.5), *DEATHS[5:]):
        status, _, stderr = train_in_child(tiny, out, death)
        print(death, "left", sorted(path.name for path in out.rglob("*") if path.is_file()))
        assert status == -signal.SIGKILL, (death, stderr)
        rows = history_of(out) if (out / "history.csv").exists() else []
        assert [row["epoch"] for row in rows] == [str(epoch) for epoch in range(1, len(rows) + 1)]
    assert len(rows) < 3  # it was killed before it was done
    status, _, stderr = train_in_child(tiny, out)
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
def test_twelve_random_kills_of_the_whole_network_change_nothing(tiny, tmp_path):
    rng, kills = random.Random(6), 0
    assert finish(train_whole, tiny, tmp_path / "undisturbed", None)[0] == 0
    while kills < 12:
        delay = rng.uniform(0, 1)
        status, _, errors = finish(train_whole, tiny, tmp_path / "model", delay)
        assert status in (0, -signal.SIGKILL), errors
        print(f"{'killed' if status else 'done before'} {delay:.3f} s after the first fsync")
        kills += status != 0
        if status == 0:
            same_training(tmp_path / "undisturbed", tmp_path / "model")
            shutil.rmtree(tmp_path / "model")
    assert finish(train_whole, tiny, tmp_path / "model", None)[0] == 0
    same_training(tmp_path / "undisturbed", tmp_path / "model")


def test_a_finished_training_says_so_and_more_epochs_go_on(tiny, undisturbed, tmp_path, capsys):
    out = shutil.copytree(undisturbed, tmp_path / "model")
    before = {path: path.read_bytes() for path in out.rglob("*.h5")}
    assert len(train(tiny, out, **SMALL)) == 3
    assert "is finished after 3 epochs; a larger --epochs continues it" in capsys.readouterr().out
    assert before == {path: path.read_bytes() for path in out.rglob("*.h5")}
    history = train(tiny, out, **(SMALL | {"epochs": 4}))
    assert [row["epoch"] for row in history] == [
        1,
        2,
        3,
        4,
    ] and "resuming" in capsys.readouterr().out
    assert [row["epoch"] for row in history_of(out)] == ["1", "2", "3", "4"]


def test_a_damaged_state_falls_back_to_the_one_before(tiny, undisturbed, tmp_path, capsys):
    out = tmp_path / "model"
    assert train_in_child(tiny, out, IN_EPOCH_2)[0] == -signal.SIGKILL
    states = sorted((out / "state").glob("step-*.npz"))
    assert len(states) == 2
    states[1].write_bytes(states[1].read_bytes()[:-1000])
    train(tiny, out, **SMALL)
    assert "is damaged" in capsys.readouterr().out
    same_training(undisturbed, out)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_saved_and_the_same_command_goes_on(
    tiny, undisturbed, tmp_path, capsys, monkeypatch, number
):
    from kit.tf.training import run

    former, calls = run.learning_rate, []

    def interrupt(*arguments):
        calls.append(1)
        if len(calls) == 6:
            signal.raise_signal(number)
        return former(*arguments)

    before = signal.getsignal(number)
    with monkeypatch.context() as patch:
        patch.setattr("kit.tf.training.run.learning_rate", interrupt)
        assert len(train(tiny, tmp_path / "model", **SMALL)) == 1
    assert f"stopped by {number.name} in epoch 2, step 5; saved in" in capsys.readouterr().out
    assert signal.getsignal(number) is before
    train(tiny, tmp_path / "model", **SMALL)
    same_training(undisturbed, tmp_path / "model")


def test_a_signal_while_the_holdout_is_scored_stops_saved(
    tiny, undisturbed, tmp_path, capsys, monkeypatch
):
    first = (
        threading.Lock()
    )  # maps are written by several threads, and a second signal would end the process

    def interrupt(folder, name, image):
        if first.acquire(blocking=False):
            signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr("kit.objects.map_files.write_map", interrupt)
        assert train(tiny, tmp_path / "model", **SMALL) == []
    assert "stopped by SIGTERM in epoch 1" in capsys.readouterr().out
    assert (tmp_path / "model" / "best.weights.h5").is_file() and not (
        tmp_path / "model" / "maps"
    ).exists()
    train(tiny, tmp_path / "model", **SMALL)
    same_training(undisturbed, tmp_path / "model")


def test_max_hours_stops_saved_before_the_first_step(tiny, undisturbed, tmp_path, capsys):
    assert train(tiny, tmp_path / "model", max_hours=1e-9, **SMALL) == []
    assert "stopped by --max-hours 1e-09 in epoch 1, step 0" in capsys.readouterr().out
    assert {"best.weights.h5", "last.weights.h5"} <= {
        path.name for path in (tmp_path / "model").iterdir()
    }
    train(tiny, tmp_path / "model", **SMALL)
    same_training(undisturbed, tmp_path / "model")


def test_on_kaggle_a_training_ends_before_its_session(
    tiny, undisturbed, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("kit.tf.training.training.find_hours", lambda: 1e-9)
    assert train(tiny, tmp_path / "model", **SMALL) == []
    text = capsys.readouterr().out
    assert (
        "before Kaggle ends this session; --max-hours sets another limit" in text
        and "stopped by --max-hours 1e-09" in text
    )
    train(tiny, tmp_path / "model", max_hours=1.0, **SMALL)
    same_training(undisturbed, tmp_path / "model")


def test_a_training_that_another_session_left_inside_an_epoch_ends_as_one(
    small, tiny, undisturbed, tmp_path, capsys
):
    """With records that were packed anew, and a folder of which nothing can be written."""
    earlier = tmp_path / "input" / "notebook" / "model"
    assert train_in_child(tiny, earlier, IN_EPOCH_2)[0] == -signal.SIGKILL
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


def test_the_time_to_the_end_is_said_once_after_fifty_steps(tiny, tmp_path, capsys):
    train(
        tiny,
        tmp_path / "model",
        **(SMALL | {"steps": 60, "epochs": 2, "save_minutes": 5.0, "max_hours": 24.0}),
    )
    lines = [line for line in capsys.readouterr().out.splitlines() if "s per step" in line]
    assert (
        len(lines) == 1 and "the 70 steps left take" in lines[0] and "--max-hours" not in lines[0]
    )


def test_a_full_disk_says_so_and_keeps_the_last_good_state(tiny, undisturbed, tmp_path):
    out = tmp_path / "model"
    assert train_in_child(tiny, out, Death("replace", False, ".npz", 5))[0] == -signal.SIGKILL
    states = {path.name: path.read_bytes() for path in (out / "state").glob("step-*.npz")}
    limit = min(map(len, states.values())) // 2

    status, _, errors = finish(command_shallow, limit, tiny, out)
    assert status == 2 and "is full" in errors and len(errors.strip().splitlines()) == 1, errors
    kept = {path.name: path.read_bytes() for path in (out / "state").glob("step-*.npz")}
    assert kept == states
    status, _, errors = finish(command_shallow, resource.RLIM_INFINITY, tiny, out)
    assert status == 0, errors
    same_training(undisturbed, out)


CHANGES = {
    "crop": 40,
    "learning_rate": 2e-3,
    "seed": 1,
    "loss": ("dice",),
    "ship_share": 0.5,
    "decoder": (8, 8, 8, 8, 8),
    "best_by": "epoch",
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_setting_is_refused_and_named(tiny, undisturbed, name):
    before = sorted(os.listdir(undisturbed)), (undisturbed / "config.json").read_bytes()
    with pytest.raises(
        KitError, match=f"began with --{name.replace('_', '-')} .*only --epochs, --max-hours"
    ):
        train(tiny, undisturbed, **(SMALL | {name: CHANGES[name]}))
    assert before == (sorted(os.listdir(undisturbed)), (undisturbed / "config.json").read_bytes())


def test_other_records_and_own_functions_are_refused_moved_ones_are_not(
    tiny, undisturbed, records, tmp_path, capsys
):
    with pytest.raises(KitError, match="other records"):
        train(records, undisturbed, **SMALL)
    with pytest.raises(KitError, match="own"):
        train(tiny, undisturbed, schedule=lambda *_: 1.0, **SMALL)
    moved = shutil.copytree(tiny, tmp_path / "moved")
    assert len(train(moved, shutil.copytree(undisturbed, tmp_path / "model"), **SMALL)) == 3


def test_a_new_training_starts_from_anothers_weights(tiny, undisturbed, tmp_path):
    train(
        tiny,
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
        train(tiny, tmp_path / "b", start_from=str(tmp_path / "nowhere"), **SMALL)


def test_two_trainings_in_one_folder_at_once_are_refused(tiny, undisturbed):
    from kit.system.locks import hold

    with (
        hold(undisturbed, "kit train"),
        pytest.raises(KitError, match="another kit train is at work there"),
    ):
        train(tiny, undisturbed, **SMALL)


def test_weights_that_are_no_numbers_are_never_saved(tiny, tmp_path):
    import tensorflow as tf

    @tf.custom_gradient
    def poisoned(values):
        return values, lambda upstream: upstream * float("nan")

    def fine_but_for_its_gradient(truth, prediction):
        return tf.reduce_mean((truth - poisoned(prediction)) ** 2, (1, 2))

    settings = {name: value for name, value in SMALL.items() if name != "loss"}
    with pytest.raises(
        KitError, match=r"weights are NaN or infinite in step 1 \(images .*good weights of step 0"
    ):
        train(tiny, tmp_path / "model", loss=fine_but_for_its_gradient, **settings)
    good = arrays_of(tmp_path / "model" / "last.weights.h5")
    assert good and all(
        np.isfinite(array).all() for array in good.values() if array.dtype.kind == "f"
    )


def test_a_loss_that_is_no_number_names_step_and_images_and_leaves_good_weights(tiny, tmp_path):
    import tensorflow as tf

    calls = tf.Variable(0)

    def breaks_down(truth, prediction):
        calls.assign_add(1)
        value = tf.reduce_mean((truth - prediction) ** 2, (1, 2))
        return value + tf.where(calls > 2, float("nan"), 0.0)

    settings = {name: value for name, value in SMALL.items() if name != "loss"}
    with pytest.raises(
        KitError,
        match=r"the loss is nan in step 3 \(images \d+\.jpg.*weights of step 2.*--start-from",
    ) as found:
        train(tiny, tmp_path / "model", loss=breaks_down, **settings)
    from kit.records.index import open_index
    from kit.tf.data.batches import sample

    index = open_index(tiny, [1, 2])
    shares = {"ship_share": 0.75, "empty_share": None, "balance": False, "seed": 0}
    images, _ = sample(index, 2, 4, **shares).draw(tf.range(4, 6, dtype=tf.int64))
    assert all(name in str(found.value) for name in index.truth.ids[images.numpy()])
    good = arrays_of(tmp_path / "model" / "last.weights.h5")
    assert good and all(
        np.isfinite(array).all() for array in good.values() if array.dtype.kind == "f"
    )
