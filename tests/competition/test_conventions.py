import json

import pytest

from kit.competition import conventions
from kit.competition.conventions import COMPETITIONS, Competition
from kit.errors import KitError
from kit.system import files


@pytest.mark.parametrize("name", COMPETITIONS)
def test_fields_survive_json(name):
    assert (
        conventions.from_json(json.loads(json.dumps(conventions.to_json(COMPETITIONS[name]))))
        == COMPETITIONS[name]
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"height": "768"},
        {"width": 0},
        {"height": 2**31},
        {"height": True},
        {"truth_csv": None},
        {"nothing": 1},
        {"train_images": "train"},
        {"train_images": "../{id}"},
        {"test_images": "/etc/{id}"},
        {"truth_csv": "../../etc/passwd"},
        {"order": "sideways"},
        {"row": "pixel"},
        {"score": "accuracy"},
        {"labels": "Fish"},
        {"labels": ["a", "a"]},
        {"label_separator": "__"},
        {"relative": 1},
        {"height": 2**16, "width": 2**16},
        {"id_column": ""},
        {"id_column": "EncodedPixels"},
        {"empty": "1 2"},
        {"empty": "-,"},
        {"empty": "\ud800"},
        {"label_separator": "_", "labels": ["b", "a_b"]},
    ],
)
def test_illegal_fields_are_refused(fields):
    with pytest.raises(KitError, match="not the fields of a competition"):
        conventions.from_json(fields)


def test_a_competition_is_found_by_name_or_in_a_file(tmp_path):
    assert conventions.find_competition("tgs-salt") is COMPETITIONS["tgs-salt"]
    (tmp_path / "mine.json").write_text(
        json.dumps({"name": "mine", "height": 9, "labels": ["a", "b"]})
    )
    assert conventions.find_competition(str(tmp_path / "mine.json")) == Competition(
        name="mine", height=9, labels=("a", "b")
    )
    with pytest.raises(
        KitError, match="competition 'coco': not one of airbus, tgs-salt, .*, and not a .json file"
    ):
        conventions.find_competition("coco")
    with pytest.raises(KitError, match="gone.json: missing"):
        conventions.find_competition(str(tmp_path / "gone.json"))


def test_what_is_open_is_said_with_the_way_out():
    with pytest.raises(
        KitError,
        match="competition dsb2018: its height is not set, but needed here; give --shape HxW",
    ):
        _ = COMPETITIONS["dsb2018"].shape
    with pytest.raises(
        KitError,
        match="its order is not set, but needed here; give it in a JSON file: "
        '{"order": ...} with --competition',
    ):
        COMPETITIONS["siim-pneumothorax"].need("order")
    assert COMPETITIONS["dsb2018"].with_shape((3, 4)).shape == (3, 4)


@pytest.mark.parametrize(
    "name", ["../a.jpg", "/etc/passwd", "a/b.jpg", "", "..", "a\\b.jpg", "a\0.jpg"]
)
def test_no_id_leaves_the_folder(tmp_path, name):
    with pytest.raises(KitError, match="not a plain file name"):
        conventions.image_path(tmp_path, "test_v2/{id}", name)


def test_a_damaged_json_is_named(tmp_path):
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(KitError, match=r"a\.json: cannot be read as JSON"):
        files.read_json(tmp_path / "a.json", "something")
    (tmp_path / "a.json").write_text("[" * 100_000)
    with pytest.raises(KitError, match=r"a\.json: cannot be read as JSON"):
        files.read_json(tmp_path / "a.json", "something")
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(KitError, match="no JSON object"):
        files.read_json(tmp_path / "a.json", "something")
