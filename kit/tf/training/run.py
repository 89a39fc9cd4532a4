"""One training: its network and its loop (tests: tf/training/test_resume.py)."""

import datetime
import functools
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import keras
import numpy as np

from ...errors import KitError
from ...models import pace
from ...models.history import COLUMNS, describe_epoch, tabulate
from ...presets import GATE
from ...records.index import Index
from ...records.manifest import Records
from ...settings import TrainSettings
from ...system import progress
from ...system.files import write_text
from ..failures import naming_shards
from ..inference.ensemble import forward
from ..network.outputs import check_outputs, take_map, take_presence
from ..network.weights import copy_weights, load_weights, save_weights
from . import state
from .gate import fit_gate
from .holdout import score_holdout
from .kept_weights import MAPS, keep_weights
from .stage import plan_stages
from .start import make_network
from .steps import Averages, choose_strategy
from .stop import Stop


class Run:
    """One training: everything that a step needs, and the work between steps.

    Args:
        chosen: the settings.
        own: the caller's own `loss`, `augment` and `schedule`; each wins over its setting.
        model: the caller's own network or a function that makes it; None: the kit's U-Net.
        weights: path of the encoder's weights; None: random ones.
        index: the training images.
        holdout: the images scored after each epoch; None: no images.
        out: the model folder.
        source: the records that both indexes come from.

    Raises:
        KitError: if the batch does not fit the devices, weights are missing or do not fit, or the
            caller's own network computes in another precision than `chosen.mixed` or lacks the
            encoder that a setting is about.
    """

    def __init__(
        self,
        chosen: TrainSettings,
        own: dict[str, Any],
        model: keras.Model | Callable[[], keras.Model] | None,
        weights: str | None,
        index: Index,
        holdout: Index | None,
        out: Path,
        source: Records,
    ):
        self.chosen, self.out, self.source = chosen, out, source
        self.index, self.holdout = index, holdout
        self.checked = model is None  # whether the network is known to give maps
        self.stages = plan_stages(chosen, own, index)
        self.strategy = choose_strategy(chosen.devices)
        devices = self.strategy.num_replicas_in_sync
        for stage in self.stages:
            if stage.chosen.batch % devices:
                raise KitError(
                    f"--batch {stage.chosen.batch}: give a multiple of {devices}, the number of "
                    "devices"
                )
        with self.strategy.scope():
            # Keras draws initial weights and dropout from its own generator.
            keras.utils.set_random_seed(chosen.seed)
            self.network = make_network(chosen, model, weights, synchronized=devices > 1)
        self.averages = Averages(self.network, chosen.average)
        self.forward = forward(self.network)
        self.gated = chosen.then[-1:] == (GATE,)
        self.epochs = self.stages[-1].last + self.gated
        self.stage = self.stages[0]
        self.stage.enter(self.network, self.strategy, self.averages)
        self.progress = state.Progress()
        self.marks: list[float] = []  # times at which the first steps of the last kind took place

    def _enter(self, progress: state.Progress) -> list:
        """Enters the stage of some progress; returns all variables that its steps change."""
        first = [*(stage.first for stage in self.stages), *[self.stages[-1].end] * self.gated]
        if first[progress.stage :][:1] != [progress.begun]:
            raise KitError(
                f"{self.out}: --epochs may change only before the next stage begins; "
                f"choose another folder, perhaps with --start-from {self.out}"
            )
        stage = self.stages[: progress.stage + 1][-1]  # the gate's has no steps of its own
        if self.stage is not stage:
            self.stage = stage
            self.stage.enter(self.network, self.strategy, self.averages)
        return self._variables()

    def go(self, stop: Stop) -> list[dict]:
        """Trains from the saved state, if any, to the last epoch; returns rows of history.csv."""
        at = self.progress = state.restore(self.out, self._enter)
        if at.step >= self.stages[-1].end and len(at.history) >= self.epochs:
            print(
                f"kit train: {self.out} is finished after {len(at.history)} epochs"
                + ("" if self.chosen.then else "; a larger --epochs continues it")
            )
            return at.history
        if at.step or at.history:
            print(
                f"kit train: resuming {self.out} after step {at.step}, "
                f"epoch {len(at.history) + 1}/{self.epochs}"
            )
        self._save()
        while self._run_stage(stop) and at.stage < len(self.chosen.then):
            # It goes on from the weights that were scored; the gate from the best ones.
            self.averages.settle()
            at.stage, at.begun, self.marks = at.stage + 1, self.stage.end, []
            self._enter(at)
            name = self.chosen.then[at.stage - 1]
            if name == GATE:
                load_weights(self.network, self.out / "best.weights.h5", self.chosen.encoder)
                self.averages.restart()
            self._save()
            print(f"kit train: stage {at.stage + 1}/{len(self.chosen.then) + 1}: {name}")
        return at.history

    def _run_stage(self, stop: Stop) -> bool:
        """Runs the epochs left in a stage; False if the training was stopped first."""
        at, stage, run = self.progress, self.stage, self._fit_gate
        if at.stage < len(self.stages):
            data = stage.batches(at.step - stage.first)
            feed = iter(self.strategy.experimental_distribute_dataset(data))
            run = functools.partial(self._run_epoch, feed)
        last = stage.last + (at.stage == len(self.stages))
        for epoch in range(len(at.history) + 1, last + 1):
            if not run(epoch, stop) or not self._close_epoch(epoch, stop):
                self._save()
                if not at.history:
                    with self.averages.in_place():
                        keep_weights(self.network, self.out, at.history, self.chosen, self.source)
                print(
                    f"kit train: stopped by {stop.reason()} in epoch {epoch}, step {at.step}; "
                    f"saved in {self.out}; run the same command again to resume"
                )
                return False
        return True

    def _fit_gate(self, epoch: int, stop: Stop) -> bool:
        """Fits the gate, as the work of an epoch; False if the training was stopped first."""
        begun = time.monotonic()
        loss = fit_gate(self.network, self.index, stop.reason)
        if loss is None:
            return False
        self.averages.restart()
        self.progress.losses, self.progress.seconds = [loss], time.monotonic() - begun
        return True

    def _run_epoch(self, feed, epoch: int, stop: Stop) -> bool:
        """Runs the steps left in an epoch; False if the training was stopped first."""
        at, stage, begun = self.progress, self.stage, time.monotonic()
        saved, spent, first = begun, at.seconds, at.step
        end = stage.first + (epoch - stage.epoch) * stage.steps
        with progress.bar(stage.steps, f"epoch {epoch}/{self.epochs}", " steps") as bar:
            bar.update(len(at.losses))
            while at.step < end:
                if stop.reason():
                    return False
                with naming_shards(self.index):
                    images, masks = next(feed)
                if not self.checked:
                    self._check_network(images)
                if not self.marks and stage.is_usual(at.step):
                    self.marks = [time.monotonic()]
                stage.optimizer.learning_rate = stage.find_rate(at.step)
                loss = float(stage.step[stage.is_frozen(at.step)](images, masks))
                if not np.isfinite(loss):
                    self._fail(f"the loss is {loss}", at.step)
                at.step += 1
                at.losses.append(loss)
                now = time.monotonic()
                self._print_pace(now, stop)
                at.seconds = spent + now - begun
                rate = stage.chosen.batch * (at.step - first) / (now - begun)
                bar.set_postfix(
                    loss=f"{np.mean(at.losses[-50:]):.3f}", images_s=f"{rate:.1f}", refresh=False
                )
                bar.update()
                if now - saved > 60 * stage.chosen.save_minutes and at.step < end:
                    self._save()
                    saved = now
        return True

    def _check_network(self, images) -> None:
        """Checks the outputs of the caller's own network for the first batch, before it trains."""
        images = self.strategy.experimental_local_results(images)[0]
        found = self.network(images, training=False)
        check_outputs(take_map(found), take_presence(found), images)
        self.checked = True

    def _print_pace(self, now: float, stop: Stop) -> None:
        """Prints once, after the first steps, how long the training will take."""
        if not self.marks or len(self.marks) > pace.PACE_STEPS:
            return
        self.marks.append(now)
        if len(self.marks) == pace.PACE_STEPS + 1:
            at = self.progress
            scorings = (self.stage.last - len(at.history)) * (self.holdout is not None)
            clock = datetime.datetime.now()
            words = pace.describe_pace(
                self.marks, self.stage.end - at.step, scorings, stop.left(), clock
            )
            print(f"kit train: {words}")

    def _close_epoch(self, epoch: int, stop: Stop) -> bool:
        """Scores the holdout, writes weights, history and state; False if stopped while scoring."""
        at, begun = self.progress, time.monotonic()
        maps = self.out / MAPS
        if self.holdout is not None:
            self._save()  # scoring may take long
        with self.averages.in_place():
            scores: dict = {}
            if self.holdout is not None:
                shutil.rmtree(maps, ignore_errors=True)
                maps.mkdir()
                found = score_holdout(
                    self.forward, self.holdout, self.stage.loss, keep=maps, stopped=stop.reason
                )
                if found is None:
                    shutil.rmtree(maps, ignore_errors=True)  # it lacks images
                    return False
                scores = found
            row = {
                "epoch": epoch,
                "step": at.step,
                "learning_rate": self.stage.find_rate(at.step - 1),
                "loss": float(np.mean(at.losses)),
                **scores,
            }
            if not np.isfinite(row.get("val_loss", 0.0)):
                raise KitError(
                    f"{self.out}: the holdout's loss after epoch {epoch} is {row['val_loss']}; "
                    "try a lower --learning-rate"
                )
            # Counts all sessions that worked on this epoch.
            row["seconds"] = round(at.seconds + time.monotonic() - begun, 2)
            at.history.append({name: row.get(name) for name in COLUMNS})
            keep_weights(self.network, self.out, at.history, self.chosen, self.source)
        shutil.rmtree(maps, ignore_errors=True)
        write_text(self.out / "history.csv", tabulate(at.history))
        at.losses, at.seconds = [], 0.0
        self._save()
        print(describe_epoch(at.history[-1], self.epochs))
        ahead = self.stage.last - epoch
        if ahead and row["seconds"] > 60 and self.stage.is_usual(at.step - self.stage.steps):
            now = datetime.datetime.now()
            print(f"kit train: {pace.describe_epochs(row['seconds'], ahead, stop.left(), now)}")
        return True

    def _variables(self) -> list:
        """All variables that a step reads and changes, in a fixed order."""
        return [*self.network.variables, *self.stage.optimizer.variables, *self.averages.kept]

    def _save(self) -> None:
        if not state.save(self.out, self._variables(), self.progress):
            self._fail("the weights are NaN or infinite", max(0, self.progress.step - 1))

    def _fail(self, what: str, batch: int) -> NoReturn:
        """Raises a KitError that names the images of a bad batch; batches count from 0.

        Leaves the last good weights as last.weights.h5.
        """
        names = ", ".join(dict.fromkeys(self.index.truth.ids[self.stage.draw(batch).numpy()]))
        self.progress = state.restore(self.out, self._enter)
        with self.averages.in_place():
            save_weights(self.network, self.out / "last.weights.h5")
        if not (self.out / "best.weights.h5").is_file():
            copy_weights(self.out / "last.weights.h5", self.out / "best.weights.h5")
        raise KitError(
            f"{self.out}: {what} in step {batch + 1} (images {names}); last.weights.h5 holds the "
            f"good weights of step {self.progress.step}; try a lower --learning-rate in another "
            f"folder, perhaps with --start-from {self.out}"
        )
