"""The scale of the gate: what a network says of whole images, made comparable with the truth."""

import numpy as np
from scipy.optimize import minimize, root
from scipy.special import expit

EDGE = 1e-6  # a probability is kept that far from 0 and 1
PULL = 5e-4  # to the network's own scale, so that separable images stay finite


def logit(probability: np.ndarray | float) -> np.ndarray:
    """log(p / (1 - p)), finite for 0 and 1 too."""
    inside = np.clip(np.asarray(probability, float), EDGE, 1 - EDGE)
    return np.asarray(np.log(inside / (1 - inside)))


def calibrate(presence: np.ndarray, holds: np.ndarray) -> tuple[float, float]:
    """The line from the network's logits to those of the images at hand.

    A network that was trained on crops, most of them around objects, speaks of crops: its odds have
    to be moved to whole images. Source: Platt, Probabilistic outputs for support vector machines,
    1999, with his smoothed targets.

    Args:
        presence: float (images,), what the network says.
        holds: bool (images,), whether the image holds an object.

    Returns:
        Slope and offset; (0, 0) if the network knows nothing.
    """
    there, number = int(holds.sum()), len(holds)
    logits = logit(presence)
    if not 0 < there < number or np.ptp(logits) == 0:
        return 0.0, 0.0
    inputs = np.stack([logits, np.ones(number)], axis=1)
    wanted = np.where(holds, (there + 1) / (there + 2), 1 / (number - there + 2))
    own = np.array([1.0, 0.0])

    def lose(line: np.ndarray) -> float:
        values = inputs @ line
        away = PULL * ((line - own) ** 2).sum()
        return float((np.logaddexp(0, values) - wanted * values).sum() + away)

    def slope(line: np.ndarray) -> np.ndarray:  # of the logistic loss, and the pull
        return np.asarray(inputs.T @ (expit(inputs @ line) - wanted) + 2 * PULL * (line - own))

    def bend(line: np.ndarray) -> np.ndarray:  # the slope's own
        found = expit(inputs @ line)
        weighted = inputs * (found * (1 - found))[:, None]
        return np.asarray(weighted.T @ inputs + 2 * PULL * np.eye(2))

    near = minimize(lose, own, jac=slope, hess=bend, method="trust-exact").x
    line = root(slope, near, jac=bend, tol=1e-13).x  # to the last digits
    return (float(line[0]), float(line[1])) if line[0] > 0 else (0.0, 0.0)
