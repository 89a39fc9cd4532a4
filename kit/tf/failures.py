"""TensorFlow's errors as one line: what failed, and the way out."""

import functools

import tensorflow as tf

from ..errors import KitError


def explained(function):
    """Decorates a function: its TensorFlow errors become KitErrors."""

    @functools.wraps(function)
    def run(*arguments, **options):
        try:
            return function(*arguments, **options)
        except tf.errors.ResourceExhaustedError:
            raise KitError(
                "out of memory on the device; train with a smaller --batch or --crop, "
                "or predict with fewer models or a larger --scale"
            ) from None
        except tf.errors.DataLossError as error:
            raise KitError(
                "a shard of the records is damaged; kit check RECORDS --repair makes it again: "
                f"{_first_line(error)}"
            ) from None
        except tf.errors.OpError as error:
            raise KitError(
                f"TensorFlow failed, perhaps on a damaged image: {_first_line(error)}"
            ) from None

    return run


def _first_line(error: tf.errors.OpError) -> str:
    return (error.message or type(error).__name__).strip().splitlines()[0][:300]
