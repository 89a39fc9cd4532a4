"""The state of a training on the disk: arrays and a few words about them, whole or not at all, and the one before kept."""

import re
from pathlib import Path

import numpy as np

from ..errors import KitError
from ..system.npz import UNREADABLE, read_arrays, write_arrays

STATE_NAME = re.compile(r"step-(\d{9})-(\d{5})\.npz")


def save_state(folder: Path, arrays: list[np.ndarray], words: dict) -> Path:
    """Saves arrays, by position, and JSON; words holds `step` and `history`, by which states follow one another. The two last are kept.

    Raises KitError on a full disk; what was saved before is left as it was.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"step-{words['step']:09d}-{len(words['history']):05d}.npz"
    write_arrays(path, arrays, words)
    for old in [other for other in list_states(folder) if other <= path][:-2]:
        old.unlink()
    return path


def list_states(folder: Path) -> list[Path]:
    """The states in a folder, oldest first."""
    return sorted(path for path in folder.glob("step-*.npz") if STATE_NAME.fullmatch(path.name))


def load_state(folder: Path) -> tuple[list[np.ndarray], dict] | None:
    """The newest whole state, None where none was ever saved; a damaged one is passed over, and that is said.

    Raises KitError where all are damaged.
    """
    states = list_states(folder)
    for place, path in enumerate(reversed(states)):
        try:
            found = _read(path)
        except UNREADABLE as error:
            reason = " ".join(str(error).split())[:100] or type(error).__name__
            print(
                f"{path}: is damaged ({reason}); "
                + (
                    "going on from the state before it"
                    if place + 1 < len(states)
                    else "none is left"
                )
            )
            continue
        for later in states[len(states) - place :]:
            later.unlink()  # else it would stand in the way of a state of the same step
        return found
    if states:
        raise KitError(
            f"{folder}: every state is damaged; train into another folder, --start-from {folder.parent} keeps its best weights"
        )
    return None


def _read(path: Path) -> tuple[list[np.ndarray], dict]:
    arrays, words = read_arrays(path)
    if type(words.get("step")) is not int or not isinstance(words.get("history"), list):
        raise ValueError("no step or no history")
    return arrays, words
