import json

import pytest

from kit.competition import conventions
from kit.competition.catalog import COMPETITIONS
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
        {"image_id": "{case}"},
        {"image_id": "a"},
        {"image_id": "{id", "train_images": "{id"},
        {"image_id": "{id.__class__}"},
        {"image_id": "{id:>9999999999}"},
        {"image_id": "{id!r}"},
        {"train_images": "{0}/{id}"},
        {"sample_row": "pixel"},
    ],
)
def test_illegal_fields_are_refused(fields):
    with pytest.raises(KitError, match="not the fields of a competition"):
        conventions.from_json(fields)


def test_what_is_open_is_said_with_the_way_out():
    with pytest.raises(
        KitError,
        match="competition dsb2018: its height is not set, but needed here; give --shape HxW",
    ):
        _ = COMPETITIONS["dsb2018"].shape
    with pytest.raises(
        KitError,
        match="its truth_csv is not set, but needed here; give it in a JSON file: "
        '{"truth_csv": ...} with --competition',
    ):
        COMPETITIONS["contrails"].need("truth_csv")
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
