"""A folder reserved for one process."""

import contextlib
import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from ..errors import KitError
from .files import explain


def clear(folder: Path, left: re.Pattern[str]) -> None:
    """Removes what killed runs left in a folder: temporary files whose names match `left`.

    This process must hold the folder.
    """
    for path in folder.glob(".*.tmp*"):
        if left.fullmatch(path.name):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


@contextlib.contextmanager
def hold(out: Path, verb: str) -> Iterator[None]:
    """Locks the folder `out` for the block; `verb` says in the error what the other process does.

    A missing folder is made, and removed again if it stays empty.

    Raises:
        KitError: if another process holds the folder, or it cannot be made.
    """
    made = not os.path.exists(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(out, os.O_RDONLY)
    except OSError as error:
        raise KitError(explain(error, out)) from None
    try:
        try:
            # The lock ends with the process, no matter how that ends.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise KitError(f"{out}: another {verb} is at work there; wait for it") from None
        yield
    finally:
        if made:
            with contextlib.suppress(OSError):
                out.rmdir()  # fails, as it should, if the folder is not empty
        os.close(descriptor)
