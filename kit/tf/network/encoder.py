"""Encoders: from uint8 images to features at several strides."""

from collections.abc import Callable
from pathlib import Path

import keras

from ...encoders import ENCODERS, find_encoder
from ...errors import KitError, naming_extra
from ...settings import PRECISIONS
from ..environment import default_keras
from .applications import application_encoder
from .ends import Prepare
from .library import library_encoder
from .lite import lite_encoder
from .plain import plain_encoder
from .precision import choose_precision
from .pretrained import find_encoder_weights
from .replacements import replace_layers
from .slim import slim_encoder
from .weights import DAMAGES, describe_damage


@naming_extra()
def encoder(
    name: str,
    *,
    weights: str | None = None,
    strides: tuple[int, ...] | None = None,
    momentum: float = 0.9,
    mixed: str | None = None,
) -> keras.Model:
    """Builds an encoder alone: uint8 RGB (batch, height, width, 3) of any size to its features.

    Args:
        name: one of ENCODERS.
        weights: "imagenet" for its published weights, or the path of a file with them; None for
            random ones.
        strides: of the features; None for all that it has, see ENCODERS.
        momentum: of every batch norm.
        mixed: as for `unet`.

    Returns:
        A model that gives a list of features, one for each stride, or one stride's alone: (batch,
        padded height / stride, padded width / stride, channels). Images are padded at the bottom
        and the right to multiples of the largest stride that the encoder has.

    Raises:
        KitError: if the encoder, its weights or a stride are not known.
    """
    known, mixed = find_encoder(name), check_precision(mixed)
    wanted = known.strides if strides is None else strides
    given = tuple(wanted) if isinstance(wanted, list | tuple) else ()
    unknown = [stride for stride in given if stride not in known.strides]
    if unknown or not given:
        raise KitError(
            f"strides {', '.join(map(str, unknown)) or strides}: the encoder {name} has features "
            f"at strides {', '.join(map(str, known.strides))}"
        )
    with default_keras(mixed):
        images = keras.Input((None, None, 3), dtype="uint8", name="image")
        features = dict(zip(known.strides, add_encoder(name, weights, images)))
        network = keras.Model(images, [features[stride] for stride in given], name=name)
        replace_layers(network, momentum)
        return network


def check_precision(mixed: str | None) -> str | None:
    """Chooses the half precision, see `choose_precision`; KitError if it is unknown."""
    if mixed not in (None, *PRECISIONS):
        raise KitError(f"mixed {mixed!r}: choose among {', '.join(PRECISIONS)}")
    return choose_precision(mixed)


def add_encoder(name: str, weights: str | None, images, scale: int = 1) -> list:
    """Adds an encoder to images; returns its features, by ascending stride."""
    known = ENCODERS[name]
    if weights is not None and known.weights is None:
        raise KitError(
            f"{weights}: the encoder {name} takes no weights; "
            "leave them out or choose another encoder"
        )
    path = find_encoder_weights(weights, name)
    if path is not None and not Path(path).is_file():
        raise KitError(f"{path}: no such file of encoder weights")
    try:
        core = FAMILIES[known.family](name, path)
    except DAMAGES as error:
        if path is None:
            raise
        words = f"cannot be loaded as weights of {name} (another encoder's, or a damaged file)"
        raise KitError(f"{path}: {words}: {describe_damage(error)}") from None
    core.name = "encoder"
    prepare = Prepare(known.mean, known.deviation, scale, known.strides[-1], name="prepare")
    return core(prepare(images))


# The builders of encoders by family. Each takes (encoder, path of its weights or None) and gives a
# model from floats to a list of features, by ascending stride.
FAMILIES: dict[str, Callable[..., keras.Model]] = {
    "segmentation-models": library_encoder,
    "efficientnet-lite": lite_encoder,
    "efficientnetv2": application_encoder,
    "convnext": application_encoder,
    "resnetv2": application_encoder,
    "plain": lambda name, weights: plain_encoder(),
    "slim": lambda name, weights: slim_encoder(),
}
