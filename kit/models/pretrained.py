"""Encoder weights trained on ImageNet: the published file of each, found on this machine.

A file is known by its name and, if one is published, its checksum.
"""

import hashlib
import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from ..encoders import ENCODERS, Published
from ..errors import KitError
from ..system.kaggle import MOUNTS, list_inputs
from ..system.variables import find_keras_home

WORD = "imagenet"
EXTRA = "runlength-kit[weights]"  # brings the packages that hold weights


def find_published(encoder: str) -> Published:
    """Finds the published file with an encoder's ImageNet weights.

    Raises:
        KitError: if the encoder has none.
    """
    wanted = ENCODERS[encoder].weights
    if wanted is None:
        raise KitError(
            f"--encoder-weights {WORD}: the encoder {encoder} has none; "
            "leave them out or choose another encoder"
        )
    return wanted


def find_attached(wanted: Published, mounts: Path = MOUNTS) -> str | None:
    """Finds a published file in its package, among attached inputs or in Keras's cache.

    Returns:
        Its path; None if it is nowhere.

    Raises:
        KitError: if every file of that name has another checksum, or a file cannot be read.
    """
    wrong = None
    for folder in _list_folders(wanted, mounts):
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


def _list_folders(wanted: Published, mounts: Path) -> Iterator[Path]:
    """The folders that may hold a published file."""
    if wanted.package is not None:
        module = wanted.package.replace("-", "_")
        found = find_spec(module)  # does not run the package
        for folder in (found and found.submodule_search_locations) or ():
            yield Path(folder) / "models"
    yield from list_inputs(mounts)
    yield find_keras_home() / "models"


def digest_like(path: Path, like: str) -> str:
    """Checksum of a file, MD5 or SHA-256 as `like` is."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "md5" if len(like) == 32 else "sha256").hexdigest()


def describe_file(wanted: Published) -> str:
    """Name and checksum of a published file, in words."""
    if wanted.checksum is None:
        return wanted.name
    kind = "MD5" if len(wanted.checksum) == 32 else "SHA-256"
    return f"{wanted.name} ({kind} {wanted.checksum})"


def describe_remedy(wanted: Published) -> str:
    """How to get a published file that is not on this machine, in words."""
    if wanted.package is not None:
        return f"pip install '{EXTRA}'"
    return f"downloaded if there is internet, else attach {wanted.name}"
