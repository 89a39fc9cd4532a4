"""Where Kaggle mounts inputs and keeps outputs, and how long a session lasts."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

WORKING = Path("/kaggle/working")  # what a session keeps
MOUNTS = Path("/kaggle/input")
MANY, DEEP = (
    500,
    4,
)  # a folder of more entries is one of images, and datasets/OWNER/SLUG/FOLDER lies so deep
HOURS = 11.5  # of Kaggle's twelve, after which a training there stops by itself


def find_hours(working: Path = WORKING, process: Path = Path("/proc")) -> float | None:
    """Hours until a training should stop by itself: on Kaggle HOURS after the session began, elsewhere None.

    It began with the first process; where that tells no age, or one that no session reaches, with this one, the notebook's.
    """
    if not working.is_dir():
        return None
    for name in ("1", "self"):
        try:
            ticks = int(
                (process / name / "stat").read_text().rpartition(")")[2].split()[19]
            )  # when it began, after the machine did
            age = (
                float((process / "uptime").read_text().split()[0])
                - ticks / os.sysconf("SC_CLK_TCK")
            ) / 3600
        except (OSError, ValueError, IndexError):
            continue
        if 0 <= age < 12:
            return max(0.0, HOURS - age)
    return HOURS


def list_inputs(mounts: Path = MOUNTS, depth: int = DEEP) -> Iterator[Path]:
    """The folders of attached inputs, at most DEEP; none inside of one of MANY entries, which take minutes to list over a network."""
    try:
        with os.scandir(mounts) as listing:
            entries = list(itertools.islice(listing, MANY + 1))
    except OSError:
        return
    yield mounts
    if depth and len(entries) <= MANY:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_dir(follow_symlinks=False):
                yield from list_inputs(Path(entry.path), depth - 1)
