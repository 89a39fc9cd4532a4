"""The command line: wrong input gets exactly one line on standard error and status 2."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from kit.cli import main
from tests.conftest import fails, write_csv
from tests.forks import finish, run_kit_without


@pytest.mark.parametrize(
    ("verb", "module"),
    [
        ("pack", "tensorflow"),
        ("pack", "tensorflow_datasets"),
        ("pack", "sklearn"),
        ("train", "tensorflow"),
        ("train", "segmentation_models"),
    ],
)
def test_an_extra_that_is_not_installed(practice, records, tmp_path, verb, module):
    status, _, errors = finish(
        run_kit_without, module, verb, practice if verb == "pack" else records, tmp_path / "out"
    )
    assert status == 2 and len(errors.splitlines()) == 1, errors
    assert f"this needs {module}; in the kit's folder: pip install '.[train]'" in errors


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["score", "a.csv"],
        ["score", "a.csv", "b.csv", "--shape", "10"],
        ["score", "a.csv", "b.csv", "--shape", "99999999x99999999"],
        ["practice", "out", "--images", "many"],
        ["practice", "out", "--images", "0"],
        ["practice", "out", "--empty-share", "nan"],
        ["train", "nowhere", "out"],
        ["train", "nowhere", "out", "--encoder", "vgg16"],
        ["tune", "nowhere"],
        ["tune", "nowhere", "--tta", "3"],
        ["tune", "--maps", "nowhere", "truth.csv"],
        ["tune", "--maps", "nowhere", "truth.csv", "out.json"],
        ["tune", "nowhere", "--scenes", "folds.csv"],
        ["predict", "nowhere", "nowhere", "out.csv"],
        ["predict", "nowhere", "out.csv"],
        ["predict", "out.csv"],
        ["predict", "nowhere", "nowhere", "out.csv", "--tta", "3"],
        ["predict", "nowhere", "nowhere", "out.csv", "--tuning", "t.json"],
        ["predict", "--maps", "nowhere", "sample.csv", "out.csv"],
        ["predict", "--maps", "nowhere", "sample.csv", "out.csv", "--tta", "8"],
        ["predict", "--maps", "nowhere", "sample.csv"],
        ["check", "nowhere.csv", "nowhere.csv"],
        ["score", "a\nb.csv", "c.csv"],
        ["score", "a", "b", "--x\ny"],
        ["demo", "--seed", "-1"],
        ["encoders", "--measure", "vgg16"],
    ],
    ids=" ".join,
)
def test_a_wrong_call(capsys, monkeypatch, tmp_path, arguments):
    monkeypatch.chdir(tmp_path)
    fails(capsys, *arguments)
    assert list(tmp_path.iterdir()) == []


def test_an_option_that_would_be_passed_over_is_refused(capsys, model, practice, tmp_path):
    for name, value in (
        ("--scenes", "folds.csv"),
        ("--shape", "9x9"),
        ("--competition", "tgs-salt"),
    ):
        assert f"{name} goes with --maps only" in fails(capsys, "tune", model, name, value)
    for name, value in (("--tuning", "t.json"), ("--shape", "9x9")):
        assert f"{name} goes with --maps only" in fails(
            capsys, "predict", model, practice, tmp_path / "out.csv", name, value
        )
    assert "without --tta" in fails(
        capsys, "predict", "--maps", tmp_path, "sample.csv", tmp_path / "out.csv", "--tta", "8"
    )
    assert "kit tune --maps DIR TRUTH.csv OUT.json" in fails(
        capsys, "tune", "--maps", tmp_path, "truth.csv", "out.json", "--records", "r"
    )


def test_score_refuses_malformed_rows_and_check_lists_them(capsys, tmp_path):
    truth, bad = (
        write_csv(tmp_path / "t.csv", "a.jpg,1 2"),
        write_csv(tmp_path / "p.csv", "a.jpg,1 2 3"),
    )
    assert "p.csv row 2 (a.jpg): odd count of numbers" in fails(capsys, "score", truth, bad)
    assert main(["check", str(bad), str(truth)]) == 1
    assert "1 x odd count of numbers" in capsys.readouterr().out
    assert main(["check", str(truth), str(truth)]) == 0


def test_score_json_is_one_object_and_nothing_else(kit_cli, tmp_path):
    truth = write_csv(tmp_path / "t.csv", "a.jpg,1 2", "b.jpg,")
    status, output, errors = kit_cli("score", truth, truth, "--json")
    assert status == 0 and errors == "" and json.loads(output)["f2"] == 1


def test_other_competitions_by_name_or_file(capsys, tmp_path):
    truth = write_csv(tmp_path / "t.csv", "a,1 101", "b,", header="id,rle_mask")
    assert main(["score", str(truth), str(truth), "--competition", "tgs-salt", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["jaccard"] == 1
    assert main(["check", str(truth), str(truth), "--competition", "tgs-salt"]) == 0
    (tmp_path / "mine.json").write_text(
        json.dumps(
            {"name": "mine", "id_column": "id", "runs_column": "rle_mask", "height": 3, "width": 9}
        )
    )
    capsys.readouterr()
    assert "past the last pixel" in fails(
        capsys, "score", truth, truth, "--competition", tmp_path / "mine.json"
    )
    assert (
        main(
            [
                "score",
                str(truth),
                str(truth),
                "--competition",
                str(tmp_path / "mine.json"),
                "--shape",
                "101x101",
            ]
        )
        == 0
    )
    assert "not one of airbus, tgs-salt" in fails(
        capsys, "score", truth, truth, "--competition", "coco"
    )
    assert "score is not set" in fails(
        capsys, "score", truth, truth, "--competition", "uw-madison", "--shape", "9x9"
    )


CHATTER = """
import json, sys
from kit.cli import main
for arguments in json.loads(sys.argv[1]):
    assert main(arguments) == 0, arguments
"""


def test_the_road_leaves_no_chatter(small, tmp_path):
    """The output of pack, train, tune and predict is the kit's own.

    It has no line of TensorFlow, Keras or segmentation-models.
    """
    place = str(small / "competition")
    sample = f"{place}/sample_submission_v2.csv"
    competition = ["--competition", str(small / "competition.json")]
    size = "--epochs 1 --steps 1 --batch 1 --crop 32 --filters 8,8,8,8,8"
    verbs = [
        ["pack", place, "records", "--folds", "2", *competition],
        ["train", "records", "model", *size.split()],
        ["tune", "model"],
        ["predict", "model", place, "out.csv"],
        ["check", "out.csv", sample, *competition],
    ]
    command = [sys.executable, "-c", CHATTER, json.dumps(verbs)]
    # as a user has it
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    said = done.stdout + done.stderr
    assert done.returncode == 0 and "epoch 1/1" in said and "fine" in said, said
    for word in (
        "tensorflow",
        "keras",
        "onednn",
        "cuda",
        "warning",
        "absl",
        "segmentation",
        "/site-packages/",
    ):
        assert word not in said.lower(), said


def test_report_writes_its_page_into_the_folder_or_where_it_is_told(
    capsys, records, model, tmp_path, monkeypatch
):
    records, model = (
        shutil.copytree(records, tmp_path / "records"),
        shutil.copytree(model, tmp_path / "model"),
    )
    assert (
        main(["report", str(records)]) == 0
        and f"wrote {records / 'report.html'}" in capsys.readouterr().out
    )
    assert main(["report", str(model), "--out", str(tmp_path / "page.html")]) == 0
    assert (
        "is not tuned" in capsys.readouterr().out
        and "<title>Model model</title>" in (tmp_path / "page.html").read_text()
    )
    monkeypatch.chdir(tmp_path)
    assert main(["report", str(model), str(model)]) == 0
    assert "<title>model (1) and model (2)</title>" in (tmp_path / "report.html").read_text()


def test_report_of_what_is_no_model_and_no_records(capsys, records, model, tmp_path):
    assert "nowhere: no such model folder" in fails(capsys, "report", tmp_path / "nowhere")
    assert "config.json" in fails(capsys, "report", tmp_path)
    assert "config.json" in fails(capsys, "report", model, records)
    assert str(tmp_path / "none") in fails(
        capsys, "report", model, "--out", tmp_path / "none" / "page.html"
    )
    assert str(tmp_path / "gone") in fails(capsys, "report", model, "--records", tmp_path / "gone")
    (tmp_path / "model").mkdir()
    shutil.copy(model / "config.json", tmp_path / "model")
    assert str(tmp_path / "model") in fails(capsys, "report", tmp_path / "model")


def test_python_m_kit_is_the_same(kit_cli):
    status, output, _ = kit_cli("--version")
    assert status == 0 and output.startswith("kit ") and sys.version_info >= (3, 11)


def test_what_a_terminal_would_obey_is_shown_not_sent(tmp_path, capsys):
    write_csv(tmp_path / "sample.csv", "\x1b]0;obey\x07.jpg,1 1")
    (tmp_path / "maps").mkdir()
    line = fails(
        capsys,
        "predict",
        "--maps",
        tmp_path / "maps",
        tmp_path / "sample.csv",
        tmp_path / "out.csv",
    )
    assert "\\x1b]0;obey\\x07.jpg" in line and line.isprintable()
