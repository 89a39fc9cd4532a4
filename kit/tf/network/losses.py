"""Losses: one float32 value per image, from masks and probabilities; defined on empty masks.

Masks are integers, 0 outside of objects, or floats, the share of each pixel that objects cover. If
the probabilities are coarser than the mask by a whole factor, they are compared with the share of
each area that objects cover.
"""

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from ...errors import KitError

SMALLEST = 1e-6  # probabilities stay this far from 0 and 1, so that logarithms are finite


def match(truth, prediction) -> tuple[tf.Tensor, tf.Tensor]:
    """Brings a truth and a prediction to the prediction's size.

    Args:
        truth: masks (batch, height, width), see the module's docstring.
        prediction: probabilities (batch, height, width) or (batch, height, width, 1).

    Returns:
        (covered share, probability), both float32 (batch, height, width).

    Raises:
        KitError: if there are probabilities of several classes.
    """
    prediction = tf.cast(prediction, tf.float32)
    if prediction.shape.rank == 4 and prediction.shape[3] not in (1, None):
        raise KitError(
            f"the kit's losses are of one map, and the network gives {prediction.shape[3]} "
            "(classes); train it with a loss of Keras"
        )
    if prediction.shape.rank == 4:
        prediction = prediction[..., 0]
    return _pool(tf.clip_by_value(tf.cast(truth, tf.float32), 0, 1), prediction), prediction


def _pool(values, prediction):
    """Means of areas, one area for each pixel of the prediction."""
    factor = 1
    if values.shape[1] and prediction.shape[1]:
        factor = (values.shape[1] + prediction.shape[1] - 1) // prediction.shape[1]
    if factor == 1:
        return values
    bottom, right = ((factor - side % factor) % factor for side in values.shape[1:3])
    room, ones = [[0, 0], [0, bottom], [0, right], [0, 0]], tf.ones_like(values[:1, ..., None])
    sums, shares = (
        tf.nn.avg_pool2d(tf.pad(each, room), factor, factor, "VALID")
        for each in (values[..., None], ones)
    )
    return (sums / shares)[..., 0]  # at the border only what lies in the image counts


@keras.saving.register_keras_serializable(package="kit")
class Dice(keras.losses.Loss):
    """1 - (2 sum(y p) + 1) / (sum(y) + sum(p) + 1), sums over an image's pixels.

    From Milletari 2016, V-Net. The ones define it on an empty mask; its gradient is next to nothing
    there, so add bce or focal.
    """

    def call(self, y_true, y_pred):
        truth, prediction = match(y_true, y_pred)
        both = tf.reduce_sum(truth * prediction, (1, 2))
        either = tf.reduce_sum(truth + prediction, (1, 2))
        return 1 - (2 * both + 1) / (either + 1)


class Weighted(keras.losses.Loss):
    """`factor` times a mean over pixels; object pixels weigh `weight` times as much as others."""

    def __init__(self, weight: float = 3.0, factor: float = 1.0, **options):
        super().__init__(**options)
        self.weight, self.factor = weight, factor

    def get_config(self):
        return super().get_config() | {"weight": self.weight, "factor": self.factor}

    def average(self, there, absent, prediction) -> tf.Tensor:
        """`factor` times the mean over pixels of -there log(p) - absent log(1 - p).

        Args:
            there: weight of "object" for each pixel, float32 (batch, height, width).
            absent: weight of "no object" for each pixel, likewise.
            prediction: the probabilities p, likewise.

        Returns:
            float32 (batch,).
        """
        prediction = tf.clip_by_value(prediction, SMALLEST, 1 - SMALLEST)
        values = -there * tf.math.log(prediction) - absent * tf.math.log1p(-prediction)
        return self.factor * tf.reduce_mean(values, (1, 2))


@keras.saving.register_keras_serializable(package="kit")
class CrossEntropy(Weighted):
    """Mean over pixels of -w y log(p) - (1 - y) log(1 - p).

    Object pixels weigh w times as much as others.
    """

    def call(self, y_true, y_pred):
        truth, prediction = match(y_true, y_pred)
        return self.average(self.weight * truth, 1 - truth, prediction)


@keras.saving.register_keras_serializable(package="kit")
class Focal(Weighted):
    """Mean over pixels of -w y (1 - p)^2 log(p) - (1 - y) p^2 log(1 - p): easy pixels count little.

    From Lin 2017, Focal Loss, with gamma 2.
    """

    def call(self, y_true, y_pred):
        truth, p = match(y_true, y_pred)
        return self.average(self.weight * truth * (1 - p) ** 2, (1 - truth) * p**2, p)


@keras.saving.register_keras_serializable(package="kit")
class Balanced(Weighted):
    """Cross entropy whose object pixels weigh area^-1/2.

    So ships of 40 px and of 20,000 px both count. The mask numbers the objects from 1 to 255
    (batches(numbered=True)). An area is what the crop shows of an object, clipped to 25 to 10,000
    px. Weights are normalized in the batch, over all replicas: on average an object pixel weighs w
    times as much as another pixel.
    """

    numbered = True

    def call(self, y_true, y_pred):
        truth, prediction = match(y_true, y_pred)
        return self.average(_pool(self.weigh(y_true), prediction), 1 - truth, prediction)

    def weigh(self, y_true) -> tf.Tensor:
        """Weights of object pixels, float32 (batch, height, width); 0 outside of objects."""
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
    """The sum of several losses.

    Each is a keras.losses.Loss or a function (truth, prediction) that gives one value per image or
    per pixel. A loss from elsewhere gets the covered share as floats of the prediction's size, or
    the mask as it is if the loss has a true attribute `numbered`.

    Raises:
        KitError: if a loss gives a single value per batch. Averaged over replicas, it would train
            with too large a step.
    """

    def __init__(self, parts: Sequence[Callable], **options):
        super().__init__(**options)
        self.parts = list(parts)

    @property
    def numbered(self) -> bool:
        """Whether a loss needs masks that number the objects."""
        return any(getattr(loss, "numbered", False) for loss in self.parts)

    def call(self, y_true, y_pred):
        return tf.add_n([self._value(loss, y_true, y_pred) for loss in self.parts])

    def _value(self, loss, truth, prediction):
        if type(loss) not in LOSS_CLASSES.values() and not getattr(loss, "numbered", False):
            truth, prediction = match(truth, prediction)
        call = loss.call if isinstance(loss, keras.losses.Loss) else loss
        values = tf.cast(call(truth, prediction), tf.float32)
        if values.shape.rank == 0:
            raise KitError(f"loss {_name(loss)}: gives one value per batch, expected one per image")
        return tf.reduce_mean(values, list(range(1, values.shape.rank)))

    def get_config(self):
        parts = [keras.saving.serialize_keras_object(loss) for loss in self.parts]
        return super().get_config() | {"parts": parts}

    @classmethod
    def from_config(cls, config):
        parts = [keras.saving.deserialize_keras_object(loss) for loss in config["parts"]]
        return cls(**{**config, "parts": parts})


def _name(loss) -> str:
    return getattr(loss, "__name__", None) or getattr(loss, "name", None) or type(loss).__name__


def make_loss(
    names: Sequence[str | Callable] | Callable = ("dice", "bce"),
    weight: float = 3.0,
    factor: float = 1.0,
) -> Sum:
    """Adds up losses.

    Args:
        names: names from LOSS_CLASSES, or losses themselves; one or several.
        weight: how many times as much as others the object pixels of a named loss weigh.
        factor: factor of a named loss. Dice has neither weight nor factor.

    Raises:
        KitError: if a name is unknown.
    """
    losses, dtype = [], "float32"  # else the loss would compute in Keras's floatx
    for loss in [names] if callable(names) or isinstance(names, str) else names:
        if callable(loss):
            losses.append(loss)
        elif loss in LOSS_CLASSES:
            losses.append(
                Dice(dtype=dtype)
                if loss == "dice"
                else LOSS_CLASSES[loss](weight, factor, dtype=dtype)
            )
        else:
            raise KitError(f"--loss {loss}: choose among {', '.join(LOSS_CLASSES)}")
    return Sum(losses, dtype=dtype)
