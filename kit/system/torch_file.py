"""Numbers from a file of PyTorch, without PyTorch, in the layout that torch.save had before 1.6.

Such a file is a pickle, and a pickle can run code. This reader admits names of what tensors are
made of, and nothing else.
"""

import io
import pickle
import pickletools
from collections import OrderedDict
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from ..errors import KitError

_MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001
_MOST = 2**40  # numbers in a storage; a larger size would not fit into a read
# The kinds of storage: what their numbers are in the file.
_STORAGES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "?",
}
# The opcodes that such files hold: constants, containers, the memo, names and persistent ids.
_OPCODES = """PROTO STOP MARK NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1 BINUNICODE
EMPTY_DICT EMPTY_LIST EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 APPEND APPENDS SETITEM SETITEMS
BINPUT LONG_BINPUT BINGET LONG_BINGET GLOBAL REDUCE BUILD BINPERSID"""


def read_torch(path: str | Path) -> dict[str, np.ndarray]:
    """Reads the arrays of a file that torch.save wrote of a dict of tensors, by their names.

    Returns:
        Read-only arrays by name.

    Raises:
        KitError: if the file cannot be read, is damaged, or holds anything but numbers.
    """
    try:
        # In memory, so that no length in the file makes a read allocate more than the file holds.
        return _read(io.BytesIO(Path(path).read_bytes()))
    except OSError as error:
        raise KitError(f"{path}: cannot be read: {error.strerror}") from None
    except MemoryError:
        raise
    except Exception as error:  # what a damaged pickle raises depends on the damage
        words = " ".join(str(error).split())[:120] or type(error).__name__
        raise KitError(f"{path}: not a file of weights by PyTorch, or damaged: {words}") from None


class _Tensor(NamedTuple):
    """Where an array lies: in which storage, from which element on, and its sizes and steps."""

    storage: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Unpickler(pickle.Unpickler):
    """Turns the pickle of a dict of tensors into a dict of _Tensor; `kinds` are the storages'."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self.kinds: dict[str, str] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return self._describe_tensor
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        raise ValueError(f"it names {module}.{name}, which is no tensor's")

    def persistent_load(self, pid: Any) -> str:
        word, kind, key, _, _, view = pid
        if word != "storage" or kind not in _STORAGES.values() or view is not None:
            raise ValueError("a storage of an unknown form")
        self.kinds[str(key)] = kind
        return str(key)

    def _describe_tensor(
        self, storage: str, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any
    ) -> _Tensor:
        numbers = [offset, *shape, *strides]
        if storage not in self.kinds or len(shape) != len(strides) or len(shape) > 8:
            raise ValueError("a tensor of an unknown form")
        if not all(type(number) is int and number >= 0 for number in numbers):
            raise ValueError("a tensor of negative size")
        return _Tensor(storage, offset, tuple(shape), tuple(strides))


def _read(file: IO[bytes]) -> dict[str, np.ndarray]:
    """Reads five pickles (magic number, version, machine, tensors, keys), then the storages."""
    if _unpickle(file)[0] != _MAGIC or _unpickle(file)[0] != _VERSION:
        raise ValueError("it is not of torch.save's former layout")
    if _unpickle(file)[0].get("little_endian") is not True:
        raise ValueError("its numbers are not little-endian")
    tensors, kinds = _unpickle(file)
    storages = {}
    for key in _unpickle(file)[0]:
        kind = np.dtype(kinds[key])
        (count,) = np.frombuffer(file.read(8), "<i8")
        whole = file.read(min(max(0, int(count)), _MOST) * kind.itemsize)
        storages[key] = np.frombuffer(whole, kind)
        if len(storages[key]) != count:
            raise ValueError("it is cut off")
    if file.read(1):
        raise ValueError("more bytes follow its numbers")
    return {str(name): _take(tensor, storages) for name, tensor in dict(tensors).items()}


def _unpickle(file: IO[bytes]) -> tuple[Any, dict[str, str]]:
    """Reads one pickle; also returns the kind of each storage that it names."""
    start, legal = file.tell(), set(_OPCODES.split())
    for count, (opcode, argument, _) in enumerate(pickletools.genops(file)):
        if opcode.name not in legal:
            raise ValueError(f"it has the opcode {opcode.name}, which no tensor needs")
        # A C list as long as the largest index is made.
        if "BINPUT" in opcode.name and int(argument or 0) > count:
            raise ValueError("a pickle that asks for too much memory")
    file.seek(start)
    unpickler = _Unpickler(file)
    return unpickler.load(), unpickler.kinds


def _take(tensor: _Tensor, storages: dict[str, np.ndarray]) -> np.ndarray:
    """The array of a tensor, a view of its storage."""
    storage, offset, shape, strides = storages[tensor.storage], *tensor[1:]
    last = offset + sum((side - 1) * step for side, step in zip(shape, strides))
    size = int(np.prod(shape, dtype=object))
    if size > len(storage) or (size and last >= len(storage)):
        raise ValueError("a tensor that is larger than its numbers")
    steps = [step * storage.itemsize for step in strides]
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, steps, writeable=False)
