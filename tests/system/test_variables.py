"""What the environment and keras.json say, before TensorFlow is imported."""

import json
import os
import sys

import pytest

from kit.errors import KitError
from kit.system import variables
from kit.system.finding import FINE, NOTE, WRONG
from kit.system.variables import HEEDED, PINNED, check_keras_json, check_variables, pin_variables


@pytest.fixture
def process(monkeypatch, tmp_path):
    """A process in which no variable is set and nothing is imported; gives the folder of Keras."""
    for name in (*HEEDED, *PINNED):
        monkeypatch.setenv(name, "")  # so that the test's own changes are undone
        monkeypatch.delenv(name)
    for name in ("tensorflow", "keras"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("name", "value", "verdict", "words"),
    [
        ("KERAS_BACKEND", "jax", NOTE, "KERAS_BACKEND=jax; the kit needs tensorflow"),
        ("KERAS_BACKEND", "tensorflow", None, ""),
        ("TF_USE_LEGACY_KERAS", "True", NOTE, "the kit needs 0"),
        ("TF_USE_LEGACY_KERAS", "false", None, ""),
        ("SM_FRAMEWORK", "keras", NOTE, "the kit needs tf.keras"),
        ("TF_FORCE_GPU_ALLOW_GROWTH", "true", FINE, ""),
        ("TF_FORCE_GPU_ALLOW_GROWTH", "1", NOTE, "set true or false, or unset it"),
        ("CUDA_VISIBLE_DEVICES", "", FINE, "CUDA_VISIBLE_DEVICES="),
        ("OMP_NUM_THREADS", "2", FINE, "TF_NUM_INTRAOP_THREADS sets TensorFlow's"),
        ("OMP_NUM_THREADS", "", None, ""),
        ("TF_NUM_INTRAOP_THREADS", "2", FINE, "TF_NUM_INTRAOP_THREADS=2"),
        ("TF_NUM_INTRAOP_THREADS", "-3", WRONG, "set a whole number, or unset it"),
        ("TF_NUM_INTEROP_THREADS", "1", FINE, ""),
        ("TF_NUM_INTEROP_THREADS", "4", NOTE, "the kit keeps one"),
        ("TF_ENABLE_ONEDNN_OPTS", "off", NOTE, "set 0 or 1"),
    ],
)
def test_a_variable_is_pinned_or_heeded_or_refused(
    process, monkeypatch, capsys, name, value, verdict, words
):
    monkeypatch.setenv(name, value)
    found = list(check_variables())
    assert [finding.verdict for finding in found] == ([verdict] if verdict else [])
    assert words in "".join(map(str, found))
    if verdict == WRONG:
        with pytest.raises(KitError, match=words):
            pin_variables()
        assert os.environ.get("SM_FRAMEWORK") is None
        return
    pin_variables()
    assert {name: os.environ[name] for name in PINNED} == PINNED
    assert capsys.readouterr().out.count("kit: ") == (verdict == NOTE)


@pytest.mark.parametrize("late", ["tensorflow", "keras"])
@pytest.mark.parametrize("name", ["KERAS_BACKEND", "TF_USE_LEGACY_KERAS"])
def test_what_was_read_already_is_refused(process, monkeypatch, late, name):
    monkeypatch.setenv(name, "1")
    monkeypatch.setitem(sys.modules, late, sys)
    with pytest.raises(KitError, match=f"{name}=1, but the kit needs.*{late} is imported already"):
        pin_variables()
    monkeypatch.setenv(name, PINNED[name])
    pin_variables()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"floatx": "bfloat16"}, "floatx is 'bfloat16', Keras accepts float16 or float32 or"),
        ({"image_data_format": "first"}, "image_data_format is 'first'"),
        ({"epsilon": 1}, "epsilon is 1,"),
        ([], "not a JSON object"),
        ({"floatx": "float16", "image_data_format": "channels_first", "epsilon": 1e-3}, None),
        (None, None),
    ],
)
def test_keras_cannot_be_imported_with_some_files(process, content, words):
    (process / "keras.json").write_text(json.dumps(content) if content is not None else "{")
    found = list(check_keras_json())
    if words is None:
        assert not found
        return
    assert [finding.verdict for finding in found] == [WRONG] and words in str(found[0])
    with pytest.raises(KitError, match="keras.json: .*; mend or remove that file"):
        pin_variables()


def test_a_backend_of_keras_json_counts_if_there_is_no_variable(process, monkeypatch):
    (process / "keras.json").write_text('{"backend": "torch"}')
    (found,) = check_variables()
    assert found.verdict == NOTE and "keras.json: backend torch; the kit needs" in str(found)
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    assert not list(check_variables())


def test_the_folder_of_keras_is_where_keras_looks(process, monkeypatch, tmp_path):
    assert variables.find_keras_home() == process
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert variables.find_keras_home() == tmp_path / ".keras"
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert str(variables.find_keras_home()) == "/tmp/.keras"
