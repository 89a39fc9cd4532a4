"""Where Kaggle mounts inputs and keeps outputs, and how long a session lasts."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

WORKING = Path("/kaggle/working")  # what a session keeps
MOUNTS = Path("/kaggle/input")
MANY = 500  # a folder with more entries than this is a folder of images
DEEP = 4  # the depth of datasets/OWNER/SLUG/FOLDER, and of SLUG/FRAMEWORK/VARIATION/VERSION
DEEPER = 2  # more for models/OWNER/SLUG/FRAMEWORK/VARIATION/VERSION
HOURS = 11.5  # of Kaggle's twelve, after which a training stops by itself


def find_hours(working: Path = WORKING, process: Path = Path("/proc")) -> float | None:
    """Hours until a training should stop by itself: HOURS after the Kaggle session began.

    The session began with the machine's first process. If that process tells no age, or an age
    longer than any session, the age of this process counts, which is the notebook's. None if this
    is not Kaggle.
    """
    if not working.is_dir():
        return None
    for name in ("1", "self"):
        try:
            stat = (process / name / "stat").read_text()
            uptime = float((process / "uptime").read_text().split()[0])
            ticks = int(stat.rpartition(")")[2].split()[19])  # from boot to its start
            age = (uptime - ticks / os.sysconf("SC_CLK_TCK")) / 3600
        except (OSError, ValueError, IndexError):
            continue
        if 0 <= age < 12:
            return max(0.0, HOURS - age)
    return HOURS


def list_inputs(mounts: Path = MOUNTS, depth: int = DEEP) -> Iterator[Path]:
    """The folders of attached inputs, at most DEEP levels down, those of models DEEPER.

    Folders inside one with more than MANY entries are left out: to list it takes minutes over a
    network.
    """
    try:
        with os.scandir(mounts) as listing:
            entries = list(itertools.islice(listing, MANY + 1))
    except OSError:
        return
    yield mounts
    if depth and len(entries) <= MANY:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_dir(follow_symlinks=False):
                more = DEEPER if depth == DEEP and entry.name == "models" else 0
                yield from list_inputs(Path(entry.path), depth - 1 + more)
