import os
import subprocess
import sys

import keras
import pytest
import tensorflow as tf

from kit.settings import PRECISIONS
from kit.tf.network import precision
from kit.tf.network.precision import choose_precision, describe_precision, starts_onednn
from kit.tf.network.unet import unet
from kit.tf.training.steps import make_optimizer


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine with some CPU flags, and GPUs of some compute capabilities.

    None is an unknown capability.
    """

    def pretend(flags: str, *gpus):
        (tmp_path / "cpuinfo").write_text(f"flags : {flags}")
        monkeypatch.setattr(precision, "CPU", tmp_path / "cpuinfo")
        monkeypatch.setattr(
            tf.config, "list_physical_devices", lambda kind: list(gpus) if kind == "GPU" else []
        )
        details = lambda gpu: {} if gpu is None else {"compute_capability": gpu}  # noqa: E731
        monkeypatch.setattr(tf.config.experimental, "get_device_details", details)

    return pretend


@pytest.mark.parametrize(
    ("flags", "gpus", "expected"),
    [
        ("avx2 avx512_bf16", [], "bfloat16"),
        ("avx2 amx_bf16", [], "bfloat16"),
        ("avx2", [], None),
        ("avx512_bf16", [(7, 5)], "float16"),  # a T4
        ("avx512_bf16", [(6, 0)], None),  # a P100
        ("avx2", [(8, 0), (6, 0)], None),
        ("avx2", ["unknown"], None),
    ],
)
def test_auto_is_what_the_machine_computes_fast(machine, flags, gpus, expected):
    machine(flags, *(None if gpu == "unknown" else gpu for gpu in gpus))
    assert choose_precision("auto") == expected
    assert (expected or "float32") in describe_precision("auto")


def test_what_was_asked_stays(machine):
    machine("avx2")
    assert [choose_precision(asked) for asked in (None, "float16", "bfloat16")] == [
        None,
        "float16",
        "bfloat16",
    ]
    assert set(PRECISIONS) == {"auto", "float16", "bfloat16"}


def test_only_slow_bfloat16_is_spoken_of(machine):
    machine("avx2")
    assert "--mixed none is faster" in describe_precision("bfloat16")
    assert describe_precision(None) is describe_precision("float16") is None
    machine("avx512_bf16")
    assert describe_precision("bfloat16") is None
    machine("avx2", (8, 0))
    assert describe_precision("bfloat16") is None


def test_network_and_optimizer_follow(machine):
    machine("avx512_bf16")
    kinds = {
        layer.compute_dtype for layer in unet("slim", mixed="auto").get_layer("encoder").layers
    }
    assert "bfloat16" in kinds
    machine("avx2", (7, 5))
    assert isinstance(make_optimizer(0.1, "auto"), keras.optimizers.LossScaleOptimizer)
    machine("avx2")
    assert not isinstance(make_optimizer(0.1, "auto"), keras.optimizers.LossScaleOptimizer)
    assert {
        layer.compute_dtype for layer in unet("slim", mixed="auto").get_layer("encoder").layers
    } == {"float32"}


def test_float32_is_float32():
    assert not tf.config.experimental.tensor_float_32_execution_enabled()


@pytest.mark.parametrize("first", ["", "import tensorflow"])
def test_onednn_is_on_or_it_is_said_that_it_is_not(first):
    code = f"{first}\nimport os, kit.tf\nprint(os.environ.get('TF_ENABLE_ONEDNN_OPTS'))"
    bare = {name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=bare)
    assert done.returncode == 0 and done.stdout == ("None\n" if first else "1\n")
    slow = bool(first) and not starts_onednn() and not tf.config.list_physical_devices("GPU")
    assert done.stderr.count("kit: TensorFlow was imported before the kit") == slow


def test_onednn_starts_by_itself_on_newer_cpus(machine, tmp_path, monkeypatch):
    for flags, expected in (("avx2", False), ("avx2 avx512_vnni", True), ("avx_vnni", True)):
        machine(flags)
        assert starts_onednn() == expected
    monkeypatch.setattr(precision, "CPU", tmp_path / "none")
    assert starts_onednn()
