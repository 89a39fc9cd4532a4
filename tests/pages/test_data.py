import dataclasses

import numpy as np
import pytest

from kit.errors import KitError
from kit.pages import report
from kit.pages.data import count_scenes
from kit.records.index import open_index
from tests.browser import find_faults, open_page
from tests.pages.conftest import names_shown


@pytest.mark.dear
def test_the_page_on_the_data(records, tmp_path):
    made = report.report(records, tmp_path / "data.html")
    assert "is truncated" in made.text
    with open_page(tmp_path / "data.html") as browser:
        assert browser.title == "Records records"
        assert 1 <= len(names_shown(browser)) <= 23
        assert find_faults(browser, tmp_path / "data.html") == []


def test_records_whose_scenes_were_not_searched(records, tmp_path):
    index = open_index(records)
    assert (
        count_scenes(dataclasses.replace(index, scenes=np.full(len(index), -1)))[1].tolist() == []
    )
    with pytest.raises(KitError, match="--records elsewhere: is only for models"):
        report.report(records, records="elsewhere")
