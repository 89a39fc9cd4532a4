"""Files that appear whole or not at all: written beside their place, flushed, then renamed."""

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import KitError


@contextlib.contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """A temporary path beside `path`; the file written there replaces `path` after the block.

    The file is flushed to the disk first. If the block raises an error, `path` stays as it was and
    no temporary file is left.

    Raises:
        KitError: if the folder is missing, the disk is full, or writing is denied.
    """
    path = Path(path)
    temporary = _place_temporary(path)
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
        flush_folder(path.parent)
    except OSError as error:
        raise KitError(explain(error, path)) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


@contextlib.contextmanager
def replacing_folder(path: Path | str) -> Iterator[Path]:
    """A temporary folder beside `path`; after the block it takes the place of `path`.

    `path` must then be absent or an empty folder. If the block raises an error, `path` stays as it
    was and no temporary folder is left.

    Raises:
        KitError: for any OSError. It names `path`, or the file that failed if that lies outside
            the temporary folder.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        with contextlib.suppress(FileNotFoundError):
            path.rmdir()
        os.replace(temporary, path)
    except OSError as error:
        inside = error.filename is None or Path(error.filename).is_relative_to(temporary)
        raise KitError(explain(error, path if inside else Path(error.filename))) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def flush_folder(folder: Path) -> None:
    """Makes the names in a folder survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check_target(path: Path | str) -> None:
    """Checks, before any time is spent, that `replacing` can write the file `path`.

    It writes an empty file beside it and removes it: flags of access do not tell all, as on
    network disks or for root.

    Raises:
        KitError: if `path` is a folder, its folder is missing, or writing is denied.
    """
    path = Path(path)
    temporary = _place_temporary(path)
    try:
        temporary.touch()
        temporary.unlink()
    except OSError as error:
        raise KitError(explain(error, path)) from None


def _place_temporary(path: Path) -> Path:
    """Where the file is written that becomes `path`; KitError if `path` cannot be a file."""
    if not path.name or os.path.isdir(path):  # is_dir() raises an error for a name too long
        raise KitError(f"{path}: is a folder; give the path of a file")
    if not path.parent.is_dir():
        raise KitError(f"{path}: there is no folder {path.parent}; make it first")
    return path.with_name(f".{path.name}.{os.getpid()}.tmp{path.suffix}")


def explain(error: OSError, path: Path) -> str:
    """An OSError in words, with the way out."""
    if is_full(error):
        return (
            f"{path}: the disk that holds {path.parent} is full; "
            "free some space and run the same command again"
        )
    return f"{path}: {error.strerror or error}; does it exist, and may you read and write it?"


def is_full(error: OSError) -> bool:
    """Whether an OSError says that the disk or the user's quota is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write_bytes(path: Path | str, data: bytes) -> None:
    """Writes `data` to the file `path`, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path | str, text: str) -> None:
    """Writes `text` to the UTF-8 file `path`, whole or not at all."""
    write_bytes(path, text.encode())


def write_json(path: Path | str, fields: dict[str, Any]) -> None:
    """Writes `fields` as an indented JSON file, whole or not at all."""
    write_text(path, json.dumps(fields, indent=2, allow_nan=False) + "\n")


def read_json(path: Path, what: str) -> dict[str, Any]:
    """The JSON object in `path`; `what` says in errors what the file is.

    Raises:
        KitError: if the file is missing, not JSON, or holds no JSON object.
    """
    try:
        if path.exists() and not path.is_file():
            raise OSError("no regular file")
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise KitError(f"{path}: missing ({what})") from None
    except (OSError, ValueError, RecursionError) as error:
        raise KitError(f"{path}: cannot be read as JSON ({what}): {error}") from None
    if not isinstance(found, dict):
        raise KitError(f"{path}: holds no JSON object ({what})")
    return found
