"""The claim of a records folder: one process alone writes it."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from ..errors import KitError
from ..records.manifest import CACHE, is_records
from ..system.locks import clear, hold

# Names of temporary files that a killed run may leave behind.
LEFT = re.compile(
    r"\.(runlength-fold\d+\.tfrecord-.+"
    r"|(manifest\.json|plan\.json|folds\.csv|features\.json|dataset_info\.json)\..+"
    r"|metadata)\.tmp.*"
)


@contextlib.contextmanager
def claim(out: Path) -> Iterator[None]:
    """Holds the folder `out` for this process alone, and removes what a killed run left in it.

    A missing folder is made; if it is still empty after the block, it is removed again.

    Raises:
        KitError: if `out` holds anything but records, or another kit pack is at work there.
    """
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not is_records(out))):
        raise KitError(
            f"{out}: already exists and holds no records; "
            "remove it or choose another folder for the records"
        )
    if any(path.is_symlink() for path in (out / CACHE, *(out / CACHE).glob("*"))):
        raise KitError(
            f"{out / CACHE}: holds a symbolic link, which kit pack never makes; remove it"
        )
    with hold(out, "kit pack"):
        clear(out, LEFT)
        yield
