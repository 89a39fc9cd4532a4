"""The state of a training on disk: arrays and JSON, written whole or not at all.

The state before the last one is kept too.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import KitError
from ..system.npz import UNREADABLE, read_arrays, write_arrays

STATE_NAME = re.compile(r"step-(\d{9})-(\d{5})\.npz")


def save_state(folder: Path, arrays: list[np.ndarray], words: dict[str, Any]) -> Path:
    """Saves a state and keeps the last two.

    Args:
        folder: made if it is missing.
        arrays: kept by position.
        words: JSON. Its `step` and `history` order the states.

    Returns:
        The path of the new state.

    Raises:
        KitError: if the disk is full. Earlier states stay as they are.
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


def load_state(folder: Path) -> tuple[list[np.ndarray], dict[str, Any]] | None:
    """Loads the newest whole state; None if none was ever saved.

    For each damaged state that it skips it prints one line.

    Raises:
        KitError: if all are damaged.
    """
    states = list_states(folder)
    for place, path in enumerate(reversed(states)):
        try:
            found = _read(path)
        except UNREADABLE as error:
            reason = " ".join(str(error).split())[:100] or type(error).__name__
            older = place + 1 < len(states)
            way = "resuming from the state before it" if older else "no other state is left"
            print(f"{path}: is damaged ({reason}); {way}")
            continue
        for later in states[len(states) - place :]:
            later.unlink()  # else it would be in the way of a new state of the same step
        return found
    if states:
        raise KitError(
            f"{folder}: every state is damaged; "
            f"train into another folder, --start-from {folder.parent} keeps its best weights"
        )
    return None


def _read(path: Path) -> tuple[list[np.ndarray], dict[str, Any]]:
    arrays, words = read_arrays(path)
    if type(words.get("step")) is not int or not isinstance(words.get("history"), list):
        raise ValueError("no step or no history")
    return arrays, words
