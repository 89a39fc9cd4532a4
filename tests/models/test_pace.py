import datetime

import pytest

from kit.models.pace import PACE_STEPS, describe_epochs, describe_pace

NIGHT = datetime.datetime(2026, 1, 31, 23, 30)


def test_steps_that_compile_or_wait_do_not_count():
    marks = [0.0]
    for step in range(PACE_STEPS):
        marks.append(marks[-1] + (30.0 if step < 3 or step == 40 else 2.0))
    text = describe_pace(marks, 1800, 1, None, NIGHT)
    wanted = "2.000 s per step: the 1,800 steps left take 60 minutes, until 00:30 on 01 February"
    assert text == f"{wanted}, plus 1 holdout scoring"


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (3000.0, "stops it after about 1,500 of them"),
        (3700.0, None),
        (None, None),
        (-5.0, "about 0 of"),
    ],
)
def test_a_limit_that_comes_first_is_named(left, words):
    text = describe_pace([2.0 * k for k in range(PACE_STEPS + 1)], 1800, 0, left, NIGHT)
    assert (
        ("--max-hours" in text) == (words is not None)
        and (words or "") in text
        and "scoring" not in text
    )


def test_epochs_count_their_scoring():
    assert describe_epochs(5400, 2, None, NIGHT).endswith(
        "the 2 left take 3.0 hours, until 02:30 on 01 February"
    )
    assert (
        describe_epochs(70, 1, None, NIGHT)
        == "1 minute per epoch with its scoring: the last one takes 1 minute, until 23:31"
    )
    assert "--max-hours stops it within epoch 2 of these" in describe_epochs(5400, 2, 6000, NIGHT)
