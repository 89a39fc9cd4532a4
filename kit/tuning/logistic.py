"""Logistic regression on few numbers, with a ridge that is chosen on held-out groups."""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

RIDGES = (1e-3, 1e-2, 1e-1, 1.0, 10.0)  # of the squared coefficients of standardized inputs


def fit_logistic(
    inputs: np.ndarray, wanted: np.ndarray, ridge: float, weights: np.ndarray | None = None
) -> np.ndarray:
    """Fits P(wanted) = expit(inputs @ line[:-1] + line[-1]) by the mean cross entropy.

    The penalty is ridge / 2 times the mean of the squared coefficients of inputs that are scaled to
    a deviation of 1. The constant is free.

    Args:
        inputs: float (rows, columns).
        wanted: float (rows,), 0 to 1.
        ridge: weight of the penalty, above 0.
        weights: float (rows,), of the rows; None: all weigh alike.

    Returns:
        The line, float64 (columns + 1,).
    """
    inputs = np.asarray(inputs, float)
    shares = np.ones(len(inputs)) if weights is None else np.asarray(weights, float)
    shares = shares / shares.sum()
    mean = shares @ inputs
    spread = np.sqrt(shares @ (inputs - mean) ** 2)
    scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 1e-12)
    scaled = (inputs - mean) * scale

    def lose(line: np.ndarray) -> tuple[float, np.ndarray]:
        values = scaled @ line[:-1] + line[-1]
        away = shares * (expit(values) - wanted)
        total = shares @ (np.logaddexp(0, values) - wanted * values)
        slope = np.append(away @ scaled + ridge * line[:-1], away.sum())
        return float(total + ridge / 2 * (line[:-1] ** 2).sum()), slope

    start = np.zeros(inputs.shape[1] + 1)
    line = minimize(lose, start, jac=True, method="L-BFGS-B", options={"maxiter": 1000}).x
    line[:-1] *= scale
    return np.append(line[:-1], line[-1] - mean @ line[:-1])


def choose_ridge(
    inputs: np.ndarray,
    wanted: np.ndarray,
    split: np.ndarray,
    weights: np.ndarray | None = None,
    ridges: Sequence[float] = RIDGES,
) -> tuple[float, np.ndarray]:
    """Chooses the ridge with the least cross entropy on splits that had no say in the line.

    Args:
        inputs, wanted, weights: see `fit_logistic`.
        split: int (rows,), from 0; each number is held out in turn.
        ridges: what to choose from.

    Returns:
        The ridge, and what the lines of the other splits say of each row, as logits.
    """
    found = np.empty((len(ridges), len(inputs)))
    for place, ridge in enumerate(ridges):
        for number in range(split.max() + 1):
            out = split == number
            given = None if weights is None else weights[~out]
            line = fit_logistic(inputs[~out], wanted[~out], ridge, given)
            found[place, out] = inputs[out] @ line[:-1] + line[-1]
    shares = np.ones(len(inputs)) if weights is None else weights
    losses = (np.logaddexp(0, found) - wanted * found) @ shares
    best = int(np.argmin(losses))
    return ridges[best], found[best]
