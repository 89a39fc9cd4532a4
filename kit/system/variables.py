"""Variables of the process and keras.json, on which depends what TensorFlow and Keras compute."""

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import KitError
from .finding import FINE, NOTE, WRONG, Finding

# What the kit needs of them: it is set before TensorFlow and Keras are imported.
PINNED = {"KERAS_BACKEND": "tensorflow", "SM_FRAMEWORK": "tf.keras", "TF_USE_LEGACY_KERAS": "0"}
_LEGACY = ("1", "true", "True")  # what TensorFlow takes for a yes
# Variables that are heeded as they are: what a value must look like, in a pattern and in words, and
# the verdict otherwise. TensorFlow passes over an illegal value without a word; an illegal number
# of threads aborts the process.
_NUMBER = r"\d{1,4}", "a whole number", WRONG
_SWITCH = r"(?i)0|1|true|false", "0 or 1", NOTE
_ANY = r".*", "", FINE
HEEDED = {
    "CUDA_VISIBLE_DEVICES": _ANY,
    "NVIDIA_TF32_OVERRIDE": _ANY,
    "OMP_NUM_THREADS": _ANY,
    "TF_DETERMINISTIC_OPS": _SWITCH,
    "TF_ENABLE_ONEDNN_OPTS": _SWITCH,
    "TF_FORCE_GPU_ALLOW_GROWTH": (r"true|false", "true or false", NOTE),
    "TF_NUM_INTEROP_THREADS": _NUMBER,
    "TF_NUM_INTRAOP_THREADS": _NUMBER,
    "TF_SET_ONEDNN_FPMATH_MODE": _ANY,
    "TF_XLA_FLAGS": _ANY,
    "XLA_FLAGS": _ANY,
}
_MEANING = {
    "OMP_NUM_THREADS": "NumPy follows it; TF_NUM_INTRAOP_THREADS sets TensorFlow's threads",
    "TF_SET_ONEDNN_FPMATH_MODE": "a CPU may compute float32 in it",
}
# What Keras accepts in its file; with anything else, neither it nor TensorFlow can be imported.
_KERAS_JSON = {
    "floatx": ("float16", "float32", "float64"),
    "image_data_format": ("channels_first", "channels_last"),
}


def pin_variables() -> None:
    """Sets PINNED, before TensorFlow and Keras are imported; prints one line for each note.

    Raises:
        KitError: if a variable or keras.json has a value with which the kit cannot work.
    """
    for finding in (*check_variables(), *check_keras_json()):
        if finding.verdict == WRONG:
            raise KitError(f"{finding.text}; {finding.remedy}")
        if finding.verdict == NOTE:
            print(f"kit: {finding.text}; {finding.remedy}")
    os.environ.update(PINNED)


def check_variables() -> Iterator[Finding]:
    """Checks each variable that is set."""
    late = [name for name in ("tensorflow", "keras") if name in sys.modules]
    for name, needed in PINNED.items():
        value, words = os.environ.get(name, ""), f"{name}={os.environ.get(name)}"
        if name == "KERAS_BACKEND" and not value:
            value = str(read_keras_json().get("backend", needed))
            words = f"{find_keras_home() / 'keras.json'}: backend {value}"
        if name == "TF_USE_LEGACY_KERAS":
            value = value if value in _LEGACY else ""
        if value in ("", needed):
            continue
        if late and name != "SM_FRAMEWORK":  # read by now
            remedy = f"set {name}={needed} and start Python again"
            words += f", but the kit needs {needed}, and {late[0]} is imported already"
            yield Finding(WRONG, words, remedy)
        else:
            yield Finding(NOTE, words, f"the kit needs {needed} and sets {name} so in this process")
    for name, (pattern, legal, verdict) in HEEDED.items():
        if name not in os.environ or (not os.environ[name] and name != "CUDA_VISIBLE_DEVICES"):
            continue
        value = os.environ[name]
        if not re.fullmatch(pattern, value):
            remedy = f"set {legal}, or unset it"
            yield Finding(verdict, f"{name}={value}: TensorFlow does not understand it", remedy)
        elif name == "TF_NUM_INTEROP_THREADS" and int(value) > 1:
            remedy = "the kit keeps one, with which equal seeds give equal bytes"
            yield Finding(NOTE, f"{name}={value}", remedy)
        else:
            yield Finding(FINE, f"{name}={value}", _MEANING.get(name, ""))


def list_variables() -> list[str]:
    """The HEEDED variables that are set, as NAME=VALUE."""
    return [f"{name}={os.environ[name]}" for name in HEEDED if name in os.environ]


def find_keras_home() -> Path:
    """The folder in which Keras looks for keras.json and keeps weights."""
    home = os.path.expanduser("~")
    usual = os.path.join(home if os.access(home, os.W_OK) else "/tmp", ".keras")
    return Path(os.path.expanduser(os.environ.get("KERAS_HOME", usual)))


def read_keras_json() -> dict[str, Any]:
    """Reads keras.json; {} if it is missing or, as for Keras, no JSON."""
    try:
        found = json.loads((find_keras_home() / "keras.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def check_keras_json() -> Iterator[Finding]:
    """Checks whether Keras can be imported with its file."""
    path, remedy = find_keras_home() / "keras.json", "mend or remove that file"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        found = {}
    except FileNotFoundError:
        return
    except OSError as error:
        yield Finding(WRONG, f"{path}: {error.strerror}", remedy)
        return
    if not isinstance(found, dict):
        yield Finding(WRONG, f"{path}: not a JSON object", remedy)
        return
    for name, legal in _KERAS_JSON.items():
        if name in found and found[name] not in legal:
            words = f"{path}: {name} is {found[name]!r}, Keras accepts {' or '.join(legal)}"
            yield Finding(WRONG, words, remedy)
    if not isinstance(found.get("epsilon", 0.0), float):
        words = f"{path}: epsilon is {found['epsilon']!r}, Keras accepts a float such as 1e-07"
        yield Finding(WRONG, words, remedy)
