"""Bad competitions, images and weights: the command line names each or leaves it out."""

import json
import shutil

import pytest

import kit
from kit.cli import main
from kit.errors import KitError
from tests.conftest import SLIM, fails, write_csv

TRUTH = "train_ship_segmentations_v2.csv"


NOWHERE = {  # what a verb reads does not exist, so an error about its output comes before the work
    "score_csv": lambda out: kit.score_csv("none", "none", per_image=out),
    "predict_maps": lambda out: kit.predict_maps("none", "none", out),
    "tune_maps": lambda out: kit.tune_maps("none", "none", out),
}


@pytest.mark.parametrize("out", ["/sys/out.csv", "a" * 250 + ".csv"], ids=["read-only", "too long"])
@pytest.mark.parametrize("verb", NOWHERE)
def test_an_output_that_cannot_be_written_is_named_before_the_work(verb, out):
    with pytest.raises(KitError, match=f"^{out}: .*; does it exist, and may you read and write it"):
        NOWHERE[verb](out)


@pytest.mark.tensorflow
def test_a_folder_that_cannot_be_written_is_named_before_the_work(
    practice, records, model, tmp_path
):
    for work in (
        lambda out: kit.predict(model, "none", f"{out}/out.csv"),
        lambda out: kit.report(records, f"{out}/out.html"),
        lambda out: kit.report(model, f"{out}/out.html"),
        lambda out: kit.write_practice(f"{out}/practice"),
        lambda out: kit.pack(practice, f"{out}/records"),
        lambda out: kit.train(records, f"{out}/model", steps=1, **SLIM),
    ):
        with pytest.raises(KitError, match="^/sys/.*; does it exist, and may you read and write"):
            work("/sys")
    copy = shutil.copytree(model, tmp_path / "model")
    (copy / "tuning.json").mkdir()
    with pytest.raises(KitError, match=r"tuning\.json: is a folder"):
        kit.tune(copy, records="none")


@pytest.mark.tensorflow
def test_no_folder(capsys, tmp_path):
    assert "no such folder" in fails(capsys, "pack", tmp_path / "nowhere", tmp_path / "records")


@pytest.mark.tensorflow
def test_no_csv(capsys, competition, tmp_path):
    (competition / TRUTH).unlink()
    assert f"holds no {TRUTH}" in fails(capsys, "pack", competition, tmp_path / "records")


@pytest.mark.tensorflow
def test_a_missing_column(capsys, competition, tmp_path):
    write_csv(competition / TRUTH, "a.jpg,1 2", header="ImageId,Pixels")
    assert "column EncodedPixels is missing" in fails(
        capsys, "pack", competition, tmp_path / "records"
    )


@pytest.mark.tensorflow
def test_a_run_that_is_no_integer(capsys, competition, tmp_path):
    write_csv(competition / TRUTH, "a.jpg,1 two")
    line = fails(capsys, "pack", competition, tmp_path / "records")
    assert f"{TRUTH} row 2 (a.jpg): not a whole number: 'two'" in line


@pytest.mark.tensorflow
def test_an_empty_folder(capsys, competition, tmp_path):
    for path in (competition / "train_v2").iterdir():
        path.unlink()
    assert "holds no image at train_v2/{id}" in fails(
        capsys, "pack", competition, tmp_path / "records"
    )
    (tmp_path / "void").mkdir()
    assert f"holds no {TRUTH}" in fails(capsys, "pack", tmp_path / "void", tmp_path / "records")
    assert not (tmp_path / "records").exists()


def test_a_truncated_test_image_is_predicted_blank_and_said(capsys, model, competition, tmp_path):
    path = sorted((competition / "test_v2").iterdir())[0]
    path.write_bytes(path.read_bytes()[:4000])
    out = tmp_path / "out.csv"
    assert main(["predict", str(model), str(competition), str(out)]) == 0
    said = (
        "1 of 4 images could not be read and are predicted blank, "
        f"listed in {tmp_path / 'out.json'}; the first: {path.name}"
    )
    assert said in capsys.readouterr().out
    assert f"\n{path.name},\n" in out.read_text() and list(
        json.loads(out.with_suffix(".json").read_text())["unreadable"]
    ) == [path.name]


def test_images_of_another_size(capsys, model, competition, tmp_path):
    """One to train on is left out and listed, one to predict is predicted blank and listed."""
    from PIL import Image

    for part in ("train_v2", "test_v2"):
        path = sorted((competition / part).iterdir())[0]
        Image.new("RGB", (100, 90)).save(path)
        if part == "train_v2":
            assert main(["pack", str(competition), str(tmp_path / "records"), "--folds", "2"]) == 0
            said = f"{path.name}: {path.name}: is 100 px wide and 90 high, its runs are for 768"
            assert f"left out: {said}" in capsys.readouterr().out
    assert main(["predict", str(model), str(competition), str(tmp_path / "out.csv")]) == 0
    assert f"{path.name}: is 100 px wide and 90 high" in capsys.readouterr().out


def test_weights_of_another_encoder(capsys, model, practice, tmp_path):
    copy = shutil.copytree(model, tmp_path / "model")
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"encoder": "plain"}))
    assert "another encoder" in fails(capsys, "predict", copy, practice, tmp_path / "out.csv")
