"""A stage: epochs of a training with settings of their own (tests: tf/training/test_stages.py)."""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from ...presets import GATE, STAGES
from ...records.index import Index
from ...settings import TrainSettings
from ..data.batches import batches, sample
from ..network.losses import make_loss
from .schedule import learning_rate
from .start import build_optimizer, find_encoder_layer
from .steps import Averages, make_step


class Stage:
    """Some epochs of a training: what their crops and steps are.

    Args:
        chosen: the settings of the stage.
        own: the caller's own `loss`, `augment` and `schedule`; each wins over its setting.
        index: the training images.
        first: steps of the training before this stage.
        epoch: epochs of the training before this stage.
    """

    def __init__(
        self, chosen: TrainSettings, own: dict[str, Any], index: Index, first: int, epoch: int
    ):
        self.chosen, self.first, self.epoch = chosen, first, epoch
        self.steps = chosen.steps or max(1, len(index) // chosen.batch)  # per epoch
        self.last = epoch + chosen.epochs
        self.end = first + chosen.epochs * self.steps
        self.schedule = own.get("schedule", chosen.schedule)
        self.loss = make_loss(
            own.get("loss", chosen.loss), chosen.object_weight, chosen.pixel_weight
        )
        shares = {
            name: getattr(chosen, name) for name in ("ship_share", "empty_share", "balance", "seed")
        }
        self.sampling = sample(index, chosen.batch, self.steps, **shares)
        form = {
            "batch": chosen.batch,
            "steps": self.steps,
            "crop": chosen.crop,
            "augment": own.get("augment", chosen.augment),
            "numbered": self.loss.numbered,
        }
        self.batches: Callable = lambda start: batches(index, **shares, **form, start=start)

    def enter(self, network: keras.Model, strategy: tf.distribute.Strategy, averages: Averages):
        """Makes the optimizer and the steps; a stage begins with an optimizer of its own.

        Raises:
            KitError: if the network lacks the encoder that a setting is about.
        """
        with strategy.scope():
            encoder = find_encoder_layer(self.chosen, network)
            self.optimizer = build_optimizer(self.chosen, network, encoder)
        self.step = [
            make_step(
                network,
                self.optimizer,
                self.loss,
                strategy,
                batch=self.chosen.batch,
                clip=self.chosen.clip,
                averages=averages,
                frozen=frozen,
            )
            for frozen in (None, encoder)
        ]

    def is_frozen(self, step: int) -> bool:
        """Whether the encoder is frozen in a step; steps count from the training's first, 0."""
        return step - self.first < self.chosen.freeze_encoder

    def is_usual(self, step: int) -> bool:
        """Whether a step takes as long as the last one; with a frozen encoder it takes less."""
        return self.is_frozen(step) == self.is_frozen(self.end - 1)

    def find_rate(self, step: int) -> float:
        """The learning rate of a step; steps count from the training's first, 0."""
        return learning_rate(
            self.schedule,
            step - self.first,
            self.end - self.first,
            self.steps,
            self.chosen.learning_rate,
            self.chosen.warmup,
        )

    def draw(self, step: int) -> tf.Tensor:
        """Finds the images of a step, int64 (batch,)."""
        crops = tf.range(self.chosen.batch, dtype=tf.int64)
        return self.sampling.draw(crops + (step - self.first) * self.chosen.batch)[0]


def list_stages(chosen: TrainSettings) -> list[TrainSettings]:
    """The settings of each stage with steps; the first has those of the training itself."""
    names = [name for name in chosen.then if name != GATE]
    return [chosen, *(dataclasses.replace(chosen, **STAGES[name]) for name in names)]


def plan_stages(chosen: TrainSettings, own: dict[str, Any], index: Index) -> list[Stage]:
    """Plans all stages of a training, one after the other; arguments are those of `Stage`."""
    planned: list[Stage] = []
    for settings in list_stages(chosen):
        first, epoch = (planned[-1].end, planned[-1].last) if planned else (0, 0)
        planned.append(Stage(settings, own, index, first, epoch))
    return planned
