"""The plot of a tuning: F2 over the cuts, the chosen point, and the gain of each cut."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..plots.style import PREDICTION, TRUTH
from ..system.files import replacing
from .search import AXES, Point

SIZE = (15, 4.8)  # inches
# Titles and values of the axes.
SHOWN: dict[str, tuple[str, list[str]]] = {
    "rectangles": ("objects are", ["outlines", "rectangles"]),
    "min_worth": ("least expected worth of an object", [f"{v:g}" for v in AXES["min_worth"]]),
    "gate": (
        "odds of the gate, times the theory's",
        ["no gate", *(f"{value:g}" for value in AXES["gate"][1:])],
    ),
}
TABLES = (("min_worth", "gate"), ("rectangles", "min_worth"))  # rows and columns of each


def draw_surface(
    surface: np.ndarray, point: Point | None, fields: dict[str, Any], path: Path | str
) -> None:
    """Writes the figure of `paint_surface` as a PNG.

    Args:
        surface: of kit.tuning.tuning.Tuning.
        point: of the same.
        fields: of tuning.json.
        path: of the PNG.

    Raises:
        KitError: if the file cannot be written.
    """
    figure = Figure(figsize=SIZE, dpi=100, layout="constrained")
    paint_surface(figure, surface, point, fields)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})


def paint_surface(
    figure: Figure, surface: np.ndarray, point: Point | None, fields: dict[str, Any]
) -> None:
    """Draws tables of the re-weighted F2 over two cuts each, and what each cut gains.

    Each cell of a table is the best over the other cuts; the chosen point is framed.

    Args:
        figure: to draw on.
        surface: of kit.tuning.tuning.Tuning.
        point: of the same.
        fields: of tuning.json.
    """
    *tables, last = figure.subplots(1, len(TABLES) + 1, width_ratios=(1.2, 1.2, 0.9))
    high = float(surface.max())
    low = min(fields["f2_blank"], high - 0.01)  # all that blank beats has one color
    names = list(AXES)
    for axes, (row, column) in zip(tables, TABLES):
        others = tuple(names.index(name) for name in AXES if name not in (row, column))
        values = surface.max(axis=others)
        chosen = None if point is None else (point[names.index(row)], point[names.index(column)])
        _draw_table(axes, values, low, high, chosen, SHOWN[row], SHOWN[column])
    _draw_options(last, surface, fields)
    share = f"{fields['empty_share']:.1%} empty images"
    figure.suptitle(
        f"object F2 at {share}, {fields['images']} images; "
        "each cell: the best of all other cuts; framed: chosen",
        fontsize=11,
    )


def _draw_table(
    axes: Axes,
    values: np.ndarray,
    low: float,
    high: float,
    chosen: tuple[int, int] | None,
    rows: tuple[str, Sequence[Any]],
    columns: tuple[str, Sequence[Any]],
) -> None:
    """values: (rows, columns); chosen: the framed cell, if any; rows, columns: title and ticks."""
    axes.imshow(values, cmap="cividis", aspect="auto", vmin=low, vmax=high)
    for row in range(values.shape[0]):
        for column in range(values.shape[1]):
            if not np.isfinite(values[row, column]):
                continue
            bright = values[row, column] > (low + high) / 2
            text = f"{values[row, column]:.3f}".removeprefix("0")
            axes.text(
                column,
                row,
                text,
                ha="center",
                va="center",
                fontsize=9,
                color="black" if bright else "white",
            )
    if chosen is not None:
        corner = chosen[1] - 0.5, chosen[0] - 0.5
        axes.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor="red", linewidth=2.5))
    axes.set_yticks(range(len(rows[1])), rows[1])
    axes.set_xticks(range(len(columns[1])), columns[1])
    axes.set_ylabel(rows[0])
    axes.set_xlabel(columns[0])


def _draw_options(axes: Axes, surface: np.ndarray, fields: dict[str, Any]) -> None:
    """Draws the best point, the best without a cut, threshold 128 alone and blank."""
    rows = [
        ("best of all", float(surface.max())),
        ("no rectangles", float(surface[0].max())),
        ("no gate", float(surface[..., 0].max())),
        ("threshold 128 alone", fields["f2_plain"]),
    ]
    places = range(len(rows), 0, -1)
    nested, low, high = fields.get("f2_tuned", fields["f2"]), fields["f2_low"], fields["f2_high"]
    left = min(fields["f2_blank"], nested, low, *(value for _, value in rows[:-1])) - 0.01
    axes.set_xlim(left, max(fields["f2_blank"], nested, high, *(value for _, value in rows)) + 0.01)
    for place, (_, value) in zip(places, rows):
        axes.plot(
            [value],
            [place],
            "o",
            color=rcParams["text.color"],
            label="on the images that chose the cuts" if place == 1 else None,
        )
        text, at = f"{value:.3f}", max(value, left)
        if value < left:
            text = f"\N{LEFTWARDS ARROW} {text}"
        axes.annotate(
            text,
            (at, place),
            xytext=(0, 7),
            textcoords="offset points",
            ha="center" if at == value else "left",
            fontsize=9,
        )
    axes.axvline(
        fields["f2_blank"], color=TRUTH, linewidth=2, label=f"blank {fields['f2_blank']:.3f}"
    )
    if not fields["blank"]:
        axes.axvspan(low, high, color=PREDICTION, alpha=0.25, label="95% interval of the nested F2")
    axes.axvline(
        nested,
        color=PREDICTION,
        linewidth=2,
        label=f"nested F2, chosen and scored apart {nested:.3f}",
    )
    axes.set_yticks(places, [name for name, _ in rows])
    axes.set_ylim(0.4, len(rows) + 0.8)
    axes.set_xlabel("object F2")
    axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.4, -0.12), ncols=2)
    axes.grid(axis="x", alpha=0.3)
