import pytest

from kit import competition
from kit.errors import KitError


def test_fields_survive_json():
    other = competition.Competition(train_images="x", height=101)
    assert competition.from_json(competition.to_json(other)) == other


@pytest.mark.parametrize("fields", [{"height": "768"}, {"width": 0}, {"height": 10**6}, {"truth_csv": None}, {"nothing": 1}])
def test_fields_of_another_kind_are_refused(fields):
    with pytest.raises(KitError, match="not the fields of a competition"):
        competition.from_json(fields)


@pytest.mark.parametrize("name", ["../a.jpg", "/etc/passwd", "a/b.jpg", "", "..", "a\\b.jpg", "a\0.jpg"])
def test_no_id_leaves_the_folder(tmp_path, name):
    with pytest.raises(KitError, match="not a plain file name"):
        competition.image_path(tmp_path, "test_v2", name)


def test_a_damaged_json_is_named(tmp_path):
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(KitError, match=r"a\.json: cannot be read as JSON"):
        competition.read_json(tmp_path / "a.json", "something")
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(KitError, match="no JSON object"):
        competition.read_json(tmp_path / "a.json", "something")
