"""GPUs, precision, threads and encoder weights of this machine (tests: machine/test_checks.py)."""

import os
import subprocess
from pathlib import Path

import tensorflow as tf

# Packing writes with it. The import fails if its parts do not fit the installed protobuf.
import tensorflow_datasets.core  # noqa: F401

from ..encoders import ENCODERS
from ..errors import KitError
from ..models.pretrained import describe_remedy, find_attached, find_published
from ..presets import PRESETS
from ..system.finding import FINE, NOTE, Finding
from .environment import describe_eager, describe_keras, describe_threads
from .network.library import import_backbones
from .network.precision import choose_precision


def check_devices(mounts: Path) -> list[Finding]:
    """Checks the GPUs, half precision, threads, Keras's settings and eager mode of this process.

    Also checks the ImageNet weights of the presets' encoders.
    """
    import_backbones()  # the import fails if its parts do not fit the installed Keras
    gpus = [
        tf.config.experimental.get_device_details(gpu)
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    found = [Finding(FINE, f"GPU: {describe_gpu(details)}") for details in gpus]
    if not gpus:
        remedy = "on Kaggle choose an accelerator; --preset cpu-hour trains an hour on two cores"
        if (visible := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
            remedy = f"CUDA_VISIBLE_DEVICES={visible} may hide some: unset it, or {remedy}"
        found = [Finding(NOTE, "GPU: TensorFlow sees none", remedy)]
    elif memory := read_memory():
        found.append(Finding(FINE, f"GPU memory: {memory}"))
    precision = choose_precision("auto")
    if precision:
        half = f"yes, {precision}"
        why = "the GPU has tensor cores" if gpus else "the CPU has AVX512_BF16 or AMX"
    else:
        half = "no"
        why = "a GPU without tensor cores" if gpus else "a CPU without AVX512_BF16"
    found.append(Finding(FINE, f"half precision: {half}, {why} (--mixed auto)"))
    found.append(Finding(FINE, f"TensorFlow: {describe_threads()}"))
    found.extend(Finding(NOTE, words) for words in (describe_keras(), describe_eager()) if words)
    for encoder in dict.fromkeys(str(preset["encoder"]) for preset in PRESETS.values()):
        if ENCODERS[encoder].weights:
            found.append(check_weights(encoder, mounts))
    return found


def describe_gpu(details: dict) -> str:
    """Name and compute capability, from TensorFlow's details of a GPU."""
    name, capability = details.get("device_name", "unnamed"), details.get("compute_capability")
    return f"{name}, compute capability {'.'.join(map(str, capability))}" if capability else name


def read_memory() -> str | None:
    """Memory of each GPU in words, from nvidia-smi; None if there is none."""
    try:
        command = ["nvidia-smi", "--query-gpu=memory.total,memory.free", "--format=csv,noheader"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    sizes = (line.partition(",") for line in done.stdout.split("\n"))
    words = [f"{total.strip()}, {free.strip()} of it free" for total, _, free in sizes if free]
    return "; ".join(words) or None


def check_weights(encoder: str, mounts: Path) -> Finding:
    """Checks whether an encoder's ImageNet weights are on this machine."""
    wanted = find_published(encoder)
    try:
        path = find_attached(wanted, mounts)
    except KitError as error:
        return Finding(NOTE, f"weights of {encoder}: {error}")
    if path is not None:
        return Finding(FINE, f"weights of {encoder}: {path}")
    return Finding(
        FINE,
        f"weights of {encoder}: {wanted.name} is not on this machine",
        f"for --encoder-weights imagenet: {describe_remedy(wanted)}",
    )
