"""Settings of Keras and TensorFlow that others left in this process."""

import os
import subprocess
import sys

import keras
import pytest
import tensorflow as tf

import kit.tf
from kit.errors import KitError
from kit.system.variables import HEEDED
from kit.tf.environment import (
    computing,
    default_keras,
    describe_eager,
    describe_environment,
    describe_keras,
    describe_threads,
)
from kit.tf.network.losses import make_loss
from kit.tf.network.unet import unet
from tests.tf.conftest import read_keras
from tests.tf.training.conftest import TINY


def test_the_callers_settings_return_after_the_block_however_it_ends(odd_keras, capsys):
    with pytest.raises(ZeroDivisionError), default_keras("bfloat16"):
        assert read_keras() == ("mixed_bfloat16", "float32", 1e-7, "channels_last")
        assert describe_keras("mixed_bfloat16") is None
        with default_keras("bfloat16"):  # the kit's own policy is not spoken of
            pass
        1 / 0  # noqa: B018
    assert read_keras() == odd_keras
    (line,) = capsys.readouterr().out.splitlines()
    assert "dtype policy mixed_float16, floatx float64, epsilon 0.01, image_data" in line
    assert "they compute in mixed_bfloat16" in line


def test_nothing_is_said_of_defaults(capsys):
    with default_keras(), default_keras("float16"):
        pass
    assert describe_keras() is None and not capsys.readouterr().out


def test_a_network_and_a_loss_are_the_same_under_other_settings(odd_keras, capsys):
    network = unet("slim", presence=True)
    assert capsys.readouterr().out.count("dtype policy mixed_float16") == 1
    computed = {layer.compute_dtype for layer in network.get_layer("encoder").layers}
    assert computed == {"float32"}
    found = network(tf.zeros((1, 64, 32, 3), tf.uint8))
    assert found["map"].shape == (1, 64, 32) and found["map"].dtype == tf.float32
    loss = make_loss()
    assert {part.dtype for part in (loss, *loss.parts)} == {"float32"}


def test_graphs_are_refused_and_eager_functions_said(capsys):
    with tf.Graph().as_default(), pytest.raises(KitError, match="TensorFlow builds graphs here"):
        computing()(len)([])
    assert describe_eager() is None
    tf.config.run_functions_eagerly(True)
    try:
        assert computing()(len)([]) == 0
    finally:
        tf.config.run_functions_eagerly(False)
    assert "kit: functions run eagerly: slower" in capsys.readouterr().out


def test_debug_mode_of_data_is_said():
    from tensorflow.python.data.ops import debug_mode

    tf.data.experimental.enable_debug_mode()
    try:
        assert "tf.data is in debug mode" in describe_eager()
    finally:
        debug_mode.toggle_debug_mode(False)
    assert describe_eager() is None


def test_the_environment_names_what_decides_the_bytes(monkeypatch):
    for name in HEEDED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "7")
    lines = describe_environment(tf.distribute.get_strategy(), "bfloat16").splitlines()
    for line in (
        "intra-op threads 7, inter-op threads 1",
        "precision bfloat16",
        "functions compiled",
        "CUDA_VISIBLE_DEVICES=",
        "TF_NUM_INTRAOP_THREADS=7",
    ):
        assert line in lines
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS")
    assert "one per core, inter-op threads 1" in describe_threads()


def test_a_keras_of_another_kind_is_refused(monkeypatch):
    # tf.keras is another module once segmentation-models has been imported
    for place, name, value in (
        (keras.config, "backend", lambda: "jax"),
        (tf.keras, "__version__", "2.15.0"),
    ):
        with monkeypatch.context() as change:
            change.setattr(place, name, value)
            with pytest.raises(KitError, match="start Python again with KERAS_BACKEND=tensorflow"):
                kit.tf._prepare()
    kit.tf._prepare()


def test_threads_that_the_caller_asked_for_do_not_vanish_unsaid(monkeypatch, capsys):
    for asked, said in ((0, 0), (1, 0), (4, 1)):
        threading = tf.config.threading
        monkeypatch.setattr(
            threading, "get_inter_op_parallelism_threads", lambda asked=asked: asked
        )
        monkeypatch.setattr(threading, "set_inter_op_parallelism_threads", lambda count: None)
        kit.tf._prepare()
        assert capsys.readouterr().out.count("inter-op threads are 1 now, not 4") == said


CHILD = """
import os, sys
from kit.cli import main
assert main(["check"]) == 0
print("=====")
folder, *settings = sys.argv[1:]
assert main(["train", folder, "model", *settings]) == 0
print(os.environ["KERAS_BACKEND"])
"""


def test_a_process_with_settings_of_others_trains_and_the_check_finds_them(small, tmp_path):
    """Settings that are read at the import of Keras, so in a process of their own."""
    (tmp_path / "keras.json").write_text(
        '{"floatx": "float16", "image_data_format": "channels_first"}'
    )
    others = {"KERAS_BACKEND": "jax", "TF_USE_LEGACY_KERAS": "1", "TF_NUM_INTEROP_THREADS": "4"}
    others |= {"KERAS_HOME": str(tmp_path), "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
    settings = [f"--{name}={value}" for name, value in TINY.items()]
    done = subprocess.run(
        [sys.executable, "-c", CHILD, small / "records", "--fold=none", *settings],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | others,
    )
    assert done.returncode == 0 and not done.stderr, done
    checked, trained = done.stdout.split("=====")
    for line in (
        "note   KERAS_BACKEND=jax; ",
        "note   TF_USE_LEGACY_KERAS=1; ",
        "note   TF_NUM_INTEROP_THREADS=4; ",
        "fine   TF_FORCE_GPU_ALLOW_GROWTH=true",
        "note   Keras is set to dtype policy float16, floatx float16, image_data_format channels_f",
    ):
        assert checked.count(f"\n{line}") == 1, checked
    assert "\nkit: " not in checked
    assert trained.count("kit: Keras is set to") == 1 and trained.endswith("\ntensorflow\n")
    noted = (tmp_path / "model" / "environment.txt").read_text().splitlines()
    assert {"precision float32", "TF_FORCE_GPU_ALLOW_GROWTH=true"} <= set(noted)
