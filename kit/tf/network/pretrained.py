"""Encoder weights trained on ImageNet: the published file of each encoder.

It is found offline by its name and, if one is published, its checksum.
"""

import contextlib
import hashlib
import io
import os
import socket
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import keras

from ...encoders import ENCODERS
from ...errors import KitError
from ...system.kaggle import MOUNTS, list_inputs
from ...system.variables import find_keras_home

WORD = "imagenet"
_MOBILE = "https://storage.googleapis.com/tensorflow/keras-applications/"
_MOBILENETS = {  # from Keras, which publishes no checksum
    "mobilenet": f"{_MOBILE}mobilenet/mobilenet_1_0_224_tf_no_top.h5",
    "mobilenetv2": f"{_MOBILE}mobilenet_v2/"
    "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
}
SECONDS = 5  # a host that can be reached answers within this time


class Published(NamedTuple):
    """A file of weights as its package names it."""

    name: str
    address: str
    # Hexadecimal digits of an MD5 or SHA-256, told apart by length; None: none is published.
    checksum: str | None


def find_published(encoder: str) -> Published:
    """Finds the published file with an encoder's ImageNet weights.

    Raises:
        KitError: if the encoder has none.
    """
    package = ENCODERS[encoder].weights
    if package is None:
        raise KitError(
            f"--encoder-weights {WORD}: the encoder {encoder} has none; "
            "leave them out or choose another encoder"
        )
    if package == "keras":
        return Published(_MOBILENETS[encoder].rpartition("/")[2], _MOBILENETS[encoder], None)
    # segmentation-models prints the framework's name; the other two need it.
    with contextlib.redirect_stdout(io.StringIO()):
        import segmentation_models  # noqa: F401
        from classification_models.weights import WEIGHTS_COLLECTION
        from efficientnet.model import BASE_WEIGHTS_PATH, WEIGHTS_HASHES
    if package == "efficientnet":
        model = encoder.replace("efficientnet", "efficientnet-")
        name = f"{model}_weights_tf_dim_ordering_tf_kernels_autoaugment_notop.h5"
        return Published(name, BASE_WEIGHTS_PATH + name, WEIGHTS_HASHES[model][1])
    wanted = (encoder, WORD, False)
    known = next(
        each
        for each in WEIGHTS_COLLECTION
        if (each["model"], each["dataset"], each["include_top"]) == wanted
    )
    return Published(known["name"], known["url"], known["md5"])


def find_encoder_weights(asked: str | None, encoder: str, mounts: Path = MOUNTS) -> str | None:
    """Finds the file that `--encoder-weights` asks for: none, a path, or `imagenet`.

    For `imagenet` it looks among the attached inputs and in Keras's cache, then downloads.

    Raises:
        KitError: if the file is nowhere, or its checksum is not the published one.
    """
    if asked != WORD:
        return asked
    wanted = find_published(encoder)
    return find_attached(wanted, mounts) or _download(wanted)


def find_attached(wanted: Published, mounts: Path = MOUNTS) -> str | None:
    """Finds a published file among attached inputs or in Keras's cache; None if it is nowhere.

    Raises:
        KitError: if every file of that name has another checksum, or a file cannot be read.
    """
    wrong = None
    for folder in (*list_inputs(mounts), find_keras_home() / "models"):
        path = folder / wanted.name
        if not os.path.isfile(path):  # unlike Path.is_file, False in a folder without permission
            continue
        try:
            if wanted.checksum is None or digest_like(path, wanted.checksum) == wanted.checksum:
                return str(path)
        except OSError as error:
            raise KitError(f"{path}: cannot be read: {error.strerror}") from None
        wrong = wrong or path
    if wrong:
        raise KitError(
            f"{wrong}: damaged or another file, its checksum is not {wanted.checksum}; "
            "attach the published file or train with --encoder-weights none"
        )
    return None


def digest_like(path: Path, like: str) -> str:
    """Checksum of a file, MD5 or SHA-256 as `like` is."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "md5" if len(like) == 32 else "sha256").hexdigest()


def _download(wanted: Published) -> str:
    host = urlsplit(wanted.address).hostname
    stated = ""
    if wanted.checksum:
        stated = f" ({'MD5' if len(wanted.checksum) == 32 else 'SHA-256'} {wanted.checksum})"
    try:
        socket.create_connection((host, 443), SECONDS).close()
        print(f"kit train: downloading {wanted.address}")
        return keras.utils.get_file(
            wanted.name, wanted.address, cache_subdir="models", file_hash=wanted.checksum
        )
    except Exception as error:
        raise KitError(
            f"--encoder-weights {WORD}: no attached input holds {wanted.name}{stated}, "
            f"and it cannot be downloaded ({error}); "
            "attach a dataset that holds it, or train with --encoder-weights none"
        ) from None
