import json

import pytest

from kit.competition.conventions import AIRBUS
from kit.errors import KitError
from kit.machine.session import open_session


@pytest.mark.parametrize("layout", ["competitions/airbus-ship-detection", "airbus-ship-detection"])
def test_attached_data_are_used_where_they_are(tmp_path, layout, capsys):
    folder = tmp_path / "input" / layout
    folder.mkdir(parents=True)
    (folder / AIRBUS.truth_csv).touch()
    session = open_session(tmp_path / "input", tmp_path / "working", tmp_path / "scratch")
    assert (
        session.competition == folder
        and not session.practice
        and str(folder) in capsys.readouterr().out
    )
    assert not list((tmp_path / "scratch").iterdir())


def test_without_mounts_a_practice_competition_is_made_once_and_said(tmp_path, capsys):
    for _ in range(2):
        session = open_session(tmp_path / "none", tmp_path, images=8, test_images=2)
        assert (
            session.practice
            and "practice competition of synthetic scenes" in capsys.readouterr().out
        )
    assert json.loads((session.competition / "practice.json").read_text())["images"] == 8


def test_inputs_without_the_competition_s_data_are_not_worked_around(tmp_path):
    with pytest.raises(KitError, match="attach the competition's data"):
        open_session(tmp_path, tmp_path, tmp_path)


def make_earlier(folder, step=1, **config):
    """A model as an attached output holds it: nothing of it can be written."""
    (folder / "state").mkdir(parents=True)
    (folder / "maps").mkdir()
    (folder / "config.json").write_text(json.dumps({"records_sha256": "0", **config}))
    (folder / "state" / f"step-{step:09d}-00000.npz").write_bytes(b"state")
    (folder / "maps" / "a.png").write_bytes(b"map")
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)


@pytest.mark.parametrize("place", ["my-notebook", "datasets/owner/slug", "my-notebook/deeper"])
def test_a_model_of_an_earlier_session_is_brought_and_never_replaced(tmp_path, capsys, place):
    session = open_session(tmp_path / "none", tmp_path / "working", images=4, test_images=1)
    assert (
        session.bring("model") == tmp_path / "working" / "model"
        and not session.bring("model").exists()
    )
    earlier = tmp_path / "none" / place / "model"
    make_earlier(earlier)
    capsys.readouterr()
    model = session.bring("model")
    assert str(earlier) in capsys.readouterr().out and [
        path.name for path in (model / "state").iterdir()
    ] == ["step-000000001-00000.npz"]
    assert not (model / "maps").exists() and all(
        path.stat().st_mode & 0o200 for path in (model, *model.rglob("*"))
    )
    (model / "config.json").write_text("newer")
    assert (session.bring("model") / "config.json").read_text() == "newer"


def test_of_several_models_the_one_that_is_trained_furthest_goes_on(tmp_path, capsys):
    session = open_session(tmp_path / "none", tmp_path / "working", images=4, test_images=1)
    for number, step in enumerate((900, 10000, 2000)):
        make_earlier(tmp_path / "none" / f"output{number}" / "model", step)
    (tmp_path / "none" / "another" / "model").mkdir(parents=True)
    (tmp_path / "none" / "another" / "model" / "config.json").write_text(
        '{"architectures": ["foreign"]}'
    )
    assert (session.bring("model") / "state" / "step-000010000-00000.npz").is_file()
    assert "output1" in (out := capsys.readouterr().out) and "2 others are trained less" in out


def test_another_practice_competition_is_not_taken_for_the_one_that_is_wanted(tmp_path):
    open_session(tmp_path / "none", tmp_path, images=4, test_images=1)
    with pytest.raises(KitError, match="is another practice competition"):
        open_session(tmp_path / "none", tmp_path, images=5, test_images=1)


def test_of_two_models_the_other_is_counted(tmp_path, capsys):
    session = open_session(tmp_path / "none", tmp_path / "working", images=4, test_images=1)
    for number, step in enumerate((900, 1000)):
        make_earlier(tmp_path / "none" / f"output{number}" / "model", step)
    session.bring("model")
    assert "output1" in (out := capsys.readouterr().out) and "; 1 others are trained less" in out
