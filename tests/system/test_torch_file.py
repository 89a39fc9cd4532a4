"""Files of PyTorch are read without PyTorch, and run nothing."""

import io
import pickle
import struct
import sys
import types
from collections import OrderedDict

import numpy as np
import pytest

from kit.errors import KitError
from kit.system.torch_file import read_torch

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
MACHINE = {"protocol_version": VERSION, "little_endian": True, "type_sizes": {"int": 4}}
KINDS = {"<f4": "FloatStorage", "<i8": "LongStorage", "<f2": "HalfStorage"}


class Storage:
    """Numbers of one kind, as a file holds them."""

    def __init__(self, key: str, numbers: np.ndarray):
        self.key, self.numbers = key, numbers


class Tensor:
    """An array in a storage."""

    def __init__(self, storage, offset, shape, strides):
        self.form = storage, offset, shape, strides, False, OrderedDict()

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.form


@pytest.fixture
def torch(monkeypatch) -> None:
    """Modules with the names that a pickle of tensors holds; pickle looks them up as it writes."""
    utils = types.ModuleType("torch._utils")
    exec("def _rebuild_tensor_v2(*_): raise AssertionError", utils.__dict__)
    names = {name: type(name, (), {"__module__": "torch"}) for name in KINDS.values()}
    whole = types.ModuleType("torch")
    whole.__dict__.update(names)
    monkeypatch.setitem(sys.modules, "torch", whole)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)


def pack(value, storages, keys=None, machine=MACHINE) -> bytes:
    """What torch.save wrote before version 1.6."""

    class Pickler(pickle.Pickler):
        def persistent_id(self, item):
            if not isinstance(item, Storage):
                return None
            kind = getattr(sys.modules["torch"], KINDS[item.numbers.dtype.str])
            return "storage", kind, item.key, "cpu", len(item.numbers), None

    file = io.BytesIO()
    for part in (MAGIC, VERSION, machine):
        pickle.dump(part, file, 2)
    Pickler(file, 2).dump(value)
    pickle.dump([each.key for each in storages] if keys is None else keys, file, 2)
    for each in storages:
        file.write(struct.pack("<q", len(each.numbers)) + each.numbers.tobytes())
    return file.getvalue()


@pytest.fixture
def whole(torch) -> bytes:
    """A file of three tensors: one in another order of axes, one of a number, one within."""
    one = Storage("1", np.arange(12, dtype="<f4"))
    two = Storage("2", np.array([7], "<i8"))
    tensors = OrderedDict(
        turned=Tensor(one, 0, (4, 3), (1, 4)),
        count=Tensor(two, 0, (), ()),
        part=Tensor(one, 5, (2,), (3,)),
    )
    tensors._metadata = OrderedDict({"": {"version": 1}})
    return pack(tensors, [one, two])


def test_arrays_come_by_name_in_their_own_order_of_axes(whole, tmp_path):
    (tmp_path / "a.pth").write_bytes(whole)
    found = read_torch(tmp_path / "a.pth")
    assert list(found) == ["turned", "count", "part"]
    assert np.array_equal(found["turned"], np.arange(12).reshape(3, 4).T)
    assert found["count"] == 7 and found["count"].dtype == np.int64 and found["count"].shape == ()
    assert found["part"].tolist() == [5, 8] and found["part"].dtype == np.float32


def refuse(data: bytes, tmp_path, match: str) -> None:
    (tmp_path / "a.pth").write_bytes(data)
    with pytest.raises(KitError, match=f"a.pth: not a file of weights by PyTorch.*{match}") as told:
        read_torch(tmp_path / "a.pth")
    assert "\n" not in str(told.value)


class Harmful:
    """Makes a file as soon as it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("place", range(5))
def test_a_pickle_that_would_run_code_is_refused_and_runs_nothing(torch, tmp_path, place):
    harm = Harmful(tmp_path / "harm")
    parts = [MAGIC, VERSION, MACHINE, {}, []]
    parts[place] = {"a": harm}
    refuse(b"".join(pickle.dumps(part, 2) for part in parts), tmp_path, "")
    assert not (tmp_path / "harm").exists()
    pickle.loads(pickle.dumps(harm, 2)).close()
    assert (tmp_path / "harm").exists()  # it does run where it is let


def test_names_of_anything_but_tensors_are_refused(torch, tmp_path):
    for value, words in (
        (Harmful(""), "it names io.open"),
        (np.float64, "it names numpy.float64"),
        (pickle.loads, "it names pickle.loads"),
    ):
        refuse(pack({"a": value}, []), tmp_path, words)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", "opcode SHORT_BINUNICODE"),
        (b"cos\nsystem\n(S'true'\ntR.", "opcode STRING"),
        (b"(ios\nsystem\n.", "opcode INST"),
        (b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b".", ""),  # a byte array of 2^40 bytes
        (b"\x80\x02Nr" + struct.pack("<I", 2**31) + b".", "too much memory"),
        (b"\x80\x02X" + struct.pack("<I", 2**32 - 1) + b"a.", ""),  # a text of 4 GB
        (b"\x80\x02}}u.", ""),
        (b"\x80\x02N", ""),
    ],
    ids=["stack_global", "string", "inst", "bytes", "memo", "text", "no-mark", "no-stop"],
)
def test_hostile_pickles_are_refused_before_they_are_loaded(torch, tmp_path, code, words):
    front = b"".join(pickle.dumps(part, 2) for part in (MAGIC, VERSION, MACHINE))
    refuse(code, tmp_path, words)
    refuse(front + code + pickle.dumps([], 2), tmp_path, words)


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [
        (0, (13,), (1,)),
        (1, (12,), (1,)),
        (0, (2, 2), (12, 1)),
        (0, (2**40, 2**40), (0, 0)),
        (0, (10**6, 10**6), (0, 0)),
        (-1, (2,), (1,)),
        (0, (2,), (-1,)),
        (0, (-2,), (1,)),
        (0, (2,), ()),
        (0, (1,) * 9, (1,) * 9),
        (0, (1.5,), (1,)),
    ],
)
def test_no_tensor_reaches_beyond_its_storage(torch, tmp_path, offset, shape, strides):
    storage = Storage("1", np.arange(12, dtype="<f4"))
    refuse(
        pack({"a": Tensor(storage, offset, shape, strides)}, [storage]), tmp_path, "a tensor|opcode"
    )


def test_what_is_damaged_or_of_another_form_is_one_line(whole, torch, tmp_path):
    for length in range(0, len(whole), 7):
        refuse(whole[:length], tmp_path, "")
    refuse(whole + b"\0", tmp_path, "more bytes follow")
    storage = Storage("1", np.arange(3, dtype="<f4"))
    tensor = {"a": Tensor(storage, 0, (3,), (1,))}
    refuse(pack(tensor, [storage], machine={"little_endian": False}), tmp_path, "little-endian")
    refuse(pack(tensor, [storage], keys=["2"]), tmp_path, "")
    refuse(pack(tensor, [], keys=[]), tmp_path, "")
    refuse(pack([1, 2], []), tmp_path, "")
    refuse(b"PK\x03\x04" + whole, tmp_path, "")  # the layout since 1.6 is a zip
    cut = pack(tensor, [storage])[:-20] + struct.pack("<q", -1)
    refuse(cut, tmp_path, "")
    with pytest.raises(KitError, match="b.pth: cannot be read: No such file"):
        read_torch(tmp_path / "b.pth")
