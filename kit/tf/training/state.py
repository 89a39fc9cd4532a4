"""The state of a training, saved and taken up again (tests: tf/training/test_resume.py)."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...errors import KitError
from ...models import checkpoint
from ...models.history import tabulate
from ...system.files import write_text


@dataclass
class Progress:
    """How far a training is: the part of its state that is not in variables."""

    step: int = 0  # steps done, over all epochs
    seconds: float = 0.0  # spent in this epoch
    losses: list[float] = field(default_factory=list)  # of this epoch's steps
    history: list[dict] = field(default_factory=list)  # rows of history.csv
    stage: int = 0  # of its settings, see kit.settings.list_stages
    begun: int = 0  # steps done before this stage


def save(out: Path, variables: list, progress: Progress) -> bool:
    """Saves the state if all weights are finite, so that every saved state is a good one.

    Returns:
        Whether all weights are finite.
    """
    arrays = [np.array(variable) for variable in variables]
    if not all(
        np.isfinite(array).all() for array in arrays if np.issubdtype(array.dtype, np.floating)
    ):
        return False
    checkpoint.save_state(out / "state", arrays, dataclasses.asdict(progress))
    return True


def restore(out: Path, enter: Callable[[Progress], list]) -> Progress:
    """Sets the variables to the newest undamaged state, and rewrites history.csv to match it.

    Args:
        out: the model folder.
        enter: a function of the progress of a state that returns the variables to set, in the order
            in which they were saved.

    Returns:
        The progress of that state, or of a new training if there is no state.

    Raises:
        KitError: if the state belongs to another network or is not the state of a training.
    """
    folder, progress = out / "state", Progress()
    found = checkpoint.load_state(folder)
    if found is None:
        return progress
    arrays, words = found
    try:
        for name, value in words.items():
            if not isinstance(value, type(getattr(progress, name))):
                raise TypeError(name)
            setattr(progress, name, value)
        history = tabulate(progress.history)
    except (AttributeError, TypeError, KeyError) as error:
        raise KitError(f"{folder}: not the state of a training ({error!r})") from None
    variables = enter(progress)
    if [array.shape for array in arrays] != [tuple(variable.shape) for variable in variables]:
        raise KitError(f"{folder}: belongs to another network; choose another folder for the model")
    for variable, array in zip(variables, arrays):
        variable.assign(array)
    if progress.history:
        write_text(out / "history.csv", history)
    return progress
