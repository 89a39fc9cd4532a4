"""The page on one model."""

import dataclasses
import shlex
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from ..cuts import describe_cuts
from ..fields import write_value
from ..masks import table
from ..models.evaluation import Evaluation
from ..plots import charts
from ..presets import PRESETS
from ..scoring import groups, scores
from ..scoring.ladder import RUNGS
from ..settings import TrainSettings, choose_training
from ..tuning.surface_plot import SIZE, paint_surface
from . import gallery, html
from .html import Page, show, span

RUNG_NAMES = (
    "as it is",
    "with a perfect gate",
    "and perfect outlines",
    "and perfect splitting",
    "and no false alarms",
)


def make_model_page(evaluation: Evaluation) -> Page:
    """The page on one model."""
    e = evaluation
    share = f"at {e.empty_share:.1%} empty images" if e.weighted else "over the holdout"
    rungs = [e.ladder[rung] for rung in RUNGS]
    return html.render(
        "model.html",
        title=f"Model {e.name}",
        subtitle=_count_images(e),
        tiles=_make_tiles(e, share),
        verdict=_judge(e, share),
        ladder=charts.draw(
            charts.bars,
            RUNG_NAMES,
            rungs,
            f"object F2 {share}",
            e.blank,
            title="The oracle ladder",
            size=(7, 2.6),
        ),
        thresholds=charts.draw(
            charts.thresholds,
            _find_curves(e, share),
            e.blank,
            title="F2 by IoU threshold",
            size=(6, 4),
        ),
        counts=_draw_groups(groups.split_by_count(e.counts), "objects", "images"),
        areas=_draw_groups(groups.split_by_area(e.counts), "area", "objects"),
        curves=charts.draw_curves({e.name: e.history}) if e.history else [],
        surface=_draw_surface(e),
        cuts=None if e.cuts is None else describe_cuts(e.cuts),
        blank=e.cuts is not None and e.cuts.blank,
        note=e.note,
        cards=gallery.fill_one(
            e.index,
            gallery.rank_images(e),
            gallery.PICTURES,
            lambda place: gallery.make_card(e.index, place, e),
        ),
        total=len(e.index),
        command=describe_command(e.config, e.name),
        own=e.config["own"],
        start=e.config["start_from"],
        settings=list_settings(e.config),
        environment=e.environment.splitlines(),
        records=Path(e.config["records"]).name,
        digest=e.config["records_sha256"],
    )


def _count_images(e: Evaluation) -> str:
    objects = int(table.count_objects(e.index.truth).sum())
    held = f"fold {e.config['fold']}, which it was not trained on"
    empty = int(e.empty.sum())
    return f"{len(e.index)} images of {held}: {empty} empty, {objects} objects in the others"


def _make_tiles(e: Evaluation, share: str) -> list[tuple[str, str, str]]:
    """The figures at the top of the page: name, value, note."""
    bounds = e.bound(e.f2)
    note = span(bounds) if bounds is None else f"95% interval {span(bounds)}, over scenes"
    tiles = [
        (f"object F2 {share}", show(e.mean(e.f2), bounds), note),
        ("blank submission", f"{e.blank:.3f}", "the score of leaving all images empty"),
    ]
    for name, kind in (
        ("object F2 on images with objects", ~e.empty),
        ("object F2 on empty images", e.empty),
    ):
        if kind.any():
            bounds = e.bound(e.f2, kind)
            note = f"{int(kind.sum())} images, {span(bounds)}"
            tiles.append((name, show(e.f2[kind].mean(), bounds), note))
    if (~e.empty).any():
        iou = show(scores.pixel_iou(e.counts))
        tiles.append(("pixel IoU", iou, "mean over images with objects"))
    return tiles


def _judge(e: Evaluation, share: str) -> str:
    """One sentence: whether the model beats the blank submission, and how sure that is."""
    bounds, other = e.bound(e.f2), f"the blank submission {share}"
    if bounds is None:
        reason = "all images are of one scene, which tells nothing about other scenes"
        return f"No clear difference from {other}: {reason}."
    low, high = bounds
    if low > e.blank:
        return f"Better than {other}: the whole interval lies above {e.blank:.3f}."
    if high < e.blank:
        return f"Worse than {other}: its false alarms cost more than its hits earn."
    return f"No clear difference from {other}: {e.blank:.3f} lies inside the interval."


def _find_curves(e: Evaluation, share: str) -> dict[str, np.ndarray]:
    """F2 by IoU threshold, float64 (10,): over all images, and over those with objects."""
    values = scores.f2_by_threshold(e.counts)
    found = {share: np.array([e.mean(column) for column in values.T])}
    if (~e.empty).any():
        found["images with objects"] = values[~e.empty].mean(0)
    return found


def _draw_groups(rows: list[dict[str, Any]], name: str, number: str) -> Markup:
    """Bars of F2; name: what groups the rows, "objects" or "area"; number: what a row counts."""
    unit = " px" if name == "area" else ""
    kind = "area" if name == "area" else "objects in the image"
    return charts.draw(
        charts.bars,
        [f"{row[name]}{unit} ({row[number]:,})" for row in rows],
        [row["f2"] for row in rows],
        "object F2",
        None,
        f"{kind} ({number})",
        title=f"Object F2 by {'area of the object' if name == 'area' else kind}",
        size=(6, 0.6 + 0.42 * len(rows)),
    )


def _draw_surface(e: Evaluation) -> Markup | None:
    if e.tuning is None:
        return None
    return charts.draw(
        paint_surface,
        e.tuning.surface,
        e.tuning.point,
        e.tuning.fields,
        title="F2 over the cuts",
        size=SIZE,
    )


def list_settings(config: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """Name, value, and whether it differs from the default, for each setting of a training."""
    default = TrainSettings()
    rows = [
        (name, write_value(config[name]), config[name] != getattr(default, name))
        for name in vars(default)
    ]
    return rows + [(f"your own {name}", str(value), True) for name, value in config["own"].items()]


def describe_command(config: dict[str, Any], name: str) -> str:
    """The command that would start this training again, into the folder `name`."""
    preset = config["preset"] if config["preset"] in PRESETS else None
    base, words = choose_training(preset), ["kit", "train", config["records"], name]
    if preset:
        words += ["--preset", preset]
    for field in dataclasses.fields(TrainSettings):
        value = config[field.name]
        if field.name == "preset" or value == getattr(base, field.name):
            continue
        option = field.name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{option}" if value else f"--no-{option}")
        else:
            words += [f"--{option}", write_value(value)]
    return shlex.join(words)
