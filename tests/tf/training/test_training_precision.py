"""The precision that a training computes in: chosen by the machine, said, noted and kept."""

import json
import os

import keras
import numpy as np
import pytest
import tensorflow as tf

from kit.errors import KitError
from kit.tf.inference.load import load_network
from kit.tf.network import precision
from kit.tf.network.precision import read_precision
from kit.tf.training.run import Run
from kit.tf.training.training import train
from tests.conftest import arrays_of
from tests.tf.conftest import read_keras
from tests.tf.training.conftest import TINY, small_network

pytestmark = pytest.mark.usefixtures("shallow")


def test_bfloat16_where_it_is_slow_is_said(packed, tmp_path, monkeypatch, capsys):
    for flags, words in (("flags : avx512f avx512_bf16", 0), ("flags : avx2", 1)):
        monkeypatch.setattr(precision, "CPU", tmp_path / "cpuinfo")
        (tmp_path / "cpuinfo").write_text(flags)
        train(packed, tmp_path / str(words), fold=None, mixed="bfloat16", **TINY)
        assert capsys.readouterr().out.count("--mixed none is faster") == words


@pytest.mark.parametrize(("flags", "kind"), [("avx2", "float32"), ("avx512_bf16", "bfloat16")])
def test_the_precision_that_auto_means_is_said_and_noted(
    packed, tmp_path, monkeypatch, capsys, flags, kind
):
    (tmp_path / "cpuinfo").write_text(flags)
    monkeypatch.setattr(precision, "CPU", tmp_path / "cpuinfo")
    train(packed, tmp_path / "model", fold=None, mixed="auto", **TINY)
    assert f"computes in {kind}" in capsys.readouterr().out
    assert json.loads((tmp_path / "model" / "config.json").read_text())["mixed"] == (
        None if kind == "float32" else kind
    )
    noted = (tmp_path / "model" / "environment.txt").read_text()
    onednn = os.environ["TF_ENABLE_ONEDNN_OPTS"]
    assert f"precision {kind}\n" in noted and f"\nTF_ENABLE_ONEDNN_OPTS={onednn}\n" in noted


def test_another_machine_does_not_go_on_in_another_precision_but_predicts_in_one_that_it_has(
    packed, tmp_path, monkeypatch
):
    (tmp_path / "cpuinfo").write_text("avx512_bf16")
    monkeypatch.setattr(precision, "CPU", tmp_path / "cpuinfo")
    train(packed, tmp_path / "model", fold=None, mixed="auto", **TINY)
    found = [load_network(tmp_path / "model")[0]]
    (tmp_path / "cpuinfo").write_text("avx2")
    with pytest.raises(KitError, match="began with --mixed bfloat16, now it is None; only"):
        train(packed, tmp_path / "model", fold=None, mixed="auto", **TINY)
    found.append(load_network(tmp_path / "model")[0])
    assert [network.get_layer("encoder").layers[-1].compute_dtype for network in found] == [
        "bfloat16",
        "float32",
    ]


def read_mixed(out):
    noted = (out / "environment.txt").read_text().splitlines()
    mixed = json.loads((out / "config.json").read_text())["mixed"]
    assert f"precision {mixed or 'float32'}" in noted
    return mixed


def test_settings_of_keras_that_are_the_callers_change_no_byte(packed, tmp_path, capsys, request):
    for name in ("usual", "odd"):
        if name == "odd":
            settings = request.getfixturevalue("odd_keras")
        train(packed, tmp_path / name, fold=None, presence=True, **TINY)
        assert read_mixed(tmp_path / name) is None
        assert capsys.readouterr().out.count("kit: Keras is set to") == (name == "odd")
    assert read_keras() == settings
    usual, odd = (arrays_of(tmp_path / name / "last.weights.h5") for name in ("usual", "odd"))
    assert usual.keys() == odd.keys()
    assert all(np.array_equal(usual[key], odd[key]) for key in usual)


def test_functions_that_run_eagerly_train_and_are_noted(packed, tmp_path, capsys):
    tf.config.run_functions_eagerly(True)
    try:
        train(packed, tmp_path / "model", fold=None, **TINY)
    finally:
        tf.config.run_functions_eagerly(False)
    assert capsys.readouterr().out.count("kit: functions run eagerly") == 1
    assert "\nfunctions run eagerly" in (tmp_path / "model" / "environment.txt").read_text()


def make_under(policy: str):
    """A function that makes a network of a dtype policy, whatever Keras's own is."""

    def make():
        kept = keras.config.dtype_policy()
        keras.config.set_dtype_policy(policy)
        try:
            return small_network()
        finally:
            keras.config.set_dtype_policy(kept)

    return make


@pytest.mark.parametrize(
    ("model", "asked", "expected"),
    [
        (make_under("mixed_float16")(), None, "float16"),
        (make_under("mixed_bfloat16")(), "auto", "bfloat16"),
        (make_under("float32")(), "auto", None),
        (make_under("mixed_float16")(), "float16", "float16"),
        (small_network, None, None),
        (small_network, "bfloat16", "bfloat16"),
        (make_under("float32")(), "float16", "computes in float32, but mixed is float16; give mi"),
        (make_under("mixed_float16"), None, "computes in float16, but mixed is None; give mixed='"),
        (make_under("float16")(), None, "a network of float16 cannot be trained; make it under"),
        (make_under("float64"), None, "a network of float64 cannot be trained"),
    ],
)
def test_config_says_what_an_own_network_computes_in(
    packed, tmp_path, monkeypatch, capsys, odd_keras, model, asked, expected
):
    monkeypatch.setattr(Run, "go", lambda run, stop: [read_precision(run.network)])
    arguments = {"model": model, "mixed": asked, "fold": None, **TINY}
    if expected and " " in expected:
        with pytest.raises(KitError, match=expected):
            train(packed, tmp_path / "model", **arguments)
        assert not (tmp_path / "model").exists()
        return
    assert train(packed, tmp_path / "model", **arguments) == [expected]
    assert read_mixed(tmp_path / "model") == expected
    said = asked in (None, "auto") and expected is not None
    assert (f"your network computes in {expected}" in capsys.readouterr().out) == said


def test_an_own_network_in_float16_trains_with_a_scaled_loss(packed, tmp_path):
    model = make_under("mixed_float16")()
    (row,) = train(packed, tmp_path / "model", model=model, fold=None, **TINY)
    assert np.isfinite(row["loss"])
    found = np.load(sorted((tmp_path / "model" / "state").glob("*.npz"))[-1])
    assert any((found[name] == 2.0**15).all() for name in found.files if found[name].size == 1)
