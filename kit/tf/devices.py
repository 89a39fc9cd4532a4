"""GPUs, half precision and encoder weights of this machine (tests: machine/test_checks.py)."""

import subprocess
from pathlib import Path

import tensorflow as tf
import tensorflow_datasets.core  # noqa: F401  # fails where its parts do not go with protobuf; packing writes with it

from ..encoders import ENCODERS
from ..errors import KitError
from ..presets import PRESETS
from ..system.finding import FINE, NOTE, Finding
from .network.precision import choose_precision
from .network.pretrained import find_attached, find_published


def check_devices(mounts: Path) -> list[Finding]:
    """Findings on GPUs, on precision and on the ImageNet weights of the presets' encoders."""
    gpus = [
        tf.config.experimental.get_device_details(gpu)
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    found = [Finding(FINE, f"GPU: {describe_gpu(details)}") for details in gpus]
    if not gpus:
        remedy = "on Kaggle choose an accelerator; --preset cpu-hour trains an hour on two cores"
        found = [Finding(NOTE, "GPU: none that TensorFlow sees", remedy)]
    elif memory := read_memory():
        found.append(Finding(FINE, f"GPU memory: {memory}"))
    precision = choose_precision("auto")
    half = (
        "the GPU has tensor cores"
        if gpus and precision
        else "the CPU has AVX512_BF16 or AMX"
        if precision
        else ""
    )
    why = half or ("a GPU without tensor cores" if gpus else "a CPU without AVX512_BF16")
    found.append(
        Finding(
            FINE,
            f"half precision: {f'yes, {precision}' if precision else 'no'}, {why} (--mixed auto)",
        )
    )
    for encoder in dict.fromkeys(str(preset["encoder"]) for preset in PRESETS.values()):
        if ENCODERS[encoder].weights:
            found.append(check_weights(encoder, mounts))
    return found


def describe_gpu(details: dict) -> str:
    capability = details.get("compute_capability")
    return details.get("device_name", "unnamed") + (
        f", compute capability {'.'.join(map(str, capability))}" if capability else ""
    )


def read_memory() -> str | None:
    """Memory of each GPU in words, as nvidia-smi says it; None where there is none."""
    try:
        command = ["nvidia-smi", "--query-gpu=memory.total,memory.free", "--format=csv,noheader"]
        lines = subprocess.run(
            command, capture_output=True, text=True, timeout=20, check=True
        ).stdout.split("\n")
    except (OSError, subprocess.SubprocessError):
        return None
    return (
        "; ".join(
            f"{total.strip()}, {free.strip()} of it free"
            for total, _, free in (line.partition(",") for line in lines)
            if free
        )
        or None
    )


def check_weights(encoder: str, mounts: Path) -> Finding:
    """Whether an encoder's ImageNet weights are here."""
    wanted = find_published(encoder)
    try:
        path = find_attached(wanted, mounts)
    except KitError as error:
        return Finding(NOTE, f"weights of {encoder}: {error}")
    if path is not None:
        return Finding(FINE, f"weights of {encoder}: {path}")
    return Finding(
        FINE,
        f"weights of {encoder}: {wanted.name} is not here",
        "without internet --encoder-weights imagenet needs it attached",
    )
