"""Space on the disk: what the shards need and what is free (tests: packing/test_packing.py)."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from ..errors import KitError
from .plan import Plan


def weigh(folder: Path) -> int:
    """Bytes of the files in a folder; 0 if there is none."""
    return sum(path.stat().st_size for path in folder.iterdir()) if folder.is_dir() else 0


def check_space(
    plan: Plan,
    missing: Sequence[int],
    done: int,
    out: Path,
    cache: Path | None = None,
) -> str:
    """Checks that the missing shards fit on the disk.

    Args:
        plan: the plan of all shards.
        missing: positions in the plan of the shards that are not written yet.
        done: number of shards that are whole.
        out: folder of the records.
        cache: a folder that will be removed, so that its bytes count as free.

    Returns:
        One line that says how many bytes are needed and how many are free.

    Raises:
        KitError: if too few are free.
    """
    needed, free = int(plan.needed[missing].sum()) + 2**16, shutil.disk_usage(out).free
    free += weigh(cache) if cache else 0
    images = sum(plan.shards[place]["count"] for place in missing)
    said = (
        f"{images} images in {len(missing)} shards need up to {_size(needed)}, "
        f"the disk of {out} has {_size(free)} free"
    )
    if done:
        said += f" ({done} shards are done)"
    if needed > free:
        way = "free some space or choose another folder"
        if cache is not None:
            fewer = "--limit" if plan.head["settings"]["fit"] else "--fit or --limit"
            way += f", or pack fewer images with {fewer}"
        raise KitError(f"{said}, {_size(needed - free)} too little; {way}")
    return said


def _size(count: float) -> str:
    """Bytes in decimal units."""
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
