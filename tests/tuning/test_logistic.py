import numpy as np
import pytest
from scipy.special import expit

from kit.tuning.logistic import balance, fit_logistic


def test_the_line_that_made_the_shares_comes_back():
    rng = np.random.default_rng(0)
    inputs, line = rng.normal(3, 2, (400, 3)), np.array([0.5, -1.0, 0.2, 1.0])
    wanted = expit(inputs @ line[:-1] + line[-1])
    assert np.allclose(fit_logistic(inputs, wanted, 1e-9), line, atol=1e-3)
    pulled = fit_logistic(inputs, wanted, 0.5)
    assert (abs(pulled[:-1]) < abs(line[:-1])).all()
    assert expit(inputs @ pulled[:-1] + pulled[-1]).mean() == pytest.approx(wanted.mean())
    # Scaled and moved inputs give the same predictions: the penalty is of standardized inputs.
    other = fit_logistic(100 * inputs - 7, wanted, 0.5)
    assert np.allclose(
        (100 * inputs - 7) @ other[:-1] + other[-1], inputs @ pulled[:-1] + pulled[-1], atol=1e-4
    )


def test_weights_count_like_rows_and_what_tells_nothing_stays_at_zero():
    rng = np.random.default_rng(1)
    inputs, wanted = rng.normal(size=(30, 2)), rng.integers(0, 2, 30).astype(float)
    inputs[:, 1] = 4.0  # the same in all rows
    twice = fit_logistic(
        np.concatenate([inputs, inputs[:10]]), np.append(wanted, wanted[:10]), 0.01
    )
    weighed = fit_logistic(inputs, wanted, 0.01, np.where(np.arange(30) < 10, 2, 1))
    assert np.allclose(twice, weighed, atol=1e-5) and twice[1] == 0
    for all_alike in (np.zeros(30), np.ones(30)):  # finite, though nothing holds the constant
        assert np.isfinite(fit_logistic(inputs, all_alike, 0.01)).all()


def test_rare_rows_weigh_as_much_as_the_others():
    wanted = np.array([True, False, False, False])
    assert balance(wanted).tolist() == [4, pytest.approx(4 / 3)] + [pytest.approx(4 / 3)] * 2
    assert np.isfinite(balance(np.ones(3, bool))).all()
