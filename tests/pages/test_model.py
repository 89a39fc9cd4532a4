"""The page on one model."""

import dataclasses
import re

import numpy as np
import pytest

from kit.cuts import Cuts
from kit.pages.comparison import make_comparison_page
from kit.pages.html import span
from kit.pages.model import describe_command, make_model_page
from kit.settings import choose_training


def test_figures_are_those_of_the_scorer(evaluation, page):
    text = page.read_text()
    weighted = evaluation.mean(evaluation.f2)
    assert weighted == pytest.approx(
        0.25 * evaluation.f2[evaluation.empty].mean()
        + 0.75 * evaluation.f2[~evaluation.empty].mean()
    )
    low, high = evaluation.bound(evaluation.f2)
    assert low < weighted < high and span((low, high)) in text
    ladder = evaluation.ladder
    assert (
        ladder["as it is"] == weighted < ladder["gate"] < ladder["alarms"] < 1
    )  # missed ships stay missed
    assert all(f">{value:.3f}</text>" in text for value in ladder.values())
    assert "kit train /data/records first" in text
    labels = re.findall(r'<text class="iou"[^>]*>([^<]*)<', text)
    assert sorted(labels) == sorted(
        "0" if iou == 0 else f"{iou:.2f}" for iou in evaluation.mistakes.iou
    )


def test_the_command_is_the_one_that_trained():
    chosen = choose_training("cpu-hour", fold=None, steps=10, presence=False, augment=())
    command = describe_command({**vars(chosen), "records": "my records", "own": {}}, "m")
    options = "--preset cpu-hour --fold none --no-presence --steps 10 --augment none"
    assert command == f"kit train 'my records' m {options}"


def test_what_a_reader_should_know_of_the_cuts_is_said(evaluation):
    own = {**evaluation.config, "own": {"model": "<mine>"}, "start_from": "other"}
    text = make_model_page(dataclasses.replace(evaluation, config=own, note="tuned together")).text
    assert (
        "tuned together." in text
        and "your own model" in text
        and "&lt;mine&gt;" in text
        and "started from other" in text
    )
    blank = dataclasses.replace(evaluation, cuts=Cuts(blank=True))
    assert "cuts give the blank submission" in make_model_page(blank).text
    assert "cuts that were chosen on other scenes" in make_model_page(evaluation).text


def test_one_scene_says_nothing_of_others(evaluation):
    index = dataclasses.replace(evaluation.index, scenes=np.zeros(len(evaluation.index), int))
    alone = dataclasses.replace(evaluation, index=index)
    assert alone.bound(alone.f2) is None and alone.bound(alone.f2, ~alone.empty) is None
    halves = dataclasses.replace(
        index, scenes=np.where(evaluation.empty, 0, evaluation.index.scenes)
    )  # the empty ones are of one scene
    assert (half := dataclasses.replace(evaluation, index=halves)).bound(
        half.f2
    ) is None and half.bound(half.f2, ~half.empty)
    text = make_model_page(alone).text
    assert (
        "No clear difference from the blank submission" in text
        and "no interval: all images are of one scene" in text
    )
    assert make_comparison_page([alone, alone]).text.count("no clear difference") == 4
