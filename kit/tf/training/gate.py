"""The gate's stage: the presence head meets whole images (tests: tf/training/test_stages.py)."""

from collections.abc import Callable

import keras
import numpy as np

from ...masks import table
from ...records.index import Index
from ...system import progress
from ...tuning.logistic import balance, fit_logistic
from ..data.batches import scan
from ..failures import naming_shards
from ..inference.ensemble import count_batch, forward

RIDGE = 1e-2  # see fit_logistic
MOST = 20_000  # images; more take longer and hardly move a few hundred coefficients


def fit_gate(network: keras.Model, index: Index, stopped: Callable[[], object]) -> float | None:
    """Fits the presence head to whole images by logistic regression; the rest stays as it is.

    In training the head sees crops, most of them around objects, and is asked about whole images
    later. Images with objects and those without weigh alike in sum.

    Args:
        network: the kit's network with a presence output.
        index: the training images; at most MOST of them are taken, evenly spread.
        stopped: called after each batch; a true value ends the fit.

    Returns:
        The mean cross entropy over these images; None if `stopped` ended the fit.
    """
    head = network.get_layer("presence_dense")
    run = forward(keras.Model(network.input, head.input))
    places = np.unique(np.linspace(0, len(index) - 1, min(len(index), MOST)).round().astype(int))
    features = np.empty((len(places), head.input.shape[-1]), np.float32)
    done = 0
    with naming_shards(index), progress.bar(len(places), "gate", leave=False) as bar:
        for at, images, _ in scan(index, count_batch(index), places=places):
            if stopped():
                return None
            features[done : done + len(at)] = run(images).numpy()
            done += len(at)
            bar.update(len(at))
    holds = table.count_objects(index.truth)[places] > 0
    weights = balance(holds)
    line = fit_logistic(features, holds.astype(float), RIDGE, weights)
    head.set_weights([line[:-1, None], line[-1:]])
    values = features @ line[:-1] + line[-1]
    return float(np.average(np.logaddexp(0, values) - holds * values, weights=weights))
