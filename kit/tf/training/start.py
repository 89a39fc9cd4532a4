"""The network that a training begins with (tests: tf/training/test_training_precision.py)."""

from collections.abc import Callable
from pathlib import Path

import keras

from ...errors import KitError
from ...settings import TrainSettings
from ..network.precision import read_precision
from ..network.unet import unet
from ..network.weights import load_weights


def make_network(
    chosen: TrainSettings,
    model: keras.Model | Callable[[], keras.Model] | None,
    weights: str | None,
    *,
    synchronized: bool,
) -> keras.Model:
    """Makes the kit's U-Net, or takes the caller's own network, with the weights to begin with.

    Args:
        chosen: the settings.
        model: the caller's own network or a function that makes it; None: the kit's U-Net.
        weights: path of the encoder's weights; None: random ones.
        synchronized: whether batch norms take their statistics over all replicas.

    Raises:
        KitError: if an own network computes in another precision than asked, or weights are missing
            or do not fit.
    """
    if model is not None:
        network = model if isinstance(model, keras.Model) else model()
        if (found := read_precision(network)) != chosen.mixed:
            raise KitError(
                f"model: computes in {found or 'float32'}, but mixed is {chosen.mixed}; "
                f"give mixed={found!r}, or make it under another dtype policy "
                "(keras.config.set_dtype_policy)"
            )
    else:
        names = ("decoder", "filters", "scale", "output", "momentum", "presence", "mixed")
        options = {name: getattr(chosen, name) for name in names}
        network = unet(chosen.encoder, weights=weights, synchronized=synchronized, **options)
    if chosen.start_from is not None:
        start = Path(chosen.start_from) / "best.weights.h5"
        if not start.is_file():
            raise KitError(
                f"--start-from {chosen.start_from}: holds no best.weights.h5; "
                "give a folder made by kit train"
            )
        load_weights(network, start, chosen.encoder)
    return network
