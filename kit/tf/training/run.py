"""One training at work: its network, its state, its loop (tests: tf/training/test_resume.py)."""

import dataclasses
import datetime
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from ...errors import KitError
from ...models import checkpoint, pace
from ...models.history import COLUMNS, describe_epoch, name_weights, rank_epochs, tabulate
from ...records.index import Index
from ...records.manifest import Records
from ...settings import TrainSettings
from ...system import progress
from ...system.files import write_text
from ..data.batches import batches, sample
from ..inference.ensemble import forward
from ..inference.holdout_maps import sign_maps
from ..network.losses import make_loss
from ..network.unet import unet
from ..network.weights import copy_weights, load_weights, save_weights
from .holdout import score_holdout
from .schedule import learning_rate
from .steps import Averages, choose_strategy, make_optimizer, make_step
from .stop import Stop


@dataclass
class Progress:
    """How far a training is: what its state says beside the arrays."""

    step: int = 0  # steps done
    seconds: float = 0.0  # spent in this epoch
    losses: list[float] = field(default_factory=list)  # of this epoch's steps
    history: list[dict] = field(default_factory=list)  # rows of history.csv


class Run:
    """One training: everything that a step needs, and what is done around the steps."""

    def __init__(
        self,
        chosen: TrainSettings,
        own: dict,
        model,
        weights,
        index: Index,
        holdout: Index | None,
        out: Path,
        source: Records,
    ):
        self.chosen, self.out, self.source, self.index, self.holdout = (
            chosen,
            out,
            source,
            index,
            holdout,
        )
        self.steps = chosen.steps or max(1, len(index) // chosen.batch)
        self.schedule = own.get("schedule", chosen.schedule)
        self.loss = make_loss(
            own.get("loss", chosen.loss), chosen.object_weight, chosen.pixel_weight
        )
        shares = {
            name: getattr(chosen, name) for name in ("ship_share", "empty_share", "balance", "seed")
        }
        self.sampling = sample(index, chosen.batch, self.steps, **shares)
        augment = own.get("augment", chosen.augment)
        form = {
            "batch": chosen.batch,
            "steps": self.steps,
            "crop": chosen.crop,
            "augment": augment,
            "numbered": self.loss.numbered,
        }
        self.batches: Callable = lambda start: batches(index, **shares, **form, start=start)
        self.strategy = choose_strategy(chosen.devices)
        if chosen.batch % self.strategy.num_replicas_in_sync:
            raise KitError(
                f"--batch {chosen.batch}: not a multiple of the {self.strategy.num_replicas_in_sync} devices"
            )
        with self.strategy.scope():
            keras.utils.set_random_seed(
                chosen.seed
            )  # Keras draws initial weights and dropout from its own generator
            self.network = self._make_network(model, weights)
            self.optimizer = make_optimizer(chosen.learning_rate, chosen.mixed, chosen.optimizer)
            self.optimizer.build(self.network.trainable_variables)
        self.averages = Averages(self.network, chosen.average)
        self.forward = forward(self.network)
        self.progress = Progress()
        self.marks: list[float] = []  # times at which the first steps began and ended

    def _make_network(self, model, weights: str | None) -> keras.Model:
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
                weights=weights,
                mixed=chosen.mixed,
                synchronized=self.strategy.num_replicas_in_sync > 1,
            )
        if chosen.start_from is not None:
            start = Path(chosen.start_from) / "best.weights.h5"
            if not start.is_file():
                raise KitError(
                    f"--start-from {chosen.start_from}: holds no best.weights.h5; give a folder made by kit train"
                )
            load_weights(network, start, chosen.encoder)
        return network

    def go(self, stop: Stop) -> list[dict]:
        """Trains from the saved state, or from the beginning, to the last epoch; returns the history."""
        at, epochs = self.progress, self.chosen.epochs
        self.restore()
        if at.step >= epochs * self.steps and len(at.history) >= epochs:
            print(
                f"kit train: {self.out} is finished: {len(at.history)} epochs; a larger --epochs goes on"
            )
            return at.history
        if at.step or at.history:
            print(
                f"kit train: going on in {self.out} after step {at.step}, epoch {len(at.history) + 1}/{epochs}"
            )
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
                    with self.averages.in_place():
                        self.keep_weights()
                where = f"in epoch {epoch}, step {at.step}"
                print(
                    f"kit train: stopped by {stop.reason()} {where}; saved in {self.out}; the same command goes on"
                )
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
                self.marks = self.marks or [time.monotonic()]
                self.optimizer.learning_rate = self.rate(at.step)
                loss = float(step(*next(feed)))
                if not np.isfinite(loss):
                    self.fail(f"the loss is {loss}", at.step)
                at.step += 1
                at.losses.append(loss)
                now = time.monotonic()
                self.say_pace(now, stop)
                at.seconds = spent + now - begun
                rate = chosen.batch * (at.step - first) / (now - begun)
                bar.set_postfix(
                    loss=f"{np.mean(at.losses[-50:]):.3f}", images_s=f"{rate:.1f}", refresh=False
                )
                bar.update()
                if now - saved > 60 * chosen.save_minutes and at.step < epoch * self.steps:
                    self.save()
                    saved = now
        return True

    def say_pace(self, now: float, stop: Stop) -> None:
        """After the first steps, once: how long the training will take."""
        if len(self.marks) <= pace.PACE_STEPS:
            self.marks.append(now)
            if len(self.marks) == pace.PACE_STEPS + 1:
                at, epochs = self.progress, self.chosen.epochs
                ahead = (
                    epochs * self.steps - at.step,
                    (epochs - len(at.history)) * (self.holdout is not None),
                )
                print(
                    f"kit train: {pace.describe_pace(self.marks, *ahead, stop.left(), datetime.datetime.now())}"
                )

    def rate(self, step: int) -> float:
        """The learning rate of a step, from 0."""
        chosen = self.chosen
        return learning_rate(
            self.schedule,
            step,
            chosen.epochs * self.steps,
            self.steps,
            chosen.learning_rate,
            chosen.warmup,
        )

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
                found = score_holdout(
                    self.forward, self.holdout, self.loss, keep=maps, stopped=stop.reason
                )
                if found is None:
                    shutil.rmtree(maps, ignore_errors=True)  # not of all images
                    return False
                scores = found
            row = {
                "epoch": epoch,
                "step": at.step,
                "learning_rate": self.rate(at.step - 1),
                "loss": float(np.mean(at.losses)),
                **scores,
            }
            if not np.isfinite(row.get("val_loss", 0.0)):
                raise KitError(
                    f"{self.out}: the holdout's loss after epoch {epoch} is {row['val_loss']}; try a lower --learning-rate"
                )
            row["seconds"] = round(
                at.seconds + time.monotonic() - begun, 2
            )  # of all sessions that worked on this epoch
            at.history.append({name: row.get(name) for name in COLUMNS})
            self.keep_weights()
        shutil.rmtree(maps, ignore_errors=True)
        write_text(self.out / "history.csv", tabulate(at.history))
        at.losses, at.seconds = [], 0.0
        self.save()
        print(describe_epoch(at.history[-1], self.chosen.epochs))
        ahead = self.chosen.epochs - epoch
        if ahead and row["seconds"] > 60:
            print(
                f"kit train: {pace.describe_epochs(row['seconds'], ahead, stop.left(), datetime.datetime.now())}"
            )
        return True

    def keep_weights(self) -> None:
        """The present weights as the last ones, as this epoch's, and, where they are, as the best; weights of poorer epochs go."""
        history, best_by = self.progress.history, self.chosen.best_by
        last, maps = self.out / "last.weights.h5", self.out / ".maps.tmp"
        save_weights(self.network, last)
        ranked = rank_epochs(history, best_by)
        if not history or ranked[0] == len(history):
            copy_weights(last, self.out / "best.weights.h5")
            if maps.is_dir():
                sign_maps(maps, self.out / "best.weights.h5", self.source)
                shutil.rmtree(self.out / "maps", ignore_errors=True)
                os.replace(maps, self.out / "maps")
        if history:
            wanted = {
                name_weights(history[epoch - 1])
                for epoch in (*ranked[: self.chosen.keep], *range(1, len(history) + 1)[-2:])
            }
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
        if not all(
            np.isfinite(array).all() for array in arrays if np.issubdtype(array.dtype, np.floating)
        ):
            self.fail("the weights are no numbers", max(0, self.progress.step - 1))
        checkpoint.save_state(self.out / "state", arrays, dataclasses.asdict(self.progress))

    def restore(self) -> bool:
        """Sets everything to the newest whole state, and history.csv to what it says; False where there is none."""
        found = checkpoint.load_state(self.out / "state")
        if found is None:
            return False
        arrays, words = found
        variables = self.variables()
        if [array.shape for array in arrays] != [tuple(variable.shape) for variable in variables]:
            raise KitError(
                f"{self.out / 'state'}: is not of this network; choose another folder for the model"
            )
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
            raise KitError(
                f"{self.out / 'state'}: not the state of a training ({error!r})"
            ) from None
        return True

    def fail(self, what: str, batch: int) -> None:
        """Raises for a batch whose loss, or the weights after it, are no numbers; the last good weights are left as last.weights.h5."""
        images, _ = self.sampling.draw(
            tf.range(self.chosen.batch, dtype=tf.int64) + batch * self.chosen.batch
        )
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
