"""Training: one explicit step, and after every epoch the score on the whole holdout."""

from __future__ import annotations

import csv
import dataclasses
import importlib.metadata
import os
import platform
import shutil
import signal
import threading
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from .. import masks, objects, progress, score, tuning
from ..counts import count
from ..errors import KitError
from ..records import Records, open_records
from ..settings import TrainSettings
from ..writing import explain, replacing, write_json, write_text
from .batches import batches
from .failures import explained
from .inference import forward, read_truth, scan_maps, sign_maps
from .losses import dice_and_cross_entropy
from .schedule import cosine
from .unet import unet

COLUMNS = (
    "epoch",
    "step",
    "seconds",
    "learning_rate",
    "loss",
    "val_loss",
    "val_pixel_iou",
    "val_pixel_f2",
    "val_object_f2",
    "val_object_f2_ships",
    "val_object_f2_empty",
    "val_object_f2_blank",
)


@explained
def train(records, model, **settings) -> list[dict]:
    """Trains a U-Net on all folds of `records` but one, into the new folder `model`; returns the rows of history.csv.

    Keyword arguments are the fields of TrainSettings. Stops early, saved, at max_hours. Raises KitError for unusable input and for a loss
    that is not a number.
    """
    chosen = TrainSettings(**settings)
    stop = _Stop(chosen.max_hours)
    source = open_records(records)
    training_folds, holdout = _split(source, chosen.fold)
    if chosen.crop > min(source.competition.shape):
        raise KitError(f"--crop {chosen.crop}: the images are only {source.competition.height} x {source.competition.width} px")
    out = Path(model)
    started = {"config.json", "environment.txt", ".maps.tmp"}  # all that a training without weights leaves
    if out.exists() and (not out.is_dir() or {item.name for item in out.iterdir()} - started):
        raise KitError(f"{out}: exists already; remove it or choose another folder for the model")

    keras.utils.set_random_seed(chosen.seed)  # Keras draws initial weights and dropout from its own generator
    network = unet(chosen.encoder, decoder=chosen.decoder, scale=chosen.scale, momentum=chosen.momentum, weights=chosen.encoder_weights)
    data = batches(source, training_folds, batch=chosen.batch, crop=chosen.crop, ship_share=chosen.ship_share, seed=chosen.seed)
    steps = chosen.steps or max(1, source.count(training_folds) // chosen.batch)
    out.mkdir(parents=True, exist_ok=True)
    config = {"records": str(source.folder.resolve()), "competition": source.manifest["competition"], **dataclasses.asdict(chosen)}
    write_json(out / "config.json", config)
    write_text(out / "environment.txt", describe_environment())

    optimizer = keras.optimizers.Adam(chosen.learning_rate, global_clipnorm=chosen.clip or None)
    optimizer.build(network.trainable_variables)
    step = _make_step(network, optimizer)
    score_holdout = _make_scoring(network, source, holdout, out / ".maps.tmp", stop) if holdout else None
    history: list[dict] = []
    best, sign = -np.inf, -1 if chosen.best_by.endswith("loss") else 1
    feed = iter(data)
    with stop:
        for epoch in range(1, chosen.epochs + 1):
            epoch_begun, losses = time.monotonic(), []
            with progress.bar(steps, f"epoch {epoch}/{chosen.epochs}", " steps") as bar:
                for number in range((epoch - 1) * steps, epoch * steps):
                    optimizer.learning_rate = cosine(number, chosen.epochs * steps, chosen.learning_rate, chosen.warmup)
                    losses.append(float(step(*next(feed))))
                    if not np.isfinite(losses[-1]):
                        raise KitError(f"{out}: the loss of step {number + 1} is {losses[-1]}; try a lower --learning-rate")
                    rate = chosen.batch * len(losses) / (time.monotonic() - epoch_begun)
                    bar.set_postfix(loss=f"{np.mean(losses[-50:]):.3f}", images_s=f"{rate:.1f}", refresh=False)
                    bar.update()
                    if stop.reason():
                        break
            _save(network, out / "last.weights.h5")
            scores = score_holdout() if score_holdout and not stop.reason() else {}
            if stop.reason():
                shutil.rmtree(out / ".maps.tmp", ignore_errors=True)  # not of all images
                if not history:
                    _keep_best(out, source)
                print(f"kit train: stopped by {stop.reason()} in epoch {epoch}, step {number + 1}; best and last weights are in {out}")
                break
            row = {"epoch": epoch, "step": epoch * steps, "learning_rate": float(optimizer.learning_rate), "loss": float(np.mean(losses))}
            row |= scores
            if not np.isfinite(row.get("val_loss", 0.0)):
                raise KitError(f"{out}: the holdout's loss after epoch {epoch} is {row['val_loss']}; try a lower --learning-rate")
            row["seconds"] = round(time.monotonic() - epoch_begun, 2)
            history.append({name: row.get(name) for name in COLUMNS})
            value = row.get(chosen.best_by)
            if value is None or sign * value > best:  # without such a figure the last epoch counts as the best
                best = best if value is None else sign * value
                _keep_best(out, source)
            shutil.rmtree(out / ".maps.tmp", ignore_errors=True)
            _append(out / "history.csv", history[-1])
            print(_describe(history[-1], chosen.epochs))
    return history


class _Stop:
    """Whether training shall end early: its hours are over, or, inside the `with` block, Ctrl-C or SIGTERM came (a second one kills)."""

    def __init__(self, hours: float | None):
        self.hours, self.end = hours, time.monotonic() + 3600 * (hours or 0)
        self.signal: str | None = None
        self.former: dict = {}

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            self.former = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}

    def _note(self, number, _):
        self.signal = signal.Signals(number).name
        signal.signal(number, self.former[number])

    def __exit__(self, *_):
        for number, handler in self.former.items():
            signal.signal(number, handler)

    def reason(self) -> str | None:
        if self.hours is not None and time.monotonic() > self.end:
            return f"--max-hours {self.hours:g}"
        return self.signal


def _split(source: Records, fold: int | None) -> tuple[list[int], list[int]]:
    """Folds to train on and to hold out."""
    if fold is None:
        return source.folds, []
    if fold not in source.folds:
        raise KitError(f"--fold {fold}: {source.folder} has folds {', '.join(map(str, source.folds))}")
    if source.folds == [fold]:
        raise KitError(f"--fold {fold}: {source.folder} has no other fold to train on")
    return [number for number in source.folds if number != fold], [fold]


def _make_step(network: keras.Model, optimizer: keras.optimizers.Optimizer):
    """One step as a compiled function: uint8 images and masks -> the mean loss; changes weights, statistics and optimizer."""

    @tf.function
    def step(images, truth):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(dice_and_cross_entropy(truth, network(images, training=True)))
        optimizer.apply_gradients(zip(tape.gradient(loss, network.trainable_variables), network.trainable_variables))
        return loss

    return step


def _make_scoring(network: keras.Model, source: Records, holdout: list[int], folder: Path, stop: _Stop):
    """A function without arguments: the holdout's columns of history.csv, from whole images at threshold 128 without cuts; None if stopped.

    It leaves the maps in `folder`, so that tuning needs no forward pass of its own.
    """
    run = forward(network)
    truth, _ = read_truth(source, holdout)

    def score_holdout() -> dict | None:
        losses, found = [], []
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for names, maps, probabilities, real in scan_maps(run, source, holdout, "holdout"):
            losses.extend(dice_and_cross_entropy(real, probabilities).numpy())
            found.append(objects.find_objects(names, maps))
            for name, image in zip(names, maps):
                tuning.write_map(folder, name, image)
            if stop.reason():
                return None
        counts = count(truth, masks.concatenate(found))
        summary = score.summarize(counts)
        return {
            "val_loss": float(np.mean(losses)),
            "val_pixel_iou": score.pixel_iou(counts),
            "val_pixel_f2": score.pixel_f2(counts),
            "val_object_f2": summary["f2"],
            "val_object_f2_ships": summary["f2_ships"],
            "val_object_f2_empty": summary["f2_empty"],
            "val_object_f2_blank": summary["f2_blank"],
        }

    return score_holdout


def _keep_best(out: Path, source: Records) -> None:
    """Makes the last weights the best ones, and the holdout's maps of this epoch, if there are any, theirs."""
    with replacing(out / "best.weights.h5") as temporary:
        shutil.copyfile(out / "last.weights.h5", temporary)
    if (out / ".maps.tmp").is_dir():
        sign_maps(out / ".maps.tmp", out / "best.weights.h5", source)
        shutil.rmtree(out / "maps", ignore_errors=True)
        os.replace(out / ".maps.tmp", out / "maps")


def _save(network: keras.Model, path: Path) -> None:
    with replacing(path) as temporary:
        whole = temporary.with_name(f"{temporary.name}.weights.h5")  # Keras asks for this ending
        try:
            network.save_weights(str(whole))
            os.replace(whole, temporary)
        except RuntimeError as error:  # HDF5 does not say OSError on a full disk
            raise KitError(f"{path}: cannot be written, is the disk full? {str(error).splitlines()[0][:120]}") from None
        finally:
            whole.unlink(missing_ok=True)


def _append(path: Path, row: dict) -> None:
    """Adds one line to history.csv, flushed to the disk, with the header before the first."""
    try:
        with open(path, "a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            if file.tell() == 0:
                writer.writerow(COLUMNS)
            writer.writerow(["" if row[name] is None else row[name] for name in COLUMNS])
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise KitError(explain(error, path)) from None


def _describe(row: dict, epochs: int) -> str:
    line = f"epoch {row['epoch']}/{epochs}  {row['seconds']:.0f} s  loss {row['loss']:.3f}"
    if row["val_object_f2"] is None:
        return line
    line += f"  holdout: loss {row['val_loss']:.3f}"
    for name, word in (("val_pixel_iou", "pixel IoU"), ("val_pixel_f2", "pixel F2"), ("val_object_f2", "object F2")):
        line += f"  {word} {'-' if row[name] is None else format(row[name], '.3f')}"
    ships = row["val_object_f2_ships"]
    return f"{line} (blank {row['val_object_f2_blank']:.3f}, ship images {'-' if ships is None else format(ships, '.3f')})"


def describe_environment() -> str:
    """Versions and threads that the bytes of a training depend on."""
    names = ("tensorflow", "keras", "segmentation-models", "tensorflow-datasets", "numpy", "numba", "pandas", "scikit-image")
    lines = [f"{name} {importlib.metadata.version(name)}" for name in names]
    lines.append(f"python {platform.python_version()} {platform.system()} {platform.machine()}, {os.cpu_count()} cores")
    lines.append(f"intra-op threads {tf.config.threading.get_intra_op_parallelism_threads() or 'all cores'}, inter-op threads 1")
    lines.append(f"gpus {len(tf.config.list_physical_devices('GPU'))}")
    return "\n".join(lines) + "\n"
