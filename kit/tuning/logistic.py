"""Logistic regression on a few numbers."""

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit


def balance(wanted: np.ndarray) -> np.ndarray:
    """Weights by which the rows that are wanted, bool (rows,), weigh as much as the others."""
    share = wanted.mean()
    return np.asarray(np.where(wanted, 1 / max(share, 1e-9), 1 / max(1 - share, 1e-9)))


def fit_logistic(
    inputs: np.ndarray, wanted: np.ndarray, ridge: float, weights: np.ndarray | None = None
) -> np.ndarray:
    """Fits the line by which expit(inputs @ line[:-1] + line[-1]) comes closest to `wanted`.

    The loss is the mean cross entropy, and ridge / 2 times the sum of the squared coefficients of
    the inputs once these are scaled to a deviation of 1. The constant is free.

    Args:
        inputs: float (rows, columns).
        wanted: float (rows,), 0 to 1.
        ridge: weight of the penalty.
        weights: of the rows in the mean, float (rows,); None: all weigh alike.

    Returns:
        The line, float64 (columns + 1,).
    """
    inputs = np.asarray(inputs, float)
    shares = np.ones(len(inputs)) if weights is None else np.asarray(weights, float)
    shares = shares / shares.sum()
    mean = shares @ inputs
    spread = np.sqrt(shares @ (inputs - mean) ** 2)
    scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 1e-9)
    scaled = (inputs - mean) * scale

    def lose(line: np.ndarray) -> tuple[float, np.ndarray]:
        values = scaled @ line[:-1] + line[-1]
        away = shares * (expit(values) - wanted)
        total = shares @ (np.logaddexp(0, values) - wanted * values)
        slope = np.append(away @ scaled + ridge * line[:-1], away.sum())
        return float(total + ridge / 2 * (line[:-1] ** 2).sum()), slope

    # The constant alone may run off, if all are wanted or none; the penalty holds the others.
    bounds = [(None, None)] * inputs.shape[1] + [(-20, 20)]
    begin = np.zeros(inputs.shape[1] + 1)
    options = {"maxiter": 1000, "ftol": 1e-12, "gtol": 1e-8}
    line = minimize(lose, begin, jac=True, method="L-BFGS-B", bounds=bounds, options=options).x
    slopes = line[:-1] * scale
    return np.append(slopes, line[-1] - mean @ slopes)
