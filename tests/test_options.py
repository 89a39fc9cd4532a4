"""The options of the command line: every field of the settings is one, and says what it means."""

import dataclasses

import pytest

from kit.options import VERBS, make_parser, pick_settings
from kit.presets import PRESETS
from kit.settings import TrainSettings, choose_training


def read_help(capsys, verb: str) -> str:
    """What `kit VERB --help` prints, in one line."""
    with pytest.raises(SystemExit):
        make_parser().parse_args([verb, "--help"])
    return " ".join(capsys.readouterr().out.split())


def test_help_says_default_and_unit(capsys):
    text = read_help(capsys, "train")
    assert "--crop X side of the training crops, px; none: whole images (default 256)" in text
    assert "--max-hours X hours after which" in text


@pytest.mark.parametrize("verb", [verb for verb, (_, settings, _) in VERBS.items() if settings])
def test_help_has_every_field_of_the_settings_and_its_default(capsys, monkeypatch, verb):
    monkeypatch.setenv("COLUMNS", "999")
    text = read_help(capsys, verb)
    for field in dataclasses.fields(VERBS[verb][1]):
        name, told = field.name.replace("_", "-"), text.partition(field.metadata["help"])
        assert f"--{name}" in told[0] and told[2].partition(")")[0].rpartition("default ")[2]


def test_lists_of_names_are_given_with_commas_and_none_is_none():
    words = "--augment none --loss dice,balanced --devices GPU:0,GPU:1"
    options = make_parser().parse_args(["train", "r", "m", *words.split()])
    found = TrainSettings(**pick_settings(options, TrainSettings))
    given = {"augment": (), "loss": ("dice", "balanced"), "devices": ("GPU:0", "GPU:1")}
    assert found == TrainSettings(**given) and found.crop == 256
    assert all(getattr(found, name) == value for name, value in given.items())
    assert make_parser().parse_args(["train", "r", "m", "--crop", "none"]).crop is None


def test_an_option_beside_a_preset_wins_and_a_switch_can_be_turned_off():
    assert PRESETS["cpu-hour"]["presence"]
    words = "--preset cpu-hour --no-presence --crop none --epochs 20"
    options = make_parser().parse_args(["train", "r", "m", *words.split()])
    found = choose_training(**pick_settings(options, TrainSettings))
    # The preset has other epochs than 20, which is the default without one.
    given = {"preset": "cpu-hour", "presence": False, "crop": None, "epochs": 20}
    assert found == TrainSettings(**{**PRESETS["cpu-hour"], **given})
