import itertools
import math

import pytest

from kit.tf.training.schedule import SCHEDULES, learning_rate


def test_the_ancestors_steps_hold_two_epochs_then_fall():
    rates = [learning_rate("step", step, 50, 10, 1e-4) for step in range(50)]
    assert rates[:20] == [1e-4] * 20
    for epoch in (2, 3, 4):
        assert rates[10 * epoch] == pytest.approx(1e-4 * math.exp(-0.1 * (epoch - 1)))
        assert len(set(rates[10 * epoch : 10 * epoch + 10])) == 1


def test_cosine_rises_then_falls_to_zero():
    rates = [learning_rate("cosine", step, 100, 10, 2.0, 0.1) for step in range(100)]
    assert rates[0] == pytest.approx(0.2) and max(rates) == rates[9] == pytest.approx(2.0)
    assert all(a >= b for a, b in itertools.pairwise(rates[9:])) and rates[-1] < 0.01
    assert rates[55] == pytest.approx(1.0)  # half way


def test_constant_stays():
    assert {learning_rate("constant", step, 30, 10, 0.5) for step in range(30)} == {0.5}


@pytest.mark.parametrize("name", SCHEDULES)
def test_one_step_alone_has_a_rate(name):
    assert 0 < learning_rate(name, 0, 1, 1, 1.0, 0.05) <= 1


def test_a_function_of_ones_own_is_followed():
    assert learning_rate(lambda step, steps, epoch: step / steps + epoch, 5, 10, 2, 1.0) == 2.5
