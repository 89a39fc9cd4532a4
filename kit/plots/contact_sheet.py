"""Pictures: tiles with the outlines of truth and prediction."""

import textwrap
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ..competition import csv_masks
from ..masks import dense, table
from ..masks.table import Masks
from ..scoring.mistakes import rate_pairs, share_pixels
from ..system.files import replacing
from .style import PREDICTION, TRUTH


def best_ious(truth: Masks, prediction: Masks, image: int) -> np.ndarray:
    """For each truth object of the image at position `image` (in both tables) its best IoU with a predicted one, float64 (objects,)."""
    return rate_pairs(share_pixels(truth, prediction, image)).max(1, initial=0)


def _draw(axes, image: np.ndarray, window) -> None:
    top, left, size = window
    axes.imshow(image, interpolation="lanczos")
    axes.set_xlim(left - 0.5, left + size - 0.5)
    axes.set_ylim(top + size - 0.5, top - 0.5)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def _outline(axes, masks: Masks, image: int, color: str, style: str = "-") -> None:
    labels = np.pad(
        dense.to_labels(masks, image), 1
    )  # the border closes outlines at the tile's edge
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


def _write_ious(axes, truth: Masks, prediction: Masks, image: int, window) -> None:
    """The IoU above each object, or below it where there is no room or another number stands."""
    top, left, size = window
    first, taken = truth.objects[image], list[tuple[float, float]]()
    for box, iou in zip(
        table.boxes(truth)[first : truth.objects[image + 1]], best_ious(truth, prediction, image)
    ):
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


def frame_objects(masks: Masks, image: int, smallest: int = 192) -> tuple[int, int, int]:
    """A square window (top, left, side in px) around the objects of one image, with room around; the whole image where there are none."""
    height, width = (int(side) for side in masks.shapes[image])
    boxes = table.boxes(masks)[masks.objects[image] : masks.objects[image + 1]]
    if not len(boxes):
        return 0, 0, min(height, width)
    top, left, bottom, right = (
        boxes[:, 0].min(),
        boxes[:, 1].min(),
        boxes[:, 2].max(),
        boxes[:, 3].max(),
    )
    size = int(min(height, width, max(smallest, 1.5 * max(bottom - top, right - left))))
    corner = np.clip(
        [(top + bottom - size) // 2, (left + right - size) // 2], 0, [height - size, width - size]
    )
    return int(corner[0]), int(corner[1]), size


def draw_contact_sheet(
    images: list[np.ndarray], truth: Masks, prediction: Masks, notes: list[str], path
) -> None:
    """PNG of tiles, three in a row, framed around their objects: outlines of truth and prediction, the IoU at each truth object.

    images: uint8 (height, width, 3), one an image of `truth` and `prediction`; notes: a line to stand above each.
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
    figure.suptitle(
        "truth: blue line    prediction: amber dashes    number: IoU of the ship with its best prediction",
        fontsize=10,
    )
    _save(figure, path)


def draw_road(image: np.ndarray, truth: Masks, prediction: Masks, path) -> None:
    """Wide PNG of one image: the tile, its truth, the prediction with the IoU at each object, and the CSV rows that it became."""
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
    header, *lines = csv_masks.format_csv(prediction).decode().splitlines()
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


def _save(figure: Figure, path) -> None:
    with replacing(Path(path)) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})
