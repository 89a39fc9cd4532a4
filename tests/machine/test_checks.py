"""`kit check` alone: each thing that may be wrong has a verdict and a remedy."""

import configparser
import os
import re
from pathlib import Path

import pytest

from kit.cli import main
from kit.competition.conventions import AIRBUS
from kit.machine import checks
from kit.system.finding import FINE, NOTE, WRONG

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.tensorflow
def test_this_machine_runs_the_kit(capsys):
    assert main(["check"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for word in (
        "Python",
        "numpy",
        "tensorflow",
        "GPU",
        "half precision",
        "TensorFlow: intra-op threads",
        "TF_NUM_INTRAOP_THREADS",
        "weights of resnet34",
        "disk",
        "memory",
        "cores",
        "data",
        "numba's cache",
    ):
        assert any(re.match(rf"({FINE}|{NOTE}) +{word}", line) for line in lines), word


def test_every_package_that_the_kit_requires_is_checked():
    stated = configparser.ConfigParser()
    stated.read(ROOT / "setup.cfg")
    lists = stated["options"]["install_requires"], stated["options.extras_require"]["train"]
    names = [line.split(">=")[0] for lines in lists for line in lines.split()]
    assert [finding.text.split()[0] for finding in checks.check_packages()] == names
    assert set(names) == set(checks.NEWEST)


def test_a_kit_that_is_not_installed_is_a_note(monkeypatch):
    monkeypatch.setattr(checks, "DISTRIBUTION", "no-such-package")
    (found,) = checks.check_packages()
    assert found.verdict == NOTE and "not installed" in found.text


@pytest.mark.parametrize(
    ("version", "verdict", "words"),
    [
        ("1.9.3", WRONG, "needs 2.0 or newer: pip install 'numpy>=2.0'"),
        ("2.0.0rc1", FINE, ""),
        ("2.4.99", FINE, ""),
        ("2.10.0", NOTE, "newer than 2.4"),
        (None, WRONG, "pip install 'numpy>=2.0'"),
    ],
)
def test_versions_are_compared_as_numbers(monkeypatch, version, verdict, words):
    def find(name):
        if version is None:
            raise checks.importlib.metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(checks.importlib.metadata, "version", find)
    found = checks.check_package("numpy", "2.0", WRONG)
    assert found.verdict == verdict and words in str(found)


def test_what_a_missing_simplejpeg_costs_is_told(monkeypatch):
    def lack(name):
        raise checks.importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(checks.importlib.metadata, "version", lack)
    found = checks.check_package("simplejpeg", "1.8", NOTE)
    assert found.verdict == NOTE and "libjpeg's warnings are not seen" in str(found)


@pytest.mark.parametrize(
    ("version", "verdict"), [((3, 10), WRONG), ((3, 11), FINE), ((3, 13), FINE), ((3, 14), NOTE)]
)
def test_pythons(version, verdict):
    assert checks.check_python(version).verdict == verdict


@pytest.mark.tensorflow
@pytest.mark.parametrize(("extra", "status"), [('; extra == "train"', 0), ("", 1)])
def test_a_missing_package_is_wrong_only_if_the_core_needs_it(monkeypatch, capsys, extra, status):
    monkeypatch.setattr(
        checks.importlib.metadata, "requires", lambda _: [f"no-such-package>=1{extra}"]
    )
    assert main(["check"]) == status
    said = "no-such-package is missing" + (", without which nothing is trained" if extra else "")
    assert said in capsys.readouterr().out


@pytest.mark.tensorflow
def test_a_package_that_is_there_and_cannot_be_loaded_is_a_finding_among_others(
    monkeypatch, capsys
):
    for name, words in (
        ("numba", "numba cannot be loaded"),
        ("segmentation_models.backbones", "what trains cannot be loaded"),
        ("tensorflow_datasets.core", "what trains"),
    ):
        with monkeypatch.context() as change:
            change.setitem(checks.sys.modules, name, None)  # import raises
            change.delitem(checks.sys.modules, "kit.tf.devices", raising=False)
            assert main(["check"]) == 1
        out = capsys.readouterr().out
        assert words in out and "cores: " in out


@pytest.mark.tensorflow
def test_settings_of_others_in_this_process_are_findings(monkeypatch, capsys):
    import keras
    import tensorflow as tf

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda *_: [])
    keras.config.set_dtype_policy("mixed_float16")
    tf.config.run_functions_eagerly(True)
    try:
        assert main(["check"]) == 0
    finally:
        keras.config.set_dtype_policy("float32")
        tf.config.run_functions_eagerly(False)
    out = capsys.readouterr().out
    assert f"{NOTE}   Keras is set to dtype policy mixed_float16 (" in out
    assert f"{NOTE}   functions run eagerly" in out and f"{FINE}   CUDA_VISIBLE_DEVICES=-1\n" in out
    assert "TensorFlow sees none; CUDA_VISIBLE_DEVICES=-1 may hide some: unset it, or on" in out


def test_a_variable_with_which_tensorflow_cannot_start_is_wrong(monkeypatch, capsys):
    """It is not tried: TensorFlow would abort the process."""
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "-3")
    assert main(["check"]) == 1
    out = capsys.readouterr().out
    assert out.count("TF_NUM_INTRAOP_THREADS=-3") == out.count(WRONG) == 1
    assert "GPU" not in out and "\nfine   cores: " in out


def test_a_full_disk_and_one_that_cannot_be_written(tmp_path, monkeypatch):
    assert checks.check_disk(tmp_path / "none").verdict == WRONG
    monkeypatch.setattr(checks, "ROOM", 1e18)
    assert checks.check_disk(tmp_path).verdict == NOTE
    monkeypatch.setattr(checks, "LEAST", 1e18)
    assert checks.check_disk(tmp_path).verdict == WRONG
    monkeypatch.undo()
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert checks.check_disk(tmp_path).verdict == WRONG


def test_attached_data_are_found_and_missing_ones_named(tmp_path):
    assert checks.check_data(tmp_path / "none", AIRBUS).verdict == FINE
    assert checks.check_data(tmp_path, AIRBUS).verdict == NOTE and "attach" in str(
        checks.check_data(tmp_path, AIRBUS)
    )
    folder = tmp_path / "competitions" / AIRBUS.kaggle
    folder.mkdir(parents=True)
    (folder / AIRBUS.truth_csv).touch()
    assert str(folder) in str(checks.check_data(tmp_path, AIRBUS))


def test_options_that_would_be_passed_over_are_refused(capsys):
    for option in (["--repair"], ["--source", "x"], ["--shape", "9x9"]):
        assert (
            main(["check", *option]) == 2
            and "kit check alone checks the machine" in capsys.readouterr().err
        )
