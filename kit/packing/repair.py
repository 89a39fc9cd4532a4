"""The repair of records: their damaged files are made again from the source."""

from pathlib import Path
from typing import Any

from ..competition import conventions
from ..errors import KitError
from ..records.manifest import AGAIN, is_records, read_manifest
from .packing import pack
from .plan import read_plan


def repair(folder: Path | str, source: Path | str | None = None) -> dict[str, Any]:
    """Rebuilds the damaged files of records and returns the manifest.

    source: the competition's folder or zip; None: where the manifest says it was.

    Raises:
        KitError: if there are no records, neither manifest nor plan can be read, or the source is
            missing or has changed.
    """
    folder = Path(folder)
    if not is_records(folder):
        raise KitError(f"{folder}: no such folder of records")
    if not (folder / "manifest.json").exists() and not (folder / "plan.json").exists():
        raise KitError(f"{folder}: packing was not finished; {AGAIN}")
    try:
        head = read_manifest(folder)
    except KitError as error:
        try:
            head = read_plan(folder / "plan.json").head
        except KitError:
            raise error from None
        if source is None:
            raise KitError(
                f"{error}; only it knows where the images are, so give --source COMPETITION"
            ) from None
    return pack(
        source or head["source"],
        folder,
        competition=conventions.from_json(head["competition"]),
        **head["settings"],
    )
