import csv
import json

import numpy as np
import pytest
from PIL import Image

from kit import demo
from kit.errors import KitError

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def small(monkeypatch, shallow):
    """The demo's road with sizes for a test; the full one is `make demo`."""
    monkeypatch.setattr(
        demo,
        "PRACTICE",
        {"images": 24, "test_images": 4, "empty_share": 0.5, "clutter": 0.2, "ship_area": 500.0},
    )
    monkeypatch.setattr(demo, "PACK", {"folds": 2})
    monkeypatch.setattr(
        demo,
        "TRAIN",
        {"epochs": 2, "steps": 2, "batch": 2, "crop": 64, "encoder": "plain", "scale": 2},
    )


def test_the_whole_road_and_again(small, tmp_path, capsys):
    out = tmp_path / "demo"
    result = demo.run_demo(out, seed=1)
    text = capsys.readouterr().out
    assert set(demo.MADE) == {path.name for path in out.iterdir()}
    assert json.loads((out / "summary.json").read_text()) == result
    assert {
        "images",
        "ships",
        "ship_images",
        "f2",
        "f2_ships",
        "f2_empty",
        "f2_blank",
        "minutes",
    } == set(result)
    assert (
        result["f2"]
        == pytest.approx(
            result["f2_blank"] * result["f2_empty"] + (1 - result["f2_blank"]) * result["f2_ships"]
        )
        and 0 < result["ship_images"] < result["images"]
    )
    assert "fine. 4 images" in text and f"{result['f2_blank']:.3f}" in text
    with open(out / "submission.csv", newline="") as file:
        assert len({row["ImageId"] for row in csv.DictReader(file)}) == 4
    sheet = np.array(Image.open(out / "contact-sheet.png").convert("RGB"))
    assert sheet.shape[0] > 800 and sheet.shape[1] > 1200 and sheet.std() > 20
    assert (
        "<title>Model model</title>" in (out / "model" / "report.html").read_text()
        and str(out / "model" / "report.html") in text
    )
    again = demo.run_demo(out, seed=1)
    assert {**again, "minutes": 0} == {**result, "minutes": 0}


def test_a_bad_seed_leaves_the_earlier_demo(tmp_path):
    (tmp_path / "competition").mkdir()
    (tmp_path / "competition" / "practice.json").write_text("{}")
    with pytest.raises(KitError, match="--seed -1"):
        demo.run_demo(tmp_path, seed=-1)
    assert (tmp_path / "competition" / "practice.json").exists()


def test_a_stopped_training_stops_the_demo(small, tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "TRAIN", demo.TRAIN | {"max_hours": 1e-9})
    with pytest.raises(KitError, match="the training was stopped"):
        demo.run_demo(tmp_path / "demo")
    (tmp_path / "demo" / ".competition.123.tmp").mkdir()  # left by a kill
    with pytest.raises(KitError, match="the training was stopped"):
        demo.run_demo(tmp_path / "demo")
    assert not (tmp_path / "demo" / ".competition.123.tmp").exists()


def test_a_folder_that_cannot_be_made_is_told_in_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(KitError, match=r"file/demo: .*[Nn]ot a directory") as error:
        demo.run_demo(tmp_path / "file" / "demo")
    assert "\n" not in str(error.value)


def test_a_folder_of_the_user_is_never_replaced(tmp_path):
    (tmp_path / "thesis.txt").write_text("all of it")
    with pytest.raises(KitError, match="holds more than an earlier demo"):
        demo.run_demo(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "all of it"
