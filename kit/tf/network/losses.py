"""Losses: one float32 value a sample, from masks and probabilities; defined on empty masks.

Masks are integers, 0 where there is no object, or floats that say how much of a pixel objects cover. Where the probabilities are coarser
than the mask by a whole factor, they are compared with the share of each area that objects cover.
"""

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from ...errors import KitError

SMALLEST = 1e-6  # probabilities are kept that far from 0 and 1, where logarithms end


def match(truth, prediction) -> tuple[tf.Tensor, tf.Tensor]:
    """(covered, probability), both float32 (batch, height, width) of the prediction's size; the latter may come with a channel of one."""
    prediction = tf.cast(prediction, tf.float32)
    if prediction.shape.rank == 4:
        prediction = prediction[..., 0]
    return _pool(tf.clip_by_value(tf.cast(truth, tf.float32), 0, 1), prediction), prediction


def _pool(values, prediction):
    """Means of areas, as many as the prediction has pixels."""
    factor = 1
    if values.shape[1] and prediction.shape[1]:
        factor = -(-values.shape[1] // prediction.shape[1])
    if factor == 1:
        return values
    bottom, right = -values.shape[1] % factor, -values.shape[2] % factor
    room, ones = [[0, 0], [0, bottom], [0, right], [0, 0]], tf.ones_like(values[:1, ..., None])
    sums, shares = (
        tf.nn.avg_pool2d(tf.pad(part, room), factor, factor, "VALID")
        for part in (values[..., None], ones)
    )
    return (sums / shares)[..., 0]  # at the border an area is only what lies in the image


@keras.saving.register_keras_serializable(package="kit")
class Dice(keras.losses.Loss):
    """1 - (2 sum(y p) + 1) / (sum(y) + sum(p) + 1), sums over an image's pixels (Milletari 2016, V-Net); the ones define it on an empty
    mask, where its gradient is next to nothing: give it bce or focal beside it."""

    def call(self, y_true, y_pred):
        truth, prediction = match(y_true, y_pred)
        both, either = (
            tf.reduce_sum(truth * prediction, (1, 2)),
            tf.reduce_sum(truth + prediction, (1, 2)),
        )
        return 1 - (2 * both + 1) / (either + 1)


class Weighted(keras.losses.Loss):
    """`factor` times a mean over pixels, those of objects weighing `weight` times as much as others."""

    def __init__(self, weight: float = 3.0, factor: float = 1.0, **options):
        super().__init__(**options)
        self.weight, self.factor = weight, factor

    def get_config(self):
        return super().get_config() | {"weight": self.weight, "factor": self.factor}

    def average(self, there, absent, prediction) -> tf.Tensor:
        """`factor` times the mean over pixels of -there log(p) - absent log(1 - p), float32 (batch,)."""
        prediction = tf.clip_by_value(prediction, SMALLEST, 1 - SMALLEST)
        values = -there * tf.math.log(prediction) - absent * tf.math.log1p(-prediction)
        return self.factor * tf.reduce_mean(values, (1, 2))


@keras.saving.register_keras_serializable(package="kit")
class CrossEntropy(Weighted):
    """Mean over pixels of -w y log(p) - (1 - y) log(1 - p): object pixels weigh w times as much as others."""

    def call(self, y_true, y_pred):
        truth, prediction = match(y_true, y_pred)
        return self.average(self.weight * truth, 1 - truth, prediction)


@keras.saving.register_keras_serializable(package="kit")
class Focal(Weighted):
    """Mean over pixels of -w y (1 - p)^2 log(p) - (1 - y) p^2 log(1 - p) (Lin 2017, Focal Loss, gamma 2): easy pixels count little."""

    def call(self, y_true, y_pred):
        truth, p = match(y_true, y_pred)
        return self.average(self.weight * truth * (1 - p) ** 2, (1 - truth) * p**2, p)


@keras.saving.register_keras_serializable(package="kit")
class Balanced(Weighted):
    """Cross entropy whose object pixels weigh area^-1/2, so that ships of 40 px and of 20,000 px both count.

    The mask numbers the objects, 1 to 255 (batches(numbered=True)); an area is what the crop shows of an object, taken as 25 to 10,000
    px. Weights are normalized in the batch (over all replicas): on average an object's pixel weighs w times as much as another.
    """

    numbered = True

    def call(self, y_true, y_pred):
        truth, prediction = match(y_true, y_pred)
        return self.average(_pool(self.weigh(y_true), prediction), 1 - truth, prediction)

    def weigh(self, y_true) -> tf.Tensor:
        """float32 (batch, height, width): how much each pixel of an object weighs, 0 outside of objects."""
        numbers = tf.cast(y_true, tf.int32)
        sample = tf.range(tf.shape(numbers)[0])[:, None, None] * 256
        there = tf.cast(numbers > 0, tf.float32)
        areas = tf.math.unsorted_segment_sum(there, numbers + sample, tf.shape(numbers)[0] * 256)
        raw = there * tf.math.rsqrt(
            tf.clip_by_value(tf.gather(areas, numbers + sample), 25.0, 10_000.0)
        )
        total = _sum_over_replicas(tf.stack([tf.reduce_sum(there), tf.reduce_sum(raw)]))
        return raw * self.weight * tf.math.divide_no_nan(total[0], total[1])


def _sum_over_replicas(values):
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return values
    return context.all_reduce(tf.distribute.ReduceOp.SUM, values)


LOSS_CLASSES: dict[str, type[keras.losses.Loss]] = {
    "dice": Dice,
    "bce": CrossEntropy,
    "focal": Focal,
    "balanced": Balanced,
}


@keras.saving.register_keras_serializable(package="kit")
class Sum(keras.losses.Loss):
    """The sum of several losses; each is a keras.losses.Loss, or a function (truth, prediction), with one value a sample or more.

    A loss of another maker gets the covered share as floats of the prediction's size, or the mask as it is, where its attribute `numbered`
    is true. KitError for one with a single value a batch: averaged over replicas it would train with too large a step.
    """

    def __init__(self, parts: Sequence[Callable], **options):
        super().__init__(**options)
        self.parts = list(parts)

    @property
    def numbered(self) -> bool:
        """Whether a part wants to tell objects apart."""
        return any(getattr(part, "numbered", False) for part in self.parts)

    def call(self, y_true, y_pred):
        return tf.add_n([self._value(part, y_true, y_pred) for part in self.parts])

    def _value(self, part, truth, prediction):
        if type(part) not in LOSS_CLASSES.values() and not getattr(part, "numbered", False):
            truth, prediction = match(truth, prediction)
        values = (
            part.call(truth, prediction)
            if isinstance(part, keras.losses.Loss)
            else part(truth, prediction)
        )
        values = tf.cast(values, tf.float32)
        if values.shape.rank == 0:
            raise KitError(
                f"loss {_name(part)}: gives one value for a batch, expected one a sample"
            )
        return tf.reduce_mean(values, list(range(1, values.shape.rank)))

    def get_config(self):
        return super().get_config() | {
            "parts": [keras.saving.serialize_keras_object(part) for part in self.parts]
        }

    @classmethod
    def from_config(cls, config):
        return cls(
            **{
                **config,
                "parts": [keras.saving.deserialize_keras_object(part) for part in config["parts"]],
            }
        )


def _name(part) -> str:
    return getattr(part, "__name__", None) or getattr(part, "name", None) or type(part).__name__


def make_loss(
    names: Sequence[str | Callable] | Callable = ("dice", "bce"),
    weight: float = 3.0,
    factor: float = 1.0,
) -> Sum:
    """The sum of losses given by name or as they are; weight, factor: of those of LOSS_CLASSES that know one, see Weighted.

    Raises KitError for an unknown name.
    """
    parts = []
    for part in [names] if callable(names) or isinstance(names, str) else names:
        if callable(part):
            parts.append(part)
        elif part in LOSS_CLASSES:
            parts.append(
                LOSS_CLASSES[part]() if part == "dice" else LOSS_CLASSES[part](weight, factor)
            )
        else:
            raise KitError(f"--loss {part}: choose among {', '.join(LOSS_CLASSES)}")
    return Sum(parts)
