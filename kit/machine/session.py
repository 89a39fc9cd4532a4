"""The folders of a notebook: its data, a place for records, and one for what is kept."""

import dataclasses
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..competition.conventions import AIRBUS, Competition
from ..competition.sources import find_source
from ..errors import KitError
from ..models.checkpoint import list_states
from ..practice.folder import EASY, write_practice
from ..settings import PracticeSettings
from ..system.files import read_json, replacing_folder
from ..system.kaggle import MOUNTS, WORKING, list_inputs


@dataclass(frozen=True)
class Session:
    """The folders of a notebook."""

    competition: Path  # the attached data, or a practice competition
    practice: bool  # whether it is a practice competition
    scratch: Path  # for records: has much space, is lost when the session ends
    working: Path  # for models and submissions: is kept
    mounts: Path  # where inputs are attached

    def bring(self, name: str) -> Path:
        """The folder of the model `name` in `working`.

        If it is missing, the model of that name is copied there from the attached outputs of
        earlier sessions, without its maps; of several, the one with the most steps. This prints one
        line.
        """
        out = self.working / name
        found = (
            []
            if out.exists()
            else [folder / name for folder in list_inputs(self.mounts) if _is_model(folder / name)]
        )
        if found:
            found.sort(key=_count_steps)
            with replacing_folder(out) as temporary:
                _copy(found[-1], temporary)
            others = f"; {len(found) - 1} others are trained less" if len(found) > 1 else ""
            print(f"kit: continues with {found[-1]}, an output of an earlier session{others}")
        return out


def _is_model(folder: Path) -> bool:
    try:
        return "records_sha256" in read_json(folder / "config.json", "of a model")
    except (KitError, TypeError):
        return False


def _count_steps(folder: Path) -> str:
    """The name of the latest state; such names sort by the number of steps."""
    return max((path.name for path in list_states(folder / "state")), default="")


def _copy(source: Path, target: Path) -> None:
    """Copies files and folders so that they can be written, which inputs cannot.

    It leaves out links, and the maps, which are many and can be computed again.
    """
    for folder, folders, names in os.walk(source):
        there = target / Path(folder).relative_to(source)
        there.mkdir(exist_ok=True)
        folders[:] = [name for name in folders if not name.startswith("maps")]
        for name in names:
            if not os.path.islink(os.path.join(folder, name)):
                shutil.copyfile(os.path.join(folder, name), there / name)


def open_session(
    mounts: Path | str = MOUNTS,
    working: Path | str | None = None,
    scratch: Path | str | None = None,
    *,
    competition: Competition = AIRBUS,
    **practice: Any,
) -> Session:
    """Finds or makes the folders of a notebook, and prints which they are.

    Args:
        mounts: where Kaggle attaches inputs; if it is missing, a practice competition is made in
            `scratch`.
        working: for models and submissions; None: Kaggle's, or the current folder.
        scratch: for records; None: on Kaggle the temporary folder, else `scratch` in `working`.
        competition: the conventions that tell its data among the inputs.
        **practice: fields of PracticeSettings, which change the demo's easy competition.

    Returns:
        The folders; `scratch` and `working` exist.

    Raises:
        KitError: if no input holds the competition's data, or `scratch` holds another practice
            competition.
    """
    mounts = Path(mounts)
    working = Path(working) if working is not None else WORKING if WORKING.is_dir() else Path.cwd()
    scratch = (
        Path(scratch)
        if scratch is not None
        else Path(tempfile.gettempdir())
        if mounts.is_dir()
        else working / "scratch"
    )
    if mounts.is_dir():
        found = find_source("kaggle", competition, mounts).path
    else:
        found = _make_practice(scratch / "practice", PracticeSettings(**{**EASY, **practice}))
        print(
            f"kit: this is not Kaggle ({mounts} is missing), "
            "so this works on a practice competition of synthetic scenes"
        )
    print(
        f"kit: the competition's data are at {found}; "
        f"records go to {scratch}, models and submissions to {working}"
    )
    for folder in (scratch, working):
        folder.mkdir(parents=True, exist_ok=True)
    return Session(found, not mounts.is_dir(), scratch, working, mounts)


def _make_practice(folder: Path, chosen: PracticeSettings) -> Path:
    folder.parent.mkdir(parents=True, exist_ok=True)
    if not folder.exists():
        return write_practice(folder, **dataclasses.asdict(chosen))
    if read_json(folder / "practice.json", "by kit practice") != dataclasses.asdict(chosen):
        raise KitError(
            f"{folder}: is another practice competition; "
            f"remove {folder.parent}, or choose another scratch folder"
        )
    return folder
