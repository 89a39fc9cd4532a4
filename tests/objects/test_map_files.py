import io
import os

import numpy as np
import pytest
from PIL import Image

from kit.errors import KitError
from kit.objects import map_files
from kit.objects.maps import to_uint8

RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 256, (5, 7), np.uint8)


def test_maps_are_read_as_written(tmp_path):
    map_files.write_map(tmp_path, "a.jpg", IMAGE)
    assert np.array_equal(map_files.read_map(tmp_path, "a.jpg", (5, 7)), IMAGE)
    assert sorted(os.listdir(tmp_path)) == ["a.jpg.png"]  # no temporary file stays


@pytest.mark.parametrize("kind", [np.uint8, np.float16, np.float32, np.float64, ">f4", ">f2"])
def test_an_array_counts_as_its_uint8(tmp_path, kind):
    values = IMAGE if kind == np.uint8 else RNG.random((5, 7)).astype(kind)
    np.save(tmp_path / "a.jpg.npy", values)
    assert np.array_equal(
        map_files.read_map(tmp_path, "a.jpg"), values if kind == np.uint8 else to_uint8(values)
    )


def test_what_is_no_map_is_refused(tmp_path):
    map_files.write_map(tmp_path, "a.jpg", IMAGE)
    with pytest.raises(KitError, match=r"shape \(5, 7\), expected \(7, 5\)"):
        map_files.read_map(tmp_path, "a.jpg", (7, 5))
    with pytest.raises(KitError, match="missing"):
        map_files.read_map(tmp_path, "b.jpg", (5, 7))
    for name in ("../a.jpg", "/a.jpg", "a/../../b"):
        with pytest.raises(KitError):
            map_files.read_map(tmp_path, name)
        with pytest.raises(KitError):
            map_files.write_map(tmp_path, name, IMAGE)
    data = (tmp_path / "a.jpg.png").read_bytes()
    for bad in (b"", b"no PNG", data[:40], data[: len(data) - 20]):
        (tmp_path / "a.jpg.png").write_bytes(bad)
        with pytest.raises(KitError, match=r"a\.jpg\.png: cannot be read"):
            map_files.read_map(tmp_path, "a.jpg", (5, 7))
    for place in range(len(data)):
        (tmp_path / "a.jpg.png").write_bytes(
            data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :]
        )
        try:
            assert np.array_equal(map_files.read_map(tmp_path, "a.jpg", (5, 7)), IMAGE), (
                place
            )  # found, or harmless
        except KitError as error:
            assert "a.jpg.png" in str(error)
    for mode in ("RGB", "I;16", "LA", "P"):
        image = (
            Image.fromarray(IMAGE.astype(np.uint16))
            if mode == "I;16"
            else Image.fromarray(IMAGE).convert(mode)
        )
        image.save(tmp_path / "a.jpg.png")
        with pytest.raises(KitError, match="expected 8-bit gray"):
            map_files.read_map(tmp_path, "a.jpg", (5, 7))


def test_nothing_is_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    for name, save in (("a", np.save), ("b", np.savez)):
        data = io.BytesIO()
        save(data, np.array([Trap()], object))
        (tmp_path / f"{name}.npy").write_bytes(data.getvalue())
        with pytest.raises(KitError, match="cannot be read as an array|several arrays"):
            map_files.read_map(tmp_path, name)
    import pickle

    (tmp_path / "c.npy").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(KitError, match="cannot be read as an array"):
        map_files.read_map(tmp_path, "c")
    assert not (tmp_path / "sprung").exists()


def test_damaged_headers_are_refused(tmp_path):
    data = io.BytesIO()
    np.save(data, IMAGE)
    whole = data.getvalue()
    for damaged in (
        b"PK\3\4" + whole,
        whole.replace(b"'shape'", b"'shape\0"),
        whole.replace(b"(", b"(("),
        whole.replace(b"(", b"(9999999999999999999999", 1),
        whole[:30],
    ):
        (tmp_path / "a.npy").write_bytes(damaged)
        with pytest.raises(KitError, match="cannot be read as an array"):
            map_files.read_map(tmp_path, "a")
    (tmp_path / "a.npy").unlink()
    map_files.write_map(tmp_path, "a", IMAGE)
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(whole[:33] + whole[-12:])  # without pixels
    with pytest.raises(KitError, match="cannot be read as a PNG"):
        map_files.read_map(tmp_path, "a")


def test_two_maps_of_one_image_are_an_error(tmp_path):
    map_files.write_map(tmp_path, "a.jpg", IMAGE)
    np.save(tmp_path / "a.jpg.npy", IMAGE)
    with pytest.raises(KitError, match="remove one of the two"):
        map_files.read_map(tmp_path, "a.jpg")


def test_presence_is_read_and_what_is_wrong_is_named_by_its_row(tmp_path):
    assert map_files.read_presence(tmp_path) == {}
    path = tmp_path / "presence.csv"
    path.write_text('ImageId,presence\na.jpg,0.25\n"b,""c",1\n')
    assert map_files.read_presence(tmp_path) == {"a.jpg": 0.25, 'b,"c': 1.0}
    for row in ("c.jpg,nan", "c.jpg,1.5", "c.jpg", "c.jpg,0.1,2", "a.jpg,0.5", "c.jpg,x"):
        path.write_text(f"ImageId,presence\na.jpg,0.25\n{row}\n")
        with pytest.raises(KitError, match=r"presence\.csv"):
            map_files.read_presence(tmp_path)
    path.write_text("image,presence\n")
    with pytest.raises(KitError, match="has no column ImageId"):
        map_files.read_presence(tmp_path)
    path.write_bytes(b"ImageId,presence\n\xff\n")
    with pytest.raises(KitError, match="row 2: not UTF-8 text"):
        map_files.read_presence(tmp_path)


def test_an_average_is_rounded_in_integers():
    first, second, third = (np.array([[value]], np.uint8) for value in (0, 1, 255))
    assert map_files.average([first, second]).tolist() == [[1]]  # a half goes up
    assert map_files.average([first, first, second]).tolist() == [[0]]
    assert (
        map_files.average([third] * 40).tolist() == [[255]]
        and map_files.average([third] * 40).dtype == np.uint8
    )
    many = [RNG.integers(0, 256, (4, 4), np.uint8) for _ in range(7)]
    assert np.array_equal(
        map_files.average(many), np.floor(np.mean(many, axis=0, dtype=float) + 0.5 + 1e-9)
    )
