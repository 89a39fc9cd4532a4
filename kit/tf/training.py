"""Training: steps, a state that survives any end, and after every epoch the score on the whole holdout."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import os
import platform
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from .. import competition as rules
from .. import progress, state
from ..claims import hold
from ..errors import KitError
from ..history import COLUMNS, describe, name_weights, rank, tabulate
from ..index import Index, open_index
from ..records import Records, digest_file, open_records
from ..settings import CHANGEABLE, TrainSettings
from ..writing import write_json, write_text
from .batches import batches, sample
from .failures import explained
from .holdout import forward, score_holdout
from .inference import sign_maps
from .losses import make_loss
from .schedule import learning_rate
from .steps import Averages, choose_strategy, make_optimizer, make_step
from .stop import Stop
from .unet import unet
from .weights import copy_weights, load_weights, save_weights

# Names of temporary files that a kill may leave.
LEFT = re.compile(r"\.((step-[\d-]+\.npz|[\w.-]+\.weights\.h5|history\.csv|config\.json|environment\.txt)\.\d+|maps)\.tmp.*")
OWN = ("loss", "augment", "schedule")  # settings that may be the caller's own functions


@dataclass
class Progress:
    """How far a training is: what its state says beside the arrays."""

    step: int = 0  # steps done
    seconds: float = 0.0  # spent in this epoch
    losses: list[float] = field(default_factory=list)  # of this epoch's steps
    history: list[dict] = field(default_factory=list)  # rows of history.csv


@explained
def train(records, out, *, model=None, **settings) -> list[dict]:
    """Trains a U-Net on all folds of `records` but one, into the folder `out`; returns the rows of history.csv.

    Again, with the same arguments: goes on where the training was stopped, by whatever. Keyword arguments are the fields of
    TrainSettings. Your own: model, a keras.Model or a function that makes one, which eats uint8 (batch, height, width, 3) and gives
    probabilities (batch, height, width); loss, a function (truth, probabilities) with one value a sample, or a list of such and names;
    augment, a function (image, mask, seed) -> (image, mask) of one crop in the graph; schedule, a function (step, steps, epoch) -> share
    of the learning rate. Stops early, saved, at max_hours, Ctrl-C and SIGTERM. Raises KitError for unusable input, for settings that are
    not those the training began with, and for a loss that is not a number.
    """
    own = {name: settings.pop(name) for name in OWN if name in settings and _is_own(settings[name])}
    chosen = TrainSettings(**settings)
    stop = Stop(chosen.max_hours)
    source, out = open_records(records), Path(out)
    folds, holdout = _split(source, chosen.fold)
    shape = source.competition.shape if source.competition.height else None
    if chosen.crop and shape and chosen.crop > min(shape):
        raise KitError(f"--crop {chosen.crop}: the images are only {shape[0]} x {shape[1]} px")
    if chosen.crop and chosen.crop % (chosen.scale * chosen.output):
        raise KitError(f"--crop {chosen.crop}: give a multiple of {chosen.scale * chosen.output} px, by which the network's map is smaller")
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / "config.json").is_file())):
        raise KitError(f"{out}: exists already and is no model folder; remove it or choose another folder for the model")
    config = {
        "records": str(source.folder.resolve()),
        "records_sha256": digest_file(source.folder / "manifest.json"),
        "competition": source.manifest["competition"],
        "own": {name: _name(value) for name, value in {"model": model, **own}.items() if value is not None},
        **dataclasses.asdict(chosen),
    }
    _compare(out, config)
    run = _Run(chosen, own, model, open_index(source, folds), open_index(source, holdout) if holdout else None, out, source)
    with hold(out, "kit train"), stop:
        for path in (*out.glob(".*.tmp*"), *(out / "state").glob(".*.tmp*")):  # of runs that were killed
            if LEFT.fullmatch(path.name):
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        write_json(out / "config.json", config)
        write_text(out / "environment.txt", describe_environment(run.strategy))
        return run.go(stop)


def _is_own(value) -> bool:
    return callable(value) or (isinstance(value, list | tuple) and any(callable(part) for part in value))


def _name(value) -> str:
    if isinstance(value, list | tuple):
        return ",".join(map(_name, value))
    return value if isinstance(value, str) else getattr(value, "__qualname__", None) or getattr(value, "name", None) or type(value).__name__


def _compare(out: Path, config: dict) -> None:
    """KitError where a training began in `out` with other settings."""
    if not (out / "config.json").is_file():
        return
    former = rules.read_json(out / "config.json", "the settings of a training")
    for name, value in json_like(config).items():
        if name in (*CHANGEABLE, "records") or former.get(name, value) == value:
            continue
        if name == "records_sha256":
            raise KitError(f"{out}: was trained on other records than {config['records']}; choose another folder for the model")
        option = f"--{name.replace('_', '-')}"
        may = ", ".join(f"--{part.replace('_', '-')}" for part in CHANGEABLE)
        raise KitError(
            f"{out}: its training began with {option} {former[name]}, now it is {value}; only {may} may change; "
            f"choose another folder, perhaps with --start-from {out}"
        )


def json_like(value):
    """A value as it comes back from JSON."""
    if isinstance(value, dict):
        return {name: json_like(part) for name, part in value.items()}
    return [json_like(part) for part in value] if isinstance(value, list | tuple) else value


class _Run:
    """One training: everything that a step needs, and what is done around the steps."""

    def __init__(self, chosen: TrainSettings, own: dict, model, index: Index, holdout: Index | None, out: Path, source: Records):
        self.chosen, self.out, self.source, self.index, self.holdout = chosen, out, source, index, holdout
        self.steps = chosen.steps or max(1, len(index) // chosen.batch)
        self.schedule = own.get("schedule", chosen.schedule)
        self.loss = make_loss(own.get("loss", chosen.loss), chosen.object_weight)
        shares = {name: getattr(chosen, name) for name in ("ship_share", "empty_share", "balance", "seed")}
        self.sampling = sample(index, chosen.batch, self.steps, **shares)
        augment = own.get("augment", chosen.augment)
        form = {"batch": chosen.batch, "steps": self.steps, "crop": chosen.crop, "augment": augment, "numbered": self.loss.numbered}
        self.batches: Callable = lambda start: batches(index, **shares, **form, start=start)
        self.strategy = choose_strategy(chosen.devices)
        if chosen.batch % self.strategy.num_replicas_in_sync:
            raise KitError(f"--batch {chosen.batch}: not a multiple of the {self.strategy.num_replicas_in_sync} devices")
        with self.strategy.scope():
            keras.utils.set_random_seed(chosen.seed)  # Keras draws initial weights and dropout from its own generator
            self.network = self._make_network(model)
            self.optimizer = make_optimizer(chosen.learning_rate, chosen.mixed)
            self.optimizer.build(self.network.trainable_variables)
        self.averages = Averages(self.network, chosen.average)
        self.forward = forward(self.network)
        self.progress = Progress()

    def _make_network(self, model) -> keras.Model:
        chosen = self.chosen
        if model is not None:
            network = model if isinstance(model, keras.Model) else model()
        else:
            network = unet(
                chosen.encoder,
                decoder=chosen.decoder,
                scale=chosen.scale,
                output=chosen.output,
                momentum=chosen.momentum,
                presence=chosen.presence,
                weights=chosen.encoder_weights,
                mixed=chosen.mixed,
                synchronized=self.strategy.num_replicas_in_sync > 1,
            )
        if chosen.start_from is not None:
            weights = Path(chosen.start_from) / "best.weights.h5"
            if not weights.is_file():
                raise KitError(f"--start-from {chosen.start_from}: holds no best.weights.h5; give a folder made by kit train")
            load_weights(network, weights, chosen.encoder)
        return network

    def go(self, stop: Stop) -> list[dict]:
        """Trains from the saved state, or from the beginning, to the last epoch; returns the history."""
        at, epochs = self.progress, self.chosen.epochs
        self.restore()
        if at.step >= epochs * self.steps and len(at.history) >= epochs:
            print(f"kit train: {self.out} is finished: {len(at.history)} epochs; a larger --epochs goes on")
            return at.history
        if at.step or at.history:
            print(f"kit train: going on in {self.out} after step {at.step}, epoch {len(at.history) + 1}/{epochs}")
        self.save()
        step = make_step(
            self.network,
            self.optimizer,
            self.loss,
            self.strategy,
            batch=self.chosen.batch,
            clip=self.chosen.clip,
            averages=self.averages,
        )
        feed = iter(self.strategy.experimental_distribute_dataset(self.batches(at.step)))
        for epoch in range(len(at.history) + 1, epochs + 1):
            if not self.run_epoch(epoch, step, feed, stop) or not self.close_epoch(epoch, stop):
                self.save()
                if not at.history:
                    self.keep_weights()
                where = f"in epoch {epoch}, step {at.step}"
                print(f"kit train: stopped by {stop.reason()} {where}; saved in {self.out}; the same command goes on")
                break
        return at.history

    def run_epoch(self, epoch: int, step, feed, stop: Stop) -> bool:
        """The rest of an epoch's steps; False where it was stopped."""
        at, chosen, begun = self.progress, self.chosen, time.monotonic()
        saved, spent, first = begun, at.seconds, at.step
        with progress.bar(self.steps, f"epoch {epoch}/{chosen.epochs}", " steps") as bar:
            bar.update(len(at.losses))
            while at.step < epoch * self.steps:
                if stop.reason():
                    return False
                self.optimizer.learning_rate = self.rate(at.step)
                loss = float(step(*next(feed)))
                if not np.isfinite(loss):
                    self.fail(f"the loss is {loss}", at.step)
                at.step += 1
                at.losses.append(loss)
                now = time.monotonic()
                at.seconds = spent + now - begun
                rate = chosen.batch * (at.step - first) / (now - begun)
                bar.set_postfix(loss=f"{np.mean(at.losses[-50:]):.3f}", images_s=f"{rate:.1f}", refresh=False)
                bar.update()
                if now - saved > 60 * chosen.save_minutes and at.step < epoch * self.steps:
                    self.save()
                    saved = now
        return True

    def rate(self, step: int) -> float:
        """The learning rate of a step, from 0."""
        chosen = self.chosen
        return learning_rate(self.schedule, step, chosen.epochs * self.steps, self.steps, chosen.learning_rate, chosen.warmup)

    def close_epoch(self, epoch: int, stop: Stop) -> bool:
        """Scores the holdout, writes weights and history, saves; False where it was stopped."""
        at, begun = self.progress, time.monotonic()
        maps = self.out / ".maps.tmp"
        if self.holdout is not None:
            self.save()  # scoring may take long
        with self.averages.in_place():
            scores: dict = {}
            if self.holdout is not None:
                shutil.rmtree(maps, ignore_errors=True)
                maps.mkdir()
                found = score_holdout(self.forward, self.holdout, self.loss, keep=maps, stopped=stop.reason)
                if found is None:
                    shutil.rmtree(maps, ignore_errors=True)  # not of all images
                    return False
                scores = found
            row = {"epoch": epoch, "step": at.step, "learning_rate": self.rate(at.step - 1), "loss": float(np.mean(at.losses)), **scores}
            if not np.isfinite(row.get("val_loss", 0.0)):
                raise KitError(f"{self.out}: the holdout's loss after epoch {epoch} is {row['val_loss']}; try a lower --learning-rate")
            row["seconds"] = round(at.seconds + time.monotonic() - begun, 2)
            at.history.append({name: row.get(name) for name in COLUMNS})
            self.keep_weights()
        shutil.rmtree(maps, ignore_errors=True)
        write_text(self.out / "history.csv", tabulate(at.history))
        at.losses, at.seconds = [], 0.0
        self.save()
        print(describe(at.history[-1], self.chosen.epochs))
        return True

    def keep_weights(self) -> None:
        """The present weights as the last ones, as this epoch's, and, where they are, as the best; weights of poorer epochs go."""
        history, best_by = self.progress.history, self.chosen.best_by
        last, maps = self.out / "last.weights.h5", self.out / ".maps.tmp"
        save_weights(self.network, last)
        ranked = rank(history, best_by)
        if not history or ranked[0] == len(history):
            copy_weights(last, self.out / "best.weights.h5")
            if maps.is_dir():
                sign_maps(maps, self.out / "best.weights.h5", self.source)
                shutil.rmtree(self.out / "maps", ignore_errors=True)
                os.replace(maps, self.out / "maps")
        if history:
            wanted = {name_weights(history[epoch - 1]) for epoch in (*ranked[: self.chosen.keep], *range(1, len(history) + 1)[-2:])}
            copy_weights(last, self.out / name_weights(history[-1]))
            for path in self.out.glob("epoch-*.weights.h5"):
                if path.name not in wanted:
                    path.unlink()

    def variables(self) -> list:
        """All that a step reads and changes, in a fixed order."""
        return [*self.network.variables, *self.optimizer.variables, *self.averages.kept]

    def save(self) -> None:
        """Saves the state; weights that are no numbers are an error, so a saved state is a good one."""
        arrays = [np.array(variable) for variable in self.variables()]
        if not all(np.isfinite(array).all() for array in arrays if np.issubdtype(array.dtype, np.floating)):
            self.fail("the weights are no numbers", max(0, self.progress.step - 1))
        state.save(self.out / "state", arrays, dataclasses.asdict(self.progress))

    def restore(self) -> bool:
        """Sets everything to the newest whole state, and history.csv to what it says; False where there is none."""
        found = state.load(self.out / "state")
        if found is None:
            return False
        arrays, words = found
        variables = self.variables()
        if [array.shape for array in arrays] != [tuple(variable.shape) for variable in variables]:
            raise KitError(f"{self.out / 'state'}: is not of this network; choose another folder for the model")
        for variable, array in zip(variables, arrays):
            variable.assign(array)
        try:
            for name, value in words.items():
                if not isinstance(value, type(getattr(self.progress, name))):
                    raise TypeError(name)
                setattr(self.progress, name, value)
            if self.progress.history:
                write_text(self.out / "history.csv", tabulate(self.progress.history))
        except (AttributeError, TypeError, KeyError) as error:
            raise KitError(f"{self.out / 'state'}: not the state of a training ({error!r})") from None
        return True

    def fail(self, what: str, batch: int) -> None:
        """Raises for a batch whose loss, or the weights after it, are no numbers; the last good weights are left as last.weights.h5."""
        images, _ = self.sampling.draw(tf.range(self.chosen.batch, dtype=tf.int64) + batch * self.chosen.batch)
        names = ", ".join(dict.fromkeys(self.index.truth.ids[images.numpy()]))
        self.progress = Progress()
        self.restore()
        with self.averages.in_place():
            save_weights(self.network, self.out / "last.weights.h5")
        if not (self.out / "best.weights.h5").is_file():
            copy_weights(self.out / "last.weights.h5", self.out / "best.weights.h5")
        raise KitError(
            f"{self.out}: {what} in step {batch + 1} (images {names}); last.weights.h5 holds the good weights of step "
            f"{self.progress.step}; try a lower --learning-rate in another folder, perhaps with --start-from {self.out}"
        )


def _split(source: Records, fold: int | None) -> tuple[list[int], list[int]]:
    """Folds to train on and to hold out."""
    if fold is None:
        return source.folds, []
    if fold not in source.folds:
        raise KitError(f"--fold {fold}: {source.folder} has folds {', '.join(map(str, source.folds))}")
    if source.folds == [fold]:
        raise KitError(f"--fold {fold}: {source.folder} has no other fold to train on")
    return [number for number in source.folds if number != fold], [fold]


def describe_environment(strategy: tf.distribute.Strategy) -> str:
    """Versions, threads and devices that the bytes of a training depend on."""
    names = ("tensorflow", "keras", "segmentation-models", "tensorflow-datasets", "numpy", "numba", "pandas", "scikit-image")
    lines = [f"{name} {importlib.metadata.version(name)}" for name in names]
    lines.append(f"python {platform.python_version()} {platform.system()} {platform.machine()}, {os.cpu_count()} cores")
    lines.append(f"intra-op threads {tf.config.threading.get_intra_op_parallelism_threads() or 'all cores'}, inter-op threads 1")
    lines.append(f"gpus {len(tf.config.list_physical_devices('GPU'))}, replicas {strategy.num_replicas_in_sync}")
    return "\n".join(lines) + "\n"
