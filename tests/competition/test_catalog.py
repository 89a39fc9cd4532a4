import json

import pytest

from kit.competition.catalog import COMPETITIONS, find_competition
from kit.competition.conventions import Competition
from kit.errors import KitError


def test_a_competition_is_found_by_name_or_in_a_file(tmp_path):
    assert find_competition("tgs-salt") is COMPETITIONS["tgs-salt"]
    (tmp_path / "mine.json").write_text(
        json.dumps({"name": "mine", "height": 9, "labels": ["a", "b"]})
    )
    assert find_competition(str(tmp_path / "mine.json")) == Competition(
        name="mine", height=9, labels=("a", "b")
    )
    with pytest.raises(
        KitError, match="competition 'coco': not one of airbus, tgs-salt, .*, not a .json file"
    ):
        find_competition("coco")
    with pytest.raises(KitError, match="gone.json: missing"):
        find_competition(str(tmp_path / "gone.json"))
    for value in (None, 3, "", tmp_path):
        with pytest.raises(KitError, match="not a kit.Competition"):
            find_competition(value)
    mine = Competition(name="mine")
    assert find_competition(mine) is mine and find_competition(tmp_path / "mine.json").height == 9
