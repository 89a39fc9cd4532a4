"""Contact sheets: tiles with the outlines of truth and prediction."""

import textwrap
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..competition import csv_text
from ..masks import dense, table
from ..masks.table import Masks
from ..scoring.mistakes import rate_pairs, share_pixels
from ..system.files import replacing
from .style import PREDICTION, TRUTH

Window = tuple[int, int, int]  # top, left and side of a square, px


def best_ious(truth: Masks, prediction: Masks, image: int) -> np.ndarray:
    """Best IoU of each true object with a predicted one, float64 (objects,).

    image: position of the image in both tables.
    """
    return np.asarray(rate_pairs(share_pixels(truth, prediction, image)).max(1, initial=0))


def _draw(axes: Axes, image: np.ndarray, window: Window) -> None:
    top, left, size = window
    axes.imshow(image, interpolation="lanczos")
    axes.set_xlim(left - 0.5, left + size - 0.5)
    axes.set_ylim(top + size - 0.5, top - 0.5)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def _outline(axes: Axes, masks: Masks, image: int, color: str, style: str = "-") -> None:
    labels = np.pad(dense.to_labels(masks, image), 1)  # closes outlines at the tile's edge
    for value in range(1, labels.max(initial=0) + 1):
        axes.contour(
            np.arange(-1, labels.shape[1] - 1),
            np.arange(-1, labels.shape[0] - 1),
            labels == value,
            [0.5],
            colors=color,
            linewidths=1.2,
            linestyles=style,
        )


def _write_ious(axes: Axes, truth: Masks, prediction: Masks, image: int, window: Window) -> None:
    """Writes the IoU above each object, or below it if the place above is taken or outside."""
    top, left, size = window
    first, taken = truth.objects[image], list[tuple[float, float]]()
    boxes = table.boxes(truth)[first : truth.objects[image + 1]]
    for box, iou in zip(boxes, best_ious(truth, prediction, image)):
        x = np.clip((box[1] + box[3]) / 2, left + size * 0.05, left + size * 0.95)
        above, below = box[0] - size * 0.035, box[2] + size * 0.035
        places = [y for y in (above, below) if top + size * 0.02 < y < top + size * 0.98] or [
            np.clip(above, top + size * 0.03, top + size * 0.97)
        ]
        free = [
            y
            for y in places
            if all(abs(x - u) > size * 0.09 or abs(y - v) > size * 0.06 for u, v in taken)
        ]
        taken.append((x, (free or places)[0]))
        axes.text(
            *taken[-1],
            f"{iou:.2f}",
            color="white",
            fontsize=8,
            ha="center",
            va="center",
            bbox={"facecolor": "#000000A0", "lw": 0, "pad": 1},
        )


def frame_objects(masks: Masks, image: int, smallest: int = 192) -> Window:
    """A square around the objects of one image, with a margin; the whole image if it has none.

    smallest: the least side, px.
    """
    height, width = (int(side) for side in masks.shapes[image])
    boxes = table.boxes(masks)[masks.objects[image] : masks.objects[image + 1]]
    if not len(boxes):
        return 0, 0, min(height, width)
    (top, left), (bottom, right) = boxes[:, :2].min(0), boxes[:, 2:].max(0)
    size = int(min(height, width, max(smallest, 1.5 * max(bottom - top, right - left))))
    corner = np.clip(
        [(top + bottom - size) // 2, (left + right - size) // 2], 0, [height - size, width - size]
    )
    return int(corner[0]), int(corner[1]), size


def draw_contact_sheet(
    images: list[np.ndarray],
    truth: Masks,
    prediction: Masks,
    notes: list[str],
    path: Path | str,
    head: str = "",
) -> None:
    """Writes a PNG of tiles with the outlines of truth and prediction and the IoU of true objects.

    There are three tiles per row, each framed around its objects.

    Args:
        images: uint8 (height, width, 3) of each image.
        truth: true objects of the same images.
        prediction: predicted objects of the same images.
        notes: a line to write above each image.
        path: of the PNG.
        head: a line above all.

    Raises:
        KitError: if the file cannot be written.
    """
    lines = -(-len(images) // 3)
    figure = Figure(figsize=(12, 4.25 * lines + 0.4), dpi=120, layout="constrained")
    for place, (image, note) in enumerate(zip(images, notes)):
        axes = figure.add_subplot(lines, 3, place + 1)
        window = frame_objects(
            truth if truth.objects[place] < truth.objects[place + 1] else prediction, place
        )
        _draw(axes, image, window)
        _outline(axes, truth, place, TRUTH)
        _outline(axes, prediction, place, PREDICTION, "--")
        _write_ious(axes, truth, prediction, place, window)
        axes.set_title(f"{truth.ids[place]}   {note}", fontsize=9, parse_math=False)
    key = "truth: blue line    prediction: amber dashes    number: IoU with the best prediction"
    figure.suptitle("\n".join(filter(None, (head, key))), fontsize=10, parse_math=False)
    _save(figure, path)


def draw_road(image: np.ndarray, truth: Masks, prediction: Masks, path: Path | str) -> None:
    """Writes a wide PNG of one image: tile, truth, prediction with IoUs, and rows of the CSV.

    Args:
        image: uint8 (height, width, 3).
        truth: its true objects.
        prediction: its predicted objects.
        path: of the PNG.

    Raises:
        KitError: if the file cannot be written.
    """
    figure = Figure(figsize=(15, 4.4), dpi=100, layout="constrained")
    panels = figure.subplots(1, 4)
    whole, window = (0, 0, min(image.shape[:2])), frame_objects(truth, 0)
    for axes, title, area in zip(
        panels, ("tile", "truth", "prediction, IoU with the truth"), (whole, window, window)
    ):
        _draw(axes, image, area)
        axes.set_title(title, fontsize=11)
    top, left, size = window
    panels[0].plot(
        [left, left + size, left + size, left, left],
        [top, top, top + size, top + size, top],
        color="white",
        linewidth=1,
    )
    _outline(panels[1], truth, 0, TRUTH)
    _outline(panels[2], prediction, 0, PREDICTION)
    _write_ious(panels[2], truth, prediction, 0, window)
    panels[3].axis("off")
    panels[3].set_box_aspect(1)
    panels[3].set_title("rows of the submission", fontsize=11)
    header, *lines = csv_text.format_csv(prediction).decode().splitlines()
    cells = [
        "\n".join(textwrap.wrap(line, 40)[:3]) + ("…" if len(line) > 115 else "")
        for line in lines[:5]
    ]
    text = "\n".join([header, *cells])
    panels[3].text(
        0,
        0.98,
        text,
        family="monospace",
        fontsize=9,
        va="top",
        transform=panels[3].transAxes,
        parse_math=False,
    )
    _save(figure, path)


def _save(figure: Figure, path: Path | str) -> None:
    with replacing(Path(path)) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})
