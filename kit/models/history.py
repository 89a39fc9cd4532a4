"""The history of a training: one row per epoch.

It tells which epochs are the best, and what their weights are called.
"""

import csv
import io
from pathlib import Path
from typing import Any

from ..system.csv_rows import read_rows

# The columns that the holdout's score fills.
HOLDOUT_COLUMNS = (
    "val_loss",
    "val_pixel_iou",
    "val_pixel_f2",
    "val_object_f2",
    "val_object_f2_ships",
    "val_object_f2_empty",
    "val_object_f2_blank",
)
COLUMNS = ("epoch", "step", "seconds", "learning_rate", "loss", *HOLDOUT_COLUMNS)


def tabulate(history: list[dict[str, Any]]) -> str:
    """The text of history.csv."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(
        ["" if row[name] is None else row[name] for name in COLUMNS] for row in history
    )
    return text.getvalue()


def describe_epoch(row: dict[str, Any], epochs: int) -> str:
    """One line about an epoch; the row is as in history.csv, `epochs` is how many there will be."""
    line = f"epoch {row['epoch']}/{epochs}  {row['seconds']:.0f} s  loss {row['loss']:.3f}"
    if row["val_object_f2"] is None:
        return line
    line += f"  holdout: loss {row['val_loss']:.3f}"
    for name, word in (
        ("val_pixel_iou", "pixel IoU"),
        ("val_pixel_f2", "pixel F2"),
        ("val_object_f2", "object F2"),
    ):
        line += f"  {word} {'-' if row[name] is None else format(row[name], '.3f')}"
    ships = row["val_object_f2_ships"]
    return (
        f"{line} (blank {row['val_object_f2_blank']:.3f}, "
        f"ship images {'-' if ships is None else format(ships, '.3f')})"
    )


def rank_epochs(history: list[dict[str, Any]], column: str) -> list[int]:
    """Ranks epochs by a column, best first; of equal ones, and without a figure, the later wins.

    The gate's epoch has the figures of the best one before it, since it changes no map.
    """
    sign = 1 if column.endswith("loss") else -1
    ranked = sorted(history, key=lambda row: (sign * (row[column] or 0), -row["epoch"]))
    return [row["epoch"] for row in ranked]


def name_weights(row: dict[str, Any]) -> str:
    """File name of an epoch's weights, with the holdout's loss or, without one, the training's."""
    loss = row["loss"] if row["val_loss"] is None else row["val_loss"]
    return f"epoch-{row['epoch']:04d}-loss-{loss:.4f}.weights.h5"


def read_history(path: Path) -> list[dict[str, float | None]]:
    """Reads the rows of a history.csv, by COLUMNS, an empty cell as None; [] without a file.

    Raises:
        KitError: if it is not the history of a training.
    """
    return read_rows(path, dict.fromkeys(COLUMNS, _read_cell)) if path.exists() else []


def _read_cell(cell: str) -> float | None:
    return float(cell) if cell else None
