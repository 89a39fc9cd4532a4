"""The plots of a page as SVG; text and axes take the page's color, light or dark."""

import io
import re
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib
import numpy as np
from markupsafe import Markup, escape
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..scoring.counts import IOU_TWENTIETHS

INK = "#010203"  # becomes the page's own color
# Okabe and Ito's colors: distinct with any color vision, on white and on black.
COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "kit",
    "font.family": "sans-serif",
    "font.size": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "legend.frameon": False,
    **dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK
    ),
}


def draw(
    make: Callable[..., None], *arguments: Any, title: str, size: tuple[float, float]
) -> Markup:
    """The figure that `make(figure, *arguments)` draws, as an <svg> element.

    Args:
        make: a function that draws on a matplotlib figure.
        *arguments: its further arguments.
        title: what the figure shows, for screen readers.
        size: width and height in inches.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        make(figure, *arguments)
        text = io.StringIO()
        figure.savefig(
            text,
            format="svg",
            metadata={"Date": None, "Creator": None, "Format": None, "Type": None},
        )
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    svg = re.sub(r"font-family: [^;\"]*", "font-family: system-ui, sans-serif", svg)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    style = f"width: 100%; max-width: {size[0]:g}in; height: auto"
    head = f'<svg role="img" aria-label="{escape(title)}" style="{style}"'
    return Markup(re.sub(r'^<svg([^>]*?) width="[^"]*"', rf"{head}\1", svg, count=1))


def bars(
    figure: Figure,
    names: Sequence[str],
    values: Sequence[float | None],
    label: str,
    baseline: float | None = None,
    side: str = "",
) -> None:
    """Draws horizontal bars with their values, the first on top.

    Args:
        figure: to draw on.
        names: of the bars.
        values: of the bars; None is written as "none".
        label: of the horizontal axis.
        baseline: the blank submission's value, drawn as a line; None: no line.
        side: label of the vertical axis.
    """
    axes = figure.subplots()
    places = np.arange(len(names))[::-1]
    axes.barh(places, [value or 0 for value in values], color=COLORS[0], height=0.7)
    for place, value in zip(places, values):
        axes.text(
            (value or 0) + 0.01,
            place,
            "none" if value is None else f"{value:.3f}",
            va="center",
            fontsize=9,
        )
    axes.set_yticks(places, names)
    axes.set_xlim(0, 1.08)
    axes.set_xlabel(label)
    axes.set_ylabel(side)
    _baseline(axes.axvline, baseline)
    if baseline is not None:
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.15 + 0.2 / len(names)))


def _baseline(draw_line: Callable[..., Any], value: float | None) -> None:
    if value is not None:
        draw_line(
            value,
            color=COLORS[5],
            linestyle="--",
            linewidth=1.5,
            label=f"blank submission {value:.3f}",
        )


def _escape(name: str) -> str:
    """A name that matplotlib shows as it is.

    Dollars would start a formula, and a leading underscore would hide the name from the legend.
    """
    return "\N{ZERO WIDTH SPACE}" * name.startswith("_") + name.replace("$", r"\$")


def thresholds(figure: Figure, curves: dict[str, np.ndarray], baseline: float | None) -> None:
    """Draws F2 by IoU threshold, one line per name; values are float (10,)."""
    axes = figure.subplots()
    for (name, values), color in zip(curves.items(), COLORS):
        axes.plot(IOU_TWENTIETHS / 20, values, "o-", color=color, label=name, markersize=4)
    _baseline(axes.axhline, baseline)
    axes.set_xlabel("IoU that a hit must exceed")
    axes.set_ylabel("object F2")
    axes.set_ylim(0, 1.02)
    axes.set_xticks(IOU_TWENTIETHS / 20)
    axes.grid(alpha=0.25)
    axes.legend(fontsize=9)


# The panels of the learning curves: label of the axis, columns of history.csv and their names.
PANELS = (
    ("loss", (("loss", "training"), ("val_loss", "holdout"))),
    ("on pixels of the holdout", (("val_pixel_f2", "F2"), ("val_pixel_iou", "IoU"))),
    (
        "object F2 of the holdout",
        (
            ("val_object_f2", "all images"),
            ("val_object_f2_ships", "with objects"),
            ("val_object_f2_empty", "empty"),
        ),
    ),
    ("learning rate", (("learning_rate", ""),)),
)


def curves(
    figure: Figure,
    panel: tuple[str, tuple[tuple[str, str], ...]],
    histories: dict[str, list[dict[str, Any]]],
) -> None:
    """Draws the learning curves of one of PANELS; histories: rows of history.csv by model.

    The colors tell columns apart, or models if there are several.
    """
    axes, (label, columns) = figure.subplots(), panel
    several, marks = len(histories) > 1, ("-", "--", ":")
    for number, (model, rows) in enumerate(histories.items()):
        for place, (column, name) in enumerate(columns):
            points = [(row["epoch"], row[column]) for row in rows if row[column] is not None]
            color, mark = (COLORS[number % 6], marks[place]) if several else (COLORS[place], "-")
            text = ", ".join(part for part in (_escape(model) if several else "", name) if part)
            across, up = zip(*points) if points else ((), ())
            axes.plot(
                across,
                up,
                mark,
                color=color,
                label=text,
                marker="o" if len(points) < 30 else None,
                markersize=3,
            )
    if label.startswith("object"):
        _baseline(
            axes.axhline,
            next((row["val_object_f2_blank"] for rows in histories.values() for row in rows), None),
        )
    axes.set_xlabel("epoch")
    axes.set_ylabel(label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if "holdout" in label:
        axes.set_ylim(0, 1.02)
    else:
        axes.set_ylim(bottom=0)
    axes.grid(alpha=0.25)
    if several or len(columns) > 1:
        axes.legend(fontsize=8)


def draw_curves(histories: dict[str, list[dict[str, Any]]]) -> list[Markup]:
    """The learning curves as <svg> elements, one per panel; histories: as for `curves`."""
    return [
        draw(curves, panel, histories, title=f"Learning curves: {panel[0]}", size=(6, 3.4))
        for panel in PANELS
    ]


def histogram(
    figure: Figure,
    values: np.ndarray,
    edges: np.ndarray,
    labels: tuple[str, str],
    logarithmic: bool = False,
) -> None:
    """Draws how many values fall between the edges.

    Args:
        figure: to draw on.
        values: the values.
        edges: of the bins, ascending.
        labels: of the horizontal and the vertical axis.
        logarithmic: whether the horizontal axis is.
    """
    axes = figure.subplots()
    axes.hist(values, edges.tolist(), color=COLORS[0], rwidth=0.9)
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    if logarithmic:
        axes.set_xscale("log")
    axes.grid(axis="y", alpha=0.25)
