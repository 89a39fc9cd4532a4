import os

import pytest

from kit.system import kaggle


def test_inputs_are_listed_a_few_levels_deep_and_never_inside_of_a_folder_of_images(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(kaggle, "MANY", 10)
    deep = tmp_path / "datasets" / "owner" / "slug" / "wheels"
    for folder in (deep / "deeper", tmp_path / "competition" / "train_v2" / "inside"):
        folder.mkdir(parents=True)
    for number in range(11):
        (tmp_path / "competition" / "train_v2" / f"{number}.jpg").touch()
    found = list(kaggle.list_inputs(tmp_path))
    assert deep in found and deep / "deeper" not in found
    assert (
        tmp_path / "competition" / "train_v2" in found
        and tmp_path / "competition" / "train_v2" / "inside" not in found
    )
    assert list(kaggle.list_inputs(tmp_path / "none")) == []


def test_a_model_is_reached_at_its_version_and_others_are_not_listed_that_deep(tmp_path):
    version = tmp_path / "models" / "owner" / "slug" / "keras" / "notop" / "1"
    former = tmp_path / "slug" / "keras" / "notop" / "1"
    images = tmp_path / "competitions" / "c" / "train" / "case" / "scans"
    for folder in (version / "deeper", former, images):
        folder.mkdir(parents=True)
    found = list(kaggle.list_inputs(tmp_path))
    assert version in found and version / "deeper" not in found
    assert former in found and images.parent in found and images not in found


def test_a_session_on_kaggle_has_hours_left(tmp_path):
    assert kaggle.find_hours(tmp_path / "none") is None
    assert kaggle.find_hours(tmp_path, tmp_path) == 11.5  # nothing tells
    (tmp_path / "uptime").write_text("100000.0 3.2\n")

    def begin(process, age):
        stat = ["S", *["0"] * 18, str(int((1e5 - 3600 * age) * os.sysconf("SC_CLK_TCK"))), "0"]
        (tmp_path / process).mkdir(exist_ok=True)
        (tmp_path / process / "stat").write_text(f"1 (a (b) c) {' '.join(stat)}\n")

    begin("self", 0.75)
    for age, hours in (
        (1, 10.5),
        (11.45, 0.05),
        (11.8, 0.0),
        (20, 10.75),
    ):  # the last is no session's first process
        begin("1", age)
        assert kaggle.find_hours(tmp_path, tmp_path) == pytest.approx(hours, abs=0.01)
    (tmp_path / "1" / "stat").write_text("nonsense")
    assert kaggle.find_hours(tmp_path, tmp_path) == pytest.approx(10.75, abs=0.01)
