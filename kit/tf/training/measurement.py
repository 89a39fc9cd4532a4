"""The time of a training step on this machine (tests: machine/test_encoders.py)."""

import gc
import statistics
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from ..environment import computing
from ..network.losses import make_loss
from ..network.unet import unet
from .steps import make_optimizer, make_step

BATCH, CROP = 8, 256  # crops per step, and their side in px


@computing()
def make_work(
    encoder: str, decoder: str | None = None, *, batch: int = BATCH, crop: int = CROP
) -> Callable[[], float]:
    """Makes a training step as kit train takes it by default, on one batch that stays in memory.

    Args:
        encoder: one of ENCODERS, with random weights.
        decoder: one of DECODERS; None for the encoder's own.
        batch: crops of noise, with a square for a ship.
        crop: side of the crops, px.

    Returns:
        A function that takes the step, on one device, and returns the loss before it.
    """
    gc.collect()  # an earlier step and its network hold each other
    network, optimizer = unet(encoder, decoder=decoder), make_optimizer(1e-3)
    optimizer.build(network.trainable_variables)
    images = np.random.default_rng(0).integers(0, 256, (batch, crop, crop, 3), np.uint8)
    masks = np.zeros((batch, crop, crop), np.uint8)
    masks[:, :16, :16] = 1
    given = tf.constant(images), tf.constant(masks)
    step = make_step(
        network, optimizer, make_loss(), tf.distribute.get_strategy(), batch=batch, clip=1.0
    )
    step(*given)  # compiles
    return lambda: float(step(*given))


def time_step(encoder: str, rounds: int = 5) -> float:
    """Measures a step of `make_work`: median seconds of some rounds, after one to warm up."""
    work, marks = make_work(encoder), []
    for _ in range(rounds + 1):
        work()
        marks.append(time.perf_counter())
    return statistics.median(np.diff(marks))
