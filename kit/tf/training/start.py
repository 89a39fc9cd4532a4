"""The network and the optimizer that a training begins with."""

from collections.abc import Callable
from pathlib import Path

import keras

from ...errors import KitError
from ...settings import TrainSettings
from ..network.precision import read_precision
from ..network.unet import unet
from ..network.weights import load_weights
from .steps import make_optimizer


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


def find_encoder_layer(chosen: TrainSettings, network: keras.Model) -> keras.Layer | None:
    """Finds the layer "encoder" of a network; None if it learns like the rest.

    Raises:
        KitError: if there is no such layer, or nothing else that could learn while it is frozen.
    """
    if chosen.encoder_rate == 1 and not chosen.freeze_encoder:
        return None
    option = "--freeze-encoder" if chosen.freeze_encoder else "--encoder-rate"
    try:
        encoder = network.get_layer("encoder")
    except ValueError:
        raise KitError(
            f'{option}: your network has no layer "encoder"; give its encoder this name, '
            "or leave the option out"
        ) from None
    if len(encoder.trainable_variables) == len(network.trainable_variables):
        raise KitError(f"{option}: your network has no weights besides those of its encoder")
    return encoder


def build_optimizer(
    chosen: TrainSettings, network: keras.Model, encoder: keras.Layer | None
) -> keras.optimizers.Optimizer:
    """Makes the optimizer of a network's weights; `encoder` is what `find_encoder_layer` found."""
    optimizer = make_optimizer(
        chosen.learning_rate,
        chosen.mixed,
        chosen.optimizer,
        encoder=() if encoder is None else encoder.trainable_variables,
        encoder_rate=chosen.encoder_rate,
        freezes=chosen.freeze_encoder > 0,
    )
    optimizer.build(network.trainable_variables)
    return optimizer
