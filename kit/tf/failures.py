"""TensorFlow's errors as one line: what failed, and the way out."""

import contextlib
import functools
import re
from collections.abc import Iterator

import tensorflow as tf

from ..errors import KitError, naming_extra
from ..records.index import Index
from ..records.manifest import compare_shards, open_records

# What TensorFlow is told to raise if an output is no probability: output, verb, values.
OUTPUT = "network output {} {} {}"
_OUTPUT = re.compile(OUTPUT.format(r"\w+", "(holds|goes from)", r"([-+.\w]+ (to|or) [-+.\w]+)"))


def explained(function):
    """Decorates a function: its TensorFlow errors become KitErrors."""

    @functools.wraps(function)
    def run(*arguments, **options):
        try:
            with naming_extra():
                return function(*arguments, **options)
        except tf.errors.ResourceExhaustedError:
            raise KitError(
                "out of memory on the device; train with a smaller --batch or --crop, "
                "or predict with fewer models or a larger --scale"
            ) from None
        except tf.errors.OpError as error:
            if told := _OUTPUT.search(error.message or ""):
                way = "give probabilities, of logits the sigmoid"
                if told[1] == "holds":
                    way = "are its weights sound?"
                raise KitError(f"{told[0]}, expected values from 0 to 1; {way}") from None
            raise KitError(
                f"TensorFlow failed, perhaps on a damaged image: {_first_line(error)}"
            ) from None

    return run


@contextlib.contextmanager
def naming_shards(index: Index) -> Iterator[None]:
    """Turns the error on a damaged record into a KitError that names the damaged shards.

    It compares the checksums of the index's shards, since TensorFlow names none.
    """
    try:
        yield
    except tf.errors.DataLossError as error:
        records = open_records(index.name)
        ours = set(index.paths)
        shards = [
            shard
            for shard in records.manifest["shards"]
            if str(records.folder / shard["file"]) in ours
        ]
        damage = compare_shards(records.folder, shards)
        said = ", ".join(f"{records.folder / name}: {why}" for name, why in damage.items())
        raise KitError(
            f"{said or f'{index.name}: {_first_line(error)}'}; "
            f"kit check {index.name} --repair makes damaged shards again"
        ) from None


def _first_line(error: tf.errors.OpError) -> str:
    return (error.message or type(error).__name__).strip().splitlines()[0][:300]
