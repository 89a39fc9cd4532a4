"""Tuning on a folder of maps that were made elsewhere."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from kit.competition.catalog import COMPETITIONS
from kit.competition.conventions import AIRBUS
from kit.competition.csv_text import format_csv
from kit.errors import KitError
from kit.objects.map_files import write_map
from kit.settings import TuneSettings
from kit.tuning import map_folder
from kit.tuning.map_folder import tune_maps
from kit.tuning.tuning import choose_cuts
from tests.tuning.conftest import SCENES


@pytest.fixture
def folder(made, tmp_path):
    """A folder of maps, as PNG, uint8 and float .npy in turn, and the truth CSV beside it."""
    maps, truth = made
    place = tmp_path / "maps"
    place.mkdir()
    for number, (name, image) in enumerate(zip(truth.ids, maps)):
        if number % 3 == 0:
            write_map(place, name, image)
        else:
            np.save(
                place / f"{name}.npy",
                image if number % 3 == 1 else (image / 255).astype(np.float32),
            )
    (tmp_path / "truth.csv").write_bytes(format_csv(truth))
    (tmp_path / "folds.csv").write_text(
        "ImageId,scene,fold\n"
        + "".join(f"{name},{scene},0\n" for name, scene in zip(truth.ids, SCENES))
    )
    return tmp_path


ELSEWHERE = """
import sys
sys.modules["tensorflow"] = sys.modules["keras"] = None  # an import of it fails
from kit.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_maps_from_elsewhere_are_tuned_where_tensorflow_cannot_be_imported(folder, made):
    arguments = ["tune", "--maps", folder / "maps", folder / "truth.csv", folder / "out.json"]
    arguments += ["--scenes", folder / "folds.csv", "--empty-share", "0.5", "--shape", "64x64"]
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, *map(str, arguments)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "48 images with a map" in done.stdout and "0.500" in done.stdout
    maps, truth = made
    wanted = choose_cuts(
        maps.__getitem__, truth, SCENES, None, TuneSettings(empty_share=0.5)
    ).fields
    assert json.loads((folder / "out.json").read_text()) == wanted
    with Image.open(folder / "out.png") as image:
        assert image.size[0] > 1000


def test_what_is_wrong_with_a_folder_of_maps_is_said(folder, tmp_path, made):
    truth = folder / "truth.csv"
    small = AIRBUS.with_shape((64, 64))

    def tune(maps=folder / "maps", **options):
        return tune_maps(maps, truth, folder / "out.json", competition=small, **options)

    with pytest.raises(KitError, match="no such folder of maps"):
        tune(folder / "none")
    (folder / "empty").mkdir()
    with pytest.raises(KitError, match="holds no map of an image in"):
        tune(folder / "empty")
    with pytest.raises(KitError, match="--tta"):
        tune(tta=8)
    with pytest.raises(KitError, match="has no column scene"):
        tune(scenes=truth)
    (folder / "some.csv").write_text("ImageId,scene\n0.jpg,1\n")
    with pytest.raises(KitError, match=r"no row for 1\.jpg"):
        tune(scenes=folder / "some.csv")
    for text in ("", "0.jpg,1\n1.jpg,2\n0.jpg,1\n"):
        (folder / "some.csv").write_text(f"ImageId,scene\n{text}")
        with pytest.raises(
            KitError, match="row 4: ImageId 0.jpg appears twice" if text else r"no row for 0\.jpg"
        ):
            tune(scenes=folder / "some.csv")
    for text in ("", "0.jpg,0.5\n"):
        (folder / "maps" / "presence.csv").write_text(f"ImageId,presence\n{text}")
        with pytest.raises(KitError, match=r"presence\.csv: has no row for [01]\.jpg"):
            tune()
    (folder / "maps" / "presence.csv").unlink()
    np.save(folder / "maps" / "1.jpg.npy", np.full((64, 64), 3.0))
    with pytest.raises(KitError, match=r"1\.jpg\.npy.*logits"):
        tune()
    assert not (folder / "out.json").exists()
    for target in ("out.png", "truth.csv"):
        with pytest.raises(KitError, match="choose another name"):
            tune_maps(folder / "maps", truth, folder / target, competition=small)
    (folder / "dir.png").mkdir()
    with pytest.raises(KitError, match=r"dir\.png: is a folder"):
        tune_maps(folder / "maps", truth, folder / "dir.json", competition=small)
    with pytest.raises(KitError, match="tgs-salt: cuts are chosen for object F2"):
        tune_maps(folder / "maps", truth, folder / "out.json", competition=COMPETITIONS["tgs-salt"])


def test_images_that_the_truth_leaves_out_may_be_empty(folder, made):
    """If the truth leaves out empty images, a map without a row belongs to an empty one."""
    rule = dataclasses.replace(AIRBUS.with_shape((64, 64)), absent_is_empty=True)
    lines = [
        line for line in (folder / "truth.csv").read_text().splitlines() if not line.endswith(",")
    ]
    (folder / "truth.csv").write_text("\n".join(lines) + "\n")
    found = tune_maps(
        folder / "maps",
        folder / "truth.csv",
        folder / "out.json",
        competition=rule,
        empty_share=0.5,
    )
    assert (
        found.fields["images"] == 48 and found.fields["f2"] == 1 and found.fields["f2_blank"] == 0.5
    )


def test_a_scene_may_be_any_text(tmp_path):
    path = tmp_path / "scenes.csv"
    path.write_text("ImageId,scene\na,x\nb,y\nc,x\nd,\ne,-1\n")
    assert map_folder._read_scenes(path, list("abcde")).tolist() == [0, 1, 0, -1, -1]
