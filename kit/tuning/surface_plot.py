"""The plot of a tuning: F2 over the cuts, the chosen point, and the gain of each option."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..cuts import COMPONENT_CUTS, OPTIONS
from ..plots.style import PREDICTION, TRUTH
from ..system.files import replacing
from .candidates import THRESHOLDS
from .search import AXES, SIZES, WITHOUT, Point, index_at, read_place

SIZE = (16, 4.8)  # inches
# For each of SIZES, the place in THRESHOLDS of the threshold of large and of small components.
LEVELS = {
    kind: np.array([THRESHOLDS.index(size[place]) for size in SIZES])
    for place, kind in enumerate(("large", "small"))
}


def draw_surface(
    surface: np.ndarray, point: Point, fields: dict[str, Any], path: Path | str
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
    figure: Figure, surface: np.ndarray, point: Point, fields: dict[str, Any]
) -> None:
    """Draws a table of the re-weighted F2 for each cut, and the options side by side.

    Each cell of a table is the best over all other cuts; the chosen point is framed.

    Args:
        figure: to draw on.
        surface: of kit.tuning.tuning.Tuning.
        point: of the same.
        fields: of tuning.json.
    """
    cuts = list(reversed(COMPONENT_CUTS.items()))
    ratios = [0.32 + 0.116 * len(meta["tried"]) for _, meta in cuts]
    *tables, last = figure.subplots(1, len(cuts) + 1, width_ratios=(*ratios, 0.9))
    high = float(surface.max())
    low = min(fields["f2_blank"], high - 0.01)  # all that blank beats has one color
    for axes, (cut, meta) in zip(tables, cuts):
        kind = meta.get("beside", "large")
        levels = LEVELS[kind]
        values = np.stack([_find_best(surface[levels == k], cut) for k in range(len(THRESHOLDS))])
        chosen = levels[read_place(point, "size")], read_place(point, cut)
        rows = (f"threshold (of {kind} components)", THRESHOLDS)
        columns = (meta["title"], [f"{value:g}" for value in AXES[cut]])
        _draw_table(axes, values, low, high, chosen, rows, columns)
    _draw_options(last, surface, fields)
    share = f"{fields['empty_share']:.1%} empty images"
    figure.suptitle(
        f"object F2 at {share}, {fields['images']} images; "
        "each cell: the best of all other cuts; framed: chosen",
        fontsize=11,
    )


def _find_best(surface: np.ndarray, kept: str) -> np.ndarray:
    """The best of a surface at each place of one axis, over all other axes."""
    others = tuple(place for place, name in enumerate(AXES) if name != kept)
    return np.asarray(surface.max(axis=others))


def _draw_table(
    axes: Axes,
    values: np.ndarray,
    low: float,
    high: float,
    chosen: tuple[int, int],
    rows: tuple[str, Sequence[Any]],
    columns: tuple[str, Sequence[Any]],
) -> None:
    """values: (rows, columns); chosen: the framed cell; rows, columns: title and ticks."""
    axes.imshow(values, cmap="cividis", aspect="auto", vmin=low, vmax=high)
    for row in range(values.shape[0]):
        for column in range(values.shape[1]):
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
    axes.add_patch(
        Rectangle(
            (chosen[1] - 0.5, chosen[0] - 0.5), 1, 1, fill=False, edgecolor="red", linewidth=2.5
        )
    )
    axes.set_yticks(range(len(rows[1])), rows[1])
    axes.set_xticks(range(len(columns[1])), columns[1])
    axes.set_ylabel(rows[0])
    axes.set_xlabel(columns[0])


def _draw_options(axes: Axes, surface: np.ndarray, fields: dict[str, Any]) -> None:
    """Draws the best point, the best without each option, threshold 128 alone and blank."""
    rows = [("best of all", float(surface.max()))]
    rows += [
        (OPTIONS[name], float(surface[index_at(**{name: slice(WITHOUT[name])})].max()))
        for name in fields["options"]
    ]
    rows += [("threshold 128 alone", fields["f2_plain"])]
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
