"""The precision that a training computes in: chosen by the machine, said, noted and kept."""

import json
import os

import pytest

from kit.errors import KitError
from kit.tf.inference.load import load_network
from kit.tf.network import precision
from kit.tf.training.training import train
from tests.tf.training.conftest import TINY

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
    assert (
        f"precision {kind}, TF_ENABLE_ONEDNN_OPTS {os.environ['TF_ENABLE_ONEDNN_OPTS']}\n" in noted
    )


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
    assert [network.get_layer("plain").layers[-1].compute_dtype for network in found] == [
        "bfloat16",
        "float32",
    ]
