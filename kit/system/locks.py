"""A folder for one process alone."""

import contextlib
import fcntl
import os
import re
import shutil
from pathlib import Path

from ..errors import KitError


def clear(folder: Path, left: re.Pattern) -> None:
    """Removes what runs that were killed left in a folder, which this process holds: temporary files of names that match."""
    for path in folder.glob(".*.tmp*"):
        if left.fullmatch(path.name):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


@contextlib.contextmanager
def hold(out: Path, verb: str):
    """The folder `out`, made where it is missing and removed again where it stays empty, locked; KitError where another `verb` has it."""
    made = not out.exists()
    out.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(out, os.O_RDONLY)
    try:
        try:
            fcntl.flock(
                descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB
            )  # ends with the process, however that ends
        except BlockingIOError:
            raise KitError(f"{out}: another {verb} is at work there; wait for it") from None
        yield
    finally:
        if made:
            with contextlib.suppress(OSError):
                out.rmdir()  # only where nothing came of it
        os.close(descriptor)
