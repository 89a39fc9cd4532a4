"""Is this machine ready: one finding a line, each with a verdict and, where it needs one, a remedy."""

import importlib.metadata
import importlib.util
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

PYTHON = (3, 11), (3, 13)
# Of each package the oldest version that setup.cfg admits, and the newest that passed the tests.
CORE = {
    "numpy": ("2.0", "2.4"),
    "numba": ("0.60", "0.68"),
    "pandas": ("2.2", "3.1"),
    "scipy": ("1.13", "1.17"),
    "scikit-image": ("0.25", "0.26"),
    "pillow": ("10", "13"),
    "tqdm": ("4.66", "4.70"),
    "matplotlib": ("3.9", "3.11"),
    "jinja2": ("3.1", "3.1"),
}
TRAIN = {
    "tensorflow": ("2.20", "2.21"),
    "segmentation-models": ("1.0.1", "1.0"),
    "tensorflow-datasets": ("4.9.9", "4.9"),
    "scikit-learn": ("1.6", "1.9"),
}
ROOM, LEAST, MEMORY = (
    5e9,
    2e8,
    4e9,
)  # bytes: below the first and the last a training may fail, below LEAST nothing can be made


def check_machine(mounts: Path = MOUNTS, competition: Competition = AIRBUS) -> Iterator[Finding]:
    """What a user should know before the first command; GPUs, precision and weights only where TensorFlow is."""
    yield check_python(sys.version_info[:2])
    yield from (check_package(name, *span, wanted=WRONG) for name, span in CORE.items())
    yield from (check_package(name, *span, wanted=NOTE) for name, span in TRAIN.items())
    if all(
        importlib.util.find_spec(name)
        for name in ("tensorflow", "segmentation_models", "tensorflow_datasets")
    ):
        try:
            from ..tf.devices import check_devices

            yield from check_devices(mounts)
        except Exception as error:  # of packages that do not go together, of any kind
            reason = str(error).partition("\n")[0]
            yield Finding(
                WRONG,
                f"what trains cannot be loaded: {reason}",
                "install what is missing; on Kaggle attach all of make wheels",
            )
    for folder in dict.fromkeys(
        (WORKING if WORKING.is_dir() else Path.cwd(), Path(tempfile.gettempdir()))
    ):
        yield check_disk(folder)
    yield from (
        check_memory(),
        Finding(FINE, f"cores: {count_cores()}"),
        check_data(mounts, competition),
        check_cache(),
    )


def check_python(version: tuple[int, ...]) -> Finding:
    words = ".".join(map(str, version))
    if version < PYTHON[0]:
        return Finding(WRONG, f"Python {words}", "the kit needs 3.11 or newer")
    return (
        Finding(FINE, f"Python {words}")
        if version <= PYTHON[1]
        else Finding(NOTE, f"Python {words}", "tested are 3.11 to 3.13")
    )


def check_package(name: str, oldest: str, newest: str, wanted: str) -> Finding:
    """wanted: the verdict where it is missing."""
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        remedy = (
            "in the kit's folder: pip install '.[train]'"
            if wanted == NOTE
            else f"pip install '{name}>={oldest}'"
        )
        return Finding(
            wanted,
            f"{name} is missing" + (", without which nothing is trained" if wanted == NOTE else ""),
            remedy,
        )
    if _number(version) < _number(oldest):
        return Finding(
            WRONG,
            f"{name} {version}",
            f"the kit needs {oldest} or newer: pip install '{name}>={oldest}'",
        )
    if _number(version)[: len(_number(newest))] > _number(newest):
        return Finding(
            NOTE, f"{name} {version}", f"newer than {newest}, with which the kit was tested last"
        )
    return Finding(FINE, f"{name} {version}")


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.split("+")[0])[:3])


def check_disk(folder: Path) -> Finding:
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Finding(WRONG, f"{folder}: {error.strerror}", "choose another folder to work in")
    if not os.access(folder, os.W_OK):
        return Finding(WRONG, f"{folder} cannot be written", "choose another folder to work in")
    verdict = FINE if free >= ROOM else NOTE if free >= LEAST else WRONG
    remedy = (
        ""
        if verdict == FINE
        else "make room; kit pack --fit leaves out what does not fit, kit train --keep 0 saves less"
    )
    return Finding(verdict, f"disk: {free / 1e9:.1f} GB free in {folder}", remedy)


def check_memory() -> Finding:
    try:
        free = (
            int(re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text()).group(1))
            * 1024
        )  # type: ignore[union-attr]
    except (OSError, AttributeError):
        return Finding(NOTE, "memory: this system does not say how much is free")
    for names in (
        ("memory.max", "memory.current", "memory.stat"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat"),
    ):
        try:
            limit, used, kinds = ((Path("/sys/fs/cgroup") / name).read_text() for name in names)
            cached = int(
                dict(line.split() for line in kinds.splitlines())["inactive_file"]
            )  # given back as soon as it is needed
            free = min(free, int(limit) - int(used) + cached)
        except (OSError, ValueError, KeyError):
            continue
    text = f"memory: {free / 1e9:.1f} GB free"
    return (
        Finding(FINE, text)
        if free >= MEMORY
        else Finding(NOTE, text, "close other programs, or train with a smaller --batch")
    )


def check_data(mounts: Path, competition: Competition) -> Finding:
    """Whether the competition's data is attached."""
    if not mounts.is_dir():
        return Finding(
            FINE,
            f"data: not on Kaggle ({mounts} is missing)",
            "give the competition's folder or zip, or make one: kit practice",
        )
    try:
        return Finding(FINE, f"data: {find_source('kaggle', competition, mounts).path}")
    except KitError as error:
        return Finding(NOTE, f"data: {error}")


def check_cache() -> Finding:
    """Whether numba may keep what it compiled."""
    try:
        import numba

        numba.njit(cache=True)(_nothing)
    except ImportError as error:
        return Finding(
            WRONG,
            f"numba cannot be loaded: {error}",
            "install the version that goes with this numpy",
        )
    except RuntimeError:
        return Finding(
            NOTE,
            "numba's cache cannot be written: seconds at every start",
            "set NUMBA_CACHE_DIR to a folder that can be",
        )
    return Finding(FINE, "numba's cache can be written")


def _nothing():
    return 0
