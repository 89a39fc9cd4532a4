"""Is this machine ready: one finding per line, each with a verdict and, if needed, a remedy."""

import contextlib
import importlib.metadata
import importlib.util
import io
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..competition.conventions import AIRBUS, Competition
from ..competition.sources import find_source
from ..errors import KitError
from ..system.finding import FINE, NOTE, WRONG, Finding
from ..system.kaggle import MOUNTS, WORKING
from ..system.processes import count_cores
from ..system.variables import check_keras_json, check_variables

PYTHON = (3, 11), (3, 13)
DISTRIBUTION = "runlength-kit"
# The newest version of each package that passed the tests; the oldest is what the kit requires.
NEWEST = {
    "numpy": "2.4",
    "numba": "0.68",
    "pandas": "3.1",
    "scipy": "1.17",
    "scikit-image": "0.26",
    "pillow": "13",
    "tqdm": "4.70",
    "matplotlib": "3.11",
    "jinja2": "3.1",
    "tensorflow": "2.21",
    "segmentation-models": "1.0",
    "tensorflow-datasets": "4.9",
    "scikit-learn": "1.9",
    "simplejpeg": "1.9",
}
# Bytes: with less room or memory than this a training may fail; with less than LEAST no file can be
# made.
ROOM, LEAST, MEMORY = 5e9, 2e8, 4e9


def check_machine(mounts: Path = MOUNTS, competition: Competition = AIRBUS) -> Iterator[Finding]:
    """What a user should know before the first command.

    GPUs, precision and weights are looked at only if TensorFlow is installed and nothing keeps it
    from being loaded.
    """
    yield check_python(sys.version_info[:2])
    yield from check_packages()
    needed = ("tensorflow", "segmentation_models", "tensorflow_datasets")
    state = [*check_variables(), *check_keras_json()]
    yield from state
    if all(importlib.util.find_spec(name) for name in needed) and WRONG not in [
        finding.verdict for finding in state
    ]:
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # the import prints those notes again
                from ..tf.devices import check_devices

            yield from check_devices(mounts)
        except KitError as error:
            yield Finding(WRONG, f"what trains cannot be loaded: {error}")
        except Exception as error:  # packages that do not go together raise errors of any kind
            reason = str(error).partition("\n")[0]
            remedy = "install what is missing; on Kaggle attach all of make wheels"
            yield Finding(WRONG, f"what trains cannot be loaded: {reason}", remedy)
    working = WORKING if WORKING.is_dir() else Path.cwd()
    for folder in dict.fromkeys((working, Path(tempfile.gettempdir()))):
        yield check_disk(folder)
    yield check_memory()
    yield Finding(FINE, f"cores: {count_cores()}")
    yield check_data(mounts, competition)
    yield check_cache()


def check_python(version: tuple[int, ...]) -> Finding:
    """Whether the kit runs on a version of Python, (major, minor)."""
    words = f"Python {'.'.join(map(str, version))}"
    if version < PYTHON[0]:
        return Finding(WRONG, words, "the kit needs 3.11 or newer")
    if version > PYTHON[1]:
        return Finding(NOTE, words, "tested are 3.11 to 3.13")
    return Finding(FINE, words)


def check_packages() -> Iterator[Finding]:
    """The packages that the installed kit requires; those of training alone may be missing."""
    try:
        required = importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        remedy = "pip install . in the kit's folder"
        yield Finding(NOTE, f"{DISTRIBUTION} is not installed: versions are not checked", remedy)
        return
    for text in required:
        found = re.match(r"([\w.-]+)>=([\d.]+)", text)
        _, _, extra = text.partition("extra == ")
        if found and extra[1:-1] in ("", "train"):
            yield check_package(found[1], found[2], WRONG if not extra else NOTE)


def check_package(name: str, oldest: str, wanted: str) -> Finding:
    """The version of one package.

    Args:
        name: of the package.
        oldest: the oldest version that the kit admits.
        wanted: the verdict if the package is missing.
    """
    newest = NEWEST.get(name, "")
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        if wanted == WRONG:
            return Finding(wanted, f"{name} is missing", f"pip install '{name}>={oldest}'")
        remedy = "in the kit's folder: pip install '.[train]'"
        lost = "libjpeg's warnings are not seen" if name == "simplejpeg" else "nothing is trained"
        return Finding(wanted, f"{name} is missing, without which {lost}", remedy)
    words = f"{name} {version}"
    if _read_number(version) < _read_number(oldest):
        remedy = f"the kit needs {oldest} or newer: pip install '{name}>={oldest}'"
        return Finding(WRONG, words, remedy)
    if _read_number(version)[: len(_read_number(newest))] > _read_number(newest):
        return Finding(NOTE, words, f"newer than {newest}, with which the kit was tested last")
    return Finding(FINE, words)


def _read_number(version: str) -> tuple[int, ...]:
    return tuple(int(digits) for digits in re.findall(r"\d+", version.split("+")[0])[:3])


def check_disk(folder: Path) -> Finding:
    """Whether a folder can be written and its disk has room."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Finding(WRONG, f"{folder}: {error.strerror}", "choose another folder to work in")
    if not os.access(folder, os.W_OK):
        return Finding(WRONG, f"{folder} cannot be written", "choose another folder to work in")
    words = f"disk: {free / 1e9:.1f} GB free in {folder}"
    if free >= ROOM:
        return Finding(FINE, words)
    remedy = "make room; kit pack --fit leaves out what does not fit, kit train --keep 0 saves less"
    return Finding(NOTE if free >= LEAST else WRONG, words, remedy)


def check_memory() -> Finding:
    """Whether a training has enough memory, within the limit of a container if there is one."""
    try:
        known = re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    except OSError:
        known = None
    if known is None:
        return Finding(NOTE, "memory: this system does not tell how much is free")
    free = int(known[1]) * 1024
    for names in (
        ("memory.max", "memory.current", "memory.stat"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat"),
    ):
        try:
            limit, used, kinds = ((Path("/sys/fs/cgroup") / name).read_text() for name in names)
            lines = dict(line.split() for line in kinds.splitlines())
            cached = int(lines["inactive_file"])  # given back as soon as it is needed
            free = min(free, int(limit) - int(used) + cached)
        except (OSError, ValueError, KeyError):
            continue
    words = f"memory: {free / 1e9:.1f} GB free"
    if free >= MEMORY:
        return Finding(FINE, words)
    return Finding(NOTE, words, "close other programs, or train with a smaller --batch")


def check_data(mounts: Path, competition: Competition) -> Finding:
    """Whether the competition's data is attached."""
    if not mounts.is_dir():
        remedy = "give the competition's folder or zip, or make one: kit practice"
        return Finding(FINE, f"data: not on Kaggle ({mounts} is missing)", remedy)
    try:
        return Finding(FINE, f"data: {find_source('kaggle', competition, mounts).path}")
    except KitError as error:
        return Finding(NOTE, f"data: {error}")


def check_cache() -> Finding:
    """Whether numba may keep what it compiled."""
    try:
        import numba

        numba.njit(cache=True)(_do_nothing)
    except ImportError as error:
        remedy = "install the version that goes with this numpy"
        return Finding(WRONG, f"numba cannot be loaded: {error}", remedy)
    except RuntimeError:
        words = "numba's cache cannot be written: seconds at every start"
        return Finding(NOTE, words, "set NUMBA_CACHE_DIR to a folder that can be written")
    return Finding(FINE, "numba's cache can be written")


def _do_nothing() -> int:
    return 0
