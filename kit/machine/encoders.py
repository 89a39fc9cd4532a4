"""The table of encoders: what each costs, and whether its ImageNet weights are on this machine."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from ..encoders import ENCODERS, find_encoder
from ..errors import KitError, naming_extra
from ..models.pretrained import describe_remedy, find_attached
from ..system.kaggle import MOUNTS

ALL = "all"


@naming_extra()
def list_encoders(measure: str | Iterable[str] = (), mounts: Path | str = MOUNTS) -> pd.DataFrame:
    """Lists the encoders, by ascending cost.

    TensorFlow is loaded only to measure.

    Args:
        measure: encoders to time here, or "all"; each takes from seconds to minutes, and prints one
            line.
        mounts: where inputs are attached.

    Returns:
        A table with one row per encoder, under its name: `parameters` without a classifier,
        `gflops` (10^9 operations of one forward pass for 256x256 px, two per multiply-add), `top1`
        (percent of ImageNet's validation images, as published; NaN without weights), and `weights`
        (where its ImageNet weights are on this machine, or how to get them). If any is measured,
        `seconds` is the median time of a training step of 8 crops of 256 px, as kit train takes it
        by default.

    Raises:
        KitError: if an encoder to measure is not known.

    >>> list_encoders().index[:3].tolist()
    ['mobilenetv2', 'efficientnetlite0', 'efficientnetb0']
    """
    wanted = (measure,) if isinstance(measure, str) else tuple(measure)
    if wanted != (ALL,):
        for name in wanted:
            find_encoder(name)
    names = sorted(ENCODERS, key=lambda name: ENCODERS[name].gflops)
    known = [ENCODERS[name] for name in names]
    columns = {each: [getattr(one, each) for one in known] for each in ("parameters", "gflops")}
    found = pd.DataFrame(columns, index=pd.Index(names, name="encoder"))
    found["top1"] = pd.array([each.top1 for each in known], float)
    if wanted:
        measured = names if wanted == (ALL,) else [name for name in names if name in wanted]
        found["seconds"] = pd.Series({name: _measure(name) for name in measured}, dtype=float)
    found["weights"] = [_find_weights(name, Path(mounts)) for name in names]
    return found


def _measure(name: str) -> float:
    from ..tf.training.measurement import BATCH, CROP, time_step

    seconds = time_step(name)
    print(f"{name}: {seconds:.2f} s for a training step of {BATCH} crops of {CROP} px", flush=True)
    return seconds


def _find_weights(name: str, mounts: Path) -> str:
    """Where an encoder's ImageNet weights are on this machine, or how to get them."""
    wanted = ENCODERS[name].weights
    if wanted is None:
        return "none"
    try:
        path = find_attached(wanted, mounts)
    except KitError as error:
        return str(error)
    return f"missing: {describe_remedy(wanted)}" if path is None else f"found: {path}"


def format_encoders(found: pd.DataFrame) -> str:
    """The table of `list_encoders` as text, one line per encoder."""
    lines = [f"{'encoder':18s}{'parameters':>12s}{'GFLOPs':>8s}{'top-1':>7s}"]
    lines[0] += f"{'s/step':>8s}  weights" if "seconds" in found else "  weights"
    for name, row in found.iterrows():
        line = f"{name:18s}{row.parameters / 1e6:10.1f} M{row.gflops:8.2f}"
        line += "      -" if pd.isna(row.top1) else f"{row.top1:7.1f}"
        if "seconds" in found:
            line += "       -" if pd.isna(row.seconds) else f"{row.seconds:8.2f}"
        lines.append(f"{line}  {row.weights}")
    return "\n".join(lines)
