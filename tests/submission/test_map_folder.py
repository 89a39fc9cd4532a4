import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kit.competition import csv_text
from kit.competition.conventions import Competition
from kit.cuts import Cuts
from kit.errors import KitError
from kit.objects.extraction import find_objects
from kit.submission import prediction
from kit.submission.map_folder import predict_maps
from kit.system import files
from tests.conftest import write_csv
from tests.submission.conftest import map_of

COMPETITION = Competition(height=12, width=10)
FEW = [f"{place:04d}.jpg" for place in range(20)]
LIKELY = np.random.default_rng(1).random(len(FEW)).astype(np.float32)


@pytest.fixture
def maps(tmp_path):
    folder = tmp_path / "maps"
    folder.mkdir()
    for place, name in enumerate(FEW):
        Image.fromarray(map_of(place)).save(folder / f"{name}.png")
    write_csv(tmp_path / "sample.csv", *(f"{name},1 1" for name in FEW))
    return folder


def from_maps(folder: Path, **options):
    return predict_maps(
        folder,
        folder.parent / "sample.csv",
        folder.parent / "out.csv",
        competition=COMPETITION,
        **options,
    )


STRICT = Cuts(threshold=200)


def write_tuning(path: Path, cuts: Cuts = STRICT, **fields) -> Path:
    files.write_json(path, {**vars(cuts), "f2": 0.5, "f2_low": 0.4, "f2_high": 0.6, **fields})
    return path


@pytest.mark.parametrize("kind", [np.uint8, np.float16, np.float32, np.float64, "mixed"])
def test_png_and_arrays_give_the_same_bytes(maps, capsys, kind):
    plain = find_objects(FEW, [map_of(place) for place in range(len(FEW))])
    for place, name in enumerate(FEW):
        if kind != "mixed" or place % 2:
            (maps / f"{name}.png").unlink()
            image = map_of(place)
            np.save(
                maps / f"{name}.npy",
                image if kind in (np.uint8, "mixed") else (image / 255).astype(kind),
            )
    assert from_maps(maps) == plain and whole_of_maps(maps, plain)
    assert f"no {maps / 'tuning.json'}, so threshold 128 and no cuts" in capsys.readouterr().out


def whole_of_maps(maps, masks):
    assert (maps.parent / "out.csv").read_bytes() == csv_text.format_csv(
        masks, COMPETITION, submission=True
    )
    return not (maps.parent / "out.csv.parts").exists()


def test_maps_need_no_tensorflow(maps, capsys):
    code = """
import sys
sys.modules["tensorflow"] = sys.modules["keras"] = None
from kit.competition.conventions import Competition
from kit.submission.map_folder import predict_maps
predict_maps("maps", "sample.csv", "out.csv", competition=Competition(height=12, width=10))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=maps.parent, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert whole_of_maps(maps, find_objects(FEW, [map_of(place) for place in range(len(FEW))]))


def test_the_folders_tuning_is_applied_and_another_where_it_is_named(maps, capsys):
    path = write_tuning(maps / "tuning.json", f2_plain=None)
    images = [map_of(place) for place in range(len(FEW))]
    assert from_maps(maps) == find_objects(FEW, images, STRICT)
    assert f"kit predict: {path}: threshold 200" in capsys.readouterr().out
    report = json.loads((maps.parent / "out.json").read_text())
    assert (
        report["holdout"] == {"f2": 0.5, "f2_low": 0.4, "f2_high": 0.6, "f2_plain": None}
        and report["cuts"]["threshold"] == 200
    )
    other = write_tuning(maps.parent / "other.json", Cuts(threshold=90))
    assert from_maps(maps, tuning=other) == find_objects(FEW, images, Cuts(threshold=90))


@pytest.mark.parametrize(
    "fields",
    [{"threshold": 0}, {"f2": float("nan")}, {"f2": 10**400}, {"f2_low": "a"}, {"min_worth": "1"}],
)
def test_a_tuning_out_of_range_is_an_error(maps, fields):
    (maps / "tuning.json").write_text(json.dumps({**vars(Cuts()), **fields}))
    with pytest.raises(KitError, match=r"tuning\.json: .* tune again"):
        from_maps(maps)
    with pytest.raises(KitError, match="none.json: missing"):
        from_maps(maps, tuning=maps / "none.json")


def test_a_gate_needs_what_the_network_says_of_every_image(maps):
    cuts = Cuts(threshold=200, min_presence=0.2)
    write_tuning(maps / "tuning.json", cuts)
    with pytest.raises(
        KitError, match="presence.csv: lacks 20 images, which the cuts need, the first is 0000.jpg"
    ):
        from_maps(maps)
    write_csv(
        maps / "presence.csv",
        *(f"{name},{LIKELY[place]}" for place, name in enumerate(FEW)),
        header="ImageId,presence",
    )
    images = [map_of(place) for place in range(len(FEW))]
    found = from_maps(maps)
    assert found == find_objects(FEW, images, cuts, presence=LIKELY)
    assert len(found.labels) < len(find_objects(FEW, images, STRICT).labels)


def test_missing_maps_are_an_error_unless_allowed(maps, capsys):
    for name in FEW[3:5]:
        (maps / f"{name}.png").unlink()
    with pytest.raises(
        KitError,
        match="2 of the sample's 20 images are missing, the first is 0003.jpg; --allow-missing",
    ):
        from_maps(maps)
    assert not (maps.parent / "out.csv").exists()
    found = from_maps(maps, allow_missing=True)
    assert (
        not np.diff(found.objects)[3:5].any()
        and "2 of 20 images could not be read and are predicted blank" in capsys.readouterr().out
    )
    assert json.loads((maps.parent / "out.json").read_text())["missing"] == FEW[3:5]
    for path in maps.iterdir():
        path.unlink()
    with pytest.raises(
        KitError,
        match="20 of the sample's 20 images are missing, the first is 0000.jpg; "
        "is it the right one",
    ):
        from_maps(maps, allow_missing=True)
    maps.rmdir()
    with pytest.raises(KitError, match="no such folder of maps"):
        from_maps(maps)


@pytest.mark.parametrize("damage", ["cut", "shape", "logits"])
def test_a_damaged_map_is_an_error_not_a_blank_image(maps, damage):
    path = maps / f"{FEW[4]}.png"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:60])
    else:
        path.unlink()
        path = maps / f"{FEW[4]}.npy"
        np.save(path, np.full((12, 11), 0.5) if damage == "shape" else np.full((12, 10), 1.5))
    with pytest.raises(KitError, match=str(path)):
        from_maps(maps, allow_missing=True)
    assert not (maps.parent / "out.csv").exists()


@pytest.mark.parametrize("name", ["../x", "/x", "a/b.jpg", "a\\b"])
def test_a_hostile_id_is_refused(maps, name):
    write_csv(maps.parent / "sample.csv", f"{FEW[0]},1 1", f"{name},1 1")
    with pytest.raises(KitError, match="is not a plain file name"):
        from_maps(maps, allow_missing=True)


def test_a_changed_map_is_read_again(maps, monkeypatch, capsys):
    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(prediction, "write_submission", stop)
        from_maps(maps)
    image = np.zeros((12, 10), np.uint8)
    (maps / f"{FEW[0]}.png").unlink()
    np.save(maps / f"{FEW[0]}.npy", image)
    assert np.diff(from_maps(maps).objects)[0] == 0
    assert "another prediction" in capsys.readouterr().out


def test_maps_of_many_sizes(maps, tmp_path):
    """A competition whose images differ in size; one that is missing has none."""
    Image.fromarray(np.full((3, 40), 255, np.uint8)).save(maps / f"{FEW[1]}.png")
    (maps / f"{FEW[2]}.png").unlink()
    options = {"competition": Competition(height=None, width=None), "allow_missing": True}
    found = predict_maps(maps, tmp_path / "sample.csv", tmp_path / "out.csv", **options)
    assert found.shapes[:3].tolist() == [[12, 10], [3, 40], [0, 0]]
    assert f"{FEW[1]},1 120\n{FEW[2]},\n" in (tmp_path / "out.csv").read_text()
