"""What a network says of whole images, made comparable with how often it is right: the scale of the gate."""

import numpy as np

EDGE = 1e-6  # a probability is kept that far from 0 and 1


def logit(probability) -> np.ndarray:
    """log(p / (1 - p)), finite for 0 and 1 too."""
    inside = np.clip(np.asarray(probability, float), EDGE, 1 - EDGE)
    return np.log(inside / (1 - inside))


def calibrate(presence: np.ndarray, holds: np.ndarray) -> tuple[float, float]:
    """Slope and offset of the line that turns the network's logits into those of the images at hand; (0, 0) where it knows nothing.

    presence: float (images,), what the network says; holds: bool (images,), whether the image holds an object. A network trained on
    crops, most of them around objects, speaks of crops: its odds have to be moved to whole images. Source: Platt, Probabilistic outputs
    for support vector machines, 1999, with his smoothed targets; by Newton's method.
    """
    there, number = int(holds.sum()), len(holds)
    if not 0 < there < number:
        return 0.0, 0.0
    inputs = np.stack([logit(presence), np.ones(number)], axis=1)
    if np.ptp(inputs[:, 0]) == 0:
        return 0.0, 0.0
    wanted = np.where(holds, (there + 1) / (there + 2), 1 / (number - there + 2))

    def lose(
        line,
    ):  # with a little pull to the network's own scale, so that separable images stay finite
        values = inputs @ line
        return float(
            (np.logaddexp(0, values) - wanted * values).sum() + 5e-4 * ((line - (1, 0)) ** 2).sum()
        )

    line = np.array([1.0, 0.0])
    for _ in range(50):
        found = 1 / (1 + np.exp(-np.clip(inputs @ line, -30, 30)))
        slope = inputs.T @ (wanted - found) - 1e-3 * (line - (1, 0))
        step = np.linalg.solve(
            (inputs * (found * (1 - found))[:, None]).T @ inputs + 1e-3 * np.eye(2), slope
        )
        while (
            lose(line + step) > lose(line) and np.abs(step).max() > 1e-9
        ):  # far from the end a full step may overshoot
            step /= 2
        line += step
        if np.abs(step).max() < 1e-9:
            break
    return (float(line[0]), float(line[1])) if line[0] > 0 else (0.0, 0.0)
