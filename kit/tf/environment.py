"""The process that a training runs in: Keras's settings, eager mode, threads and devices."""

import contextlib
import importlib.metadata
import os
import platform
import sys
from collections.abc import Iterator

import keras
import tensorflow as tf

from ..errors import KitError
from ..system.processes import count_cores
from ..system.variables import find_keras_home, list_variables

# Keras's own defaults, in which the kit computes.
DEFAULTS = {"floatx": "float32", "epsilon": 1e-7, "image_data_format": "channels_last"}


@contextlib.contextmanager
def computing(precision: str | None = None) -> Iterator[None]:
    """A block, or a decorated function, that builds networks and runs them.

    Prints one line if functions run eagerly. For Keras's settings see `default_keras`.

    Raises:
        KitError: if TensorFlow's eager execution is off.
    """
    if not tf.executing_eagerly():
        raise KitError(
            "TensorFlow builds graphs here instead of computing (a tf.Graph or tf.function around "
            "the call, or tf.compat.v1.disable_eager_execution()); call the kit outside of it, or "
            "start Python again without it"
        )
    if words := describe_eager():
        print(f"kit: {words}")
    with default_keras(precision):
        yield


@contextlib.contextmanager
def default_keras(precision: str | None = None) -> Iterator[None]:
    """A block, or a decorated function, within which Keras has DEFAULTS and the kit's dtype policy.

    The caller's settings return afterwards. Prints one line if they were others.

    Args:
        precision: the half precision that layers compute in; None: float32.
    """
    policy = f"mixed_{precision}" if precision else "float32"
    former = keras.config.dtype_policy()
    kept = {name: getattr(keras.config, name)() for name in DEFAULTS}
    if words := describe_keras(policy):
        print(f"kit: {words}")
    try:
        keras.config.set_dtype_policy(policy)
        _set(DEFAULTS)
        yield
    finally:
        keras.config.set_dtype_policy(former)
        _set(kept)


def _set(values: dict) -> None:
    for name, value in values.items():
        getattr(keras.config, f"set_{name}")(value)


def describe_keras(policy: str = "float32") -> str | None:
    """Keras's settings that do not hold for the kit's networks, in words; None if there are none.

    `policy` is the dtype policy that the kit is about to compute in.
    """
    found = {"dtype policy": keras.config.dtype_policy().name}
    found |= {name: getattr(keras.config, name)() for name in DEFAULTS}
    odd = [
        f"{name} {value}"
        for name, value in found.items()
        if value not in (DEFAULTS.get(name, policy), "float32")
    ]
    if not odd:
        return None
    return (
        f"Keras is set to {', '.join(odd)} (by the caller or {find_keras_home() / 'keras.json'}), "
        f"which does not hold for the kit's networks: they compute in {policy}, "
        "as --mixed (mixed=) asks"
    )


def describe_eager() -> str | None:
    """What runs eagerly that should be compiled, in words; None if nothing does."""
    odd = ["functions run eagerly"] if tf.config.functions_run_eagerly() else []
    # TensorFlow has no public word for it.
    data = sys.modules.get("tensorflow.python.data.ops.debug_mode")
    odd += ["tf.data is in debug mode"] if getattr(data, "DEBUG_MODE", False) else []
    if not odd:
        return None
    return (
        f"{' and '.join(odd)}: slower than compiled, and weights trained eagerly differ in the "
        "last digits; tf.config.run_functions_eagerly(False), or for tf.data a new start of "
        "Python, ends it"
    )


def describe_threads() -> str:
    """The threads of TensorFlow, in words."""
    kinds = {
        "intra": tf.config.threading.get_intra_op_parallelism_threads(),
        "inter": tf.config.threading.get_inter_op_parallelism_threads(),
    }
    words = []
    for kind, count in kinds.items():
        count = count or int(os.environ.get(f"TF_NUM_{kind.upper()}OP_THREADS") or 0)
        words.append(f"{kind}-op threads {count or f'{count_cores()}, one per core'}")
    return ", ".join(words)


def describe_environment(strategy: tf.distribute.Strategy, mixed: str | None) -> str:
    """Versions, threads, devices, precision and variables that decide a training's bytes."""
    names = (
        "tensorflow",
        "keras",
        "segmentation-models",
        "tensorflow-datasets",
        "numpy",
        "numba",
        "pandas",
        "scikit-image",
    )
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    gpus = len(tf.config.list_physical_devices("GPU"))
    lines = [
        *(f"{name} {importlib.metadata.version(name)}" for name in names),
        f"python {platform.python_version()} {machine}",
        describe_threads(),
        f"precision {mixed or 'float32'}",
        f"gpus {gpus}, replicas {strategy.num_replicas_in_sync}",
        describe_eager() or "functions compiled",
        *list_variables(),
    ]
    return "\n".join(lines) + "\n"
