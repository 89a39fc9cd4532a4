"""Half precision: what this machine computes fast, and what a network computes in."""

from pathlib import Path

import keras
import tensorflow as tf

from ...errors import KitError

CPU = Path("/proc/cpuinfo")  # lists what the CPU can do, on Linux
TENSOR_CORES = 7, 0  # compute capability of the first GPU that has them


def choose_precision(asked: str | None) -> str | None:
    """Chooses the half precision for "auto"; anything else is returned as asked.

    Returns:
        float16 if every GPU has tensor cores, bfloat16 on a CPU with AVX512_BF16 or AMX, else None,
        which means float32.
    """
    if asked != "auto":
        return asked
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return "bfloat16" if _has_bfloat16() else None
    found = [
        tf.config.experimental.get_device_details(gpu).get("compute_capability") or (0, 0)
        for gpu in gpus
    ]
    return "float16" if min(found) >= TENSOR_CORES else None


def describe_precision(asked: str | None) -> str | None:
    """One line for the user if "auto" was asked or the asked precision is slow here; else None.

    bfloat16 on a CPU that lacks it takes 13.4 s per step of slim instead of 1.5 s.
    """
    if asked == "auto":
        found = choose_precision(asked) or "float32, half precision is not faster here"
        return f"computes in {found} (--mixed auto)"
    if asked == "bfloat16" and not tf.config.list_physical_devices("GPU") and not _has_bfloat16():
        return "this CPU has no AVX512_BF16 and computes bfloat16 slowly: --mixed none is faster"
    return None


def read_precision(network: keras.Model) -> str | None:
    """Reads the half precision that layers of a network compute in; None if all are float32.

    Raises:
        KitError: if its variables are not float32, which a training step needs.
    """
    found = {
        layer.compute_dtype
        for layer in network._flatten_layers()
        if not isinstance(layer, keras.Model | keras.layers.InputLayer)
    }
    stored = {keras.backend.standardize_dtype(each.dtype) for each in network.trainable_variables}
    if odd := stored - {"float32"}:
        raise KitError(
            f"model: a network of {' and '.join(sorted(odd))} cannot be trained; make it under the "
            "dtype policy float32, mixed_float16 or mixed_bfloat16 "
            "(keras.config.set_dtype_policy), whose variables are float32"
        )
    return next((name for name in ("float16", "bfloat16") if name in found), None)


def starts_onednn() -> bool:
    """Whether TensorFlow starts oneDNN by itself; True if nothing is known of the CPU."""
    return not CPU.is_file() or any(word in CPU.read_text() for word in ("vnni", "bf16", "amx_"))


def _has_bfloat16() -> bool:
    return CPU.is_file() and "bf16" in CPU.read_text()
