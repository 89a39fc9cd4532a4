import pytest

from kit.settings import PackSettings, PracticeSettings, TrainSettings, TuneSettings


@pytest.mark.parametrize("cls", [PackSettings, PracticeSettings, TrainSettings, TuneSettings])
def test_defaults_are_legal(cls):
    assert cls() == cls()
