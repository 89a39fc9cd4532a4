"""The report: one HTML page on a model, on several compared, or on the data."""

import dataclasses
import os
import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..cuts import describe_cuts
from ..errors import KitError
from ..fields import write_value
from ..masks import table
from ..models.evaluation import Evaluation
from ..plots import charts
from ..presets import PRESETS
from ..records.manifest import is_records, open_records
from ..scoring import groups, scores
from ..scoring.ladder import RUNGS
from ..settings import TrainSettings, choose_training
from ..system.files import check_target
from ..tuning.surface_plot import SIZE, paint_surface
from . import comparison, gallery, html
from .data import make_data_page
from .html import Page, show, span

PICTURES = (
    14_000_000  # characters of the pictures and outlines of a page, which then stays below 15 MB
)
MOST = len(charts.COLORS)  # models on one page
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
        counts=_draw_groups(
            groups.split_by_count(e.counts),
            "objects",
            "images",
            "Object F2 by objects in the image",
        ),
        areas=_draw_groups(
            groups.split_by_area(e.counts), "area", "objects", "Object F2 by area of the object"
        ),
        curves=_draw_curves({e.name: e.history}) if e.history else [],
        surface=_draw_surface(e),
        cuts=None if e.cuts is None else describe_cuts(e.cuts),
        blank=e.cuts is not None and e.cuts.blank,
        note=e.note,
        cards=[
            card
            for (card,) in gallery.fill(
                e.index,
                gallery.rank_images(e),
                PICTURES,
                lambda place: [gallery.make_card(e.index, place, e)],
            )
        ],
        total=len(e.index),
        command=describe_command(e.config, e.name),
        own=e.config["own"],
        start=e.config["start_from"],
        settings=list_settings(e.config),
        environment=e.environment.splitlines(),
        records=Path(e.config["records"]).name,
        digest=e.config["records_sha256"],
    )


def make_comparison_page(evaluations: Sequence[Evaluation]) -> Page:
    """The page that compares models on the images that all of them held out; the first is what the others are compared with."""
    found = comparison.compare(evaluations)
    names = found.names
    words = f"object F2 at {found.empty_share:.1%} empty" if found.weighted else "object F2"
    measures: dict[str, tuple[np.ndarray, np.ndarray | None]] = {words: (found.f2, None)}
    if (~found.empty).any():
        measures |= {
            "F2 with objects": (found.f2, ~found.empty),
            "pixel IoU": (found.iou, ~found.empty),
        }
    if found.empty.any():
        measures["F2 on empty images"] = (found.f2, found.empty)
    where = {
        int(places[0]): places.tolist()
        for places in np.stack(found.places, 1)[comparison.find_changed(found)]
    }

    def make(first: int) -> list[gallery.Card]:
        return gallery.frame_alike(
            [gallery.make_card(e.index, place, e) for e, place in zip(evaluations, where[first])]
        )

    differences = comparison.list_differences(evaluations)
    histories = dict(zip(names, [evaluation.history for evaluation in evaluations]))
    return html.render(
        "comparison.html",
        title=" and ".join(names) if len(names) == 2 else f"{len(names)} models",
        subtitle=f"{len(found.empty)} images that all of them held out, {int(found.empty.sum())} of them empty",
        share=f"Figures are re-weighted to {found.empty_share:.1%} empty images"
        if found.weighted
        else "Figures are plain means",
        names=names,
        measures=list(measures),
        rows=[_compare(found, number, measures.values()) for number in range(len(names))],
        blank=f"{found.empty_share if found.weighted else found.empty.mean():.3f}",
        differences=[
            (name, [write_value(value) for value in values]) for name, values in differences
        ],
        curves=_draw_curves(histories),
        changed=gallery.fill(evaluations[0].index, where, PICTURES, make),
        total=len(found.empty),
    )


def _compare(found: comparison.Comparison, number: int, measures) -> dict:
    """A model's row of the comparison."""
    cells = []
    for values, kind in measures:
        value, bounds = found.mean(values[number], kind)
        cell = {"value": show(value, bounds), "interval": span(bounds), "difference": ""}
        if number:
            gain, bounds = found.mean(values[number] - values[0], kind)
            cell |= {
                "difference": show(gain, bounds, "+"),
                "between": span(bounds, "+"),
                "verdict": comparison.judge(bounds),
            }
        cells.append(cell)
    return {"name": found.names[number], "cells": cells}


def _count_images(e: Evaluation) -> str:
    objects = int(table.count_objects(e.index.truth).sum())
    held = f"fold {e.config['fold']}, which it was not trained on"
    return f"{len(e.index)} images of {held}: {int(e.empty.sum())} empty, {objects} objects in the others"


def _make_tiles(e: Evaluation, share: str) -> list[tuple[str, str, str]]:
    """The figures on top of the page: name, value, note."""
    bounds = e.bound(e.f2)
    tiles = [
        (
            f"object F2 {share}",
            show(e.mean(e.f2), bounds),
            f"95% interval {span(bounds)}, over scenes",
        ),
        ("blank submission", f"{e.blank:.3f}", "what leaving all images empty scores"),
    ]
    for name, kind in (
        ("object F2 on images with objects", ~e.empty),
        ("object F2 on empty images", e.empty),
    ):
        if kind.any():
            bounds = e.bound(e.f2, kind)
            tiles.append(
                (name, show(e.f2[kind].mean(), bounds), f"{int(kind.sum())} images, {span(bounds)}")
            )
    if (~e.empty).any():
        tiles.append(
            ("pixel IoU", show(scores.pixel_iou(e.counts)), "mean over images with objects")
        )
    return tiles


def _judge(e: Evaluation, share: str) -> str:
    """One sentence: does it beat blank, and how sure is that."""
    bounds = e.bound(e.f2)
    if bounds is None:
        return f"Not told apart from the blank submission {share}: the images are of one scene, which says nothing of others."
    low, high = bounds
    if low > e.blank:
        return f"Better than the blank submission: its score {share} lies above {e.blank:.3f} with the whole interval."
    if high < e.blank:
        return f"Worse than the blank submission {share}: what it finds costs more by false alarms than it earns."
    return f"Not told apart from the blank submission {share}: {e.blank:.3f} lies inside of the interval."


def _find_curves(e: Evaluation, share: str) -> dict:
    values = scores.f2_by_threshold(e.counts)
    by = [e.mean(column) for column in values.T]
    return {share: by} | (
        {"images with objects": values[~e.empty].mean(0)} if (~e.empty).any() else {}
    )


def _draw_curves(histories: dict[str, list[dict]]) -> list:
    return [
        charts.draw(
            charts.curves, panel, histories, title=f"Learning curves: {panel[0]}", size=(6, 3.4)
        )
        for panel in charts.PANELS
    ]


def _draw_groups(rows: list[dict], name: str, number: str, title: str):
    unit = " px" if name == "area" else ""
    names = [f"{row[name]}{unit} ({row[number]:,})" for row in rows]
    side = "objects in the image (images)" if name == "objects" else "area (objects)"
    return charts.draw(
        charts.bars,
        names,
        [row["f2"] for row in rows],
        "object F2",
        None,
        side,
        title=title,
        size=(6, 0.6 + 0.42 * len(rows)),
    )


def _draw_surface(e: Evaluation):
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


def list_settings(config: dict) -> list[tuple[str, str, bool]]:
    """Name, value and whether it is not the default, of every setting of a training."""
    default = TrainSettings()
    names = [field.name for field in dataclasses.fields(TrainSettings)]
    rows = [
        (name, write_value(config[name]), config[name] != getattr(default, name)) for name in names
    ]
    return rows + [(f"your own {name}", str(value), True) for name, value in config["own"].items()]


def describe_command(config: dict, name: str) -> str:
    """The command that begins this training anew."""
    preset = config["preset"] if config["preset"] in PRESETS else None
    base, words = choose_training(preset), ["kit", "train", config["records"], name]
    if preset:
        words += ["--preset", preset]
    for field in dataclasses.fields(TrainSettings):
        value = config[field.name]
        if field.name == "preset" or value == getattr(base, field.name):
            continue
        option = f"--{field.name.replace('_', '-')}"
        words += (
            [option if value else f"--no-{field.name.replace('_', '-')}"]
            if isinstance(value, bool)
            else [option, write_value(value)]
        )
    return shlex.join(words)


def report(places, out=None, *, records=None, networks=None) -> Page:
    """The page on a model folder, on several compared, or on records, written as the file `out` where there is one; see html.Page.

    places: the path of one folder, or several; records: where the models' records are now; networks: your own, as for `kit.tune`.
    KitError: a folder that is neither, models that held out no image in common.
    """
    folders = (
        [Path(places)]
        if isinstance(places, str | os.PathLike)
        else [Path(place) for place in places]
    )
    if len(folders) > MOST:
        raise KitError(f"{len(folders)} models: a page tells at most {MOST} apart; compare fewer")
    if len(folders) == 1 and is_records(folders[0]):
        if records is not None:
            raise KitError(
                f"--records {records}: goes with models; {folders[0]} are records themselves"
            )
        _check(out)
        made = make_data_page(open_records(folders[0]))
    else:
        from ..models.folder import read_config
        from ..tf.inference.evaluation import evaluate
        from ..tf.inference.load import pair_models

        pairs = pair_models(folders, networks)
        for folder in folders:
            read_config(folder)
        _check(out)
        evaluations = [
            evaluate(folder, records=records, network=network) for folder, network in pairs
        ]
        made = (
            make_model_page(evaluations[0])
            if len(evaluations) == 1
            else make_comparison_page(evaluations)
        )
    if out is not None:
        made.save(out)
    return made


def _check(out) -> None:
    """Before any time is spent: can the page be written."""
    if out is not None:
        check_target(Path(out))
