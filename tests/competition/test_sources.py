"""A folder, a zip and Kaggle's mounts give the same files; a malicious zip is refused by name."""

import os
import stat
import struct
import zipfile

import pytest

from kit.competition import listing, sources
from kit.competition.conventions import AIRBUS
from kit.competition.sources import Refused
from kit.errors import KitError

NAMES = (
    "train/a.png",
    "train/b.png",
    "train/.hidden.png",
    "train/c.jpg",
    "deep/a/images/a.png",
    "deep/b/images/x.png",
)


def fill(folder):
    for name in NAMES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode() * 50)
    return folder


def pack(path, entries, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return path


@pytest.fixture(params=["folder", "stored", "deflated"])
def source(request, tmp_path):
    folder = fill(tmp_path / "folder")
    if request.param == "folder":
        return sources.find_source(folder, AIRBUS)
    method = zipfile.ZIP_STORED if request.param == "stored" else zipfile.ZIP_DEFLATED
    path = pack(
        tmp_path / "all.zip", [(name, (folder / name).read_bytes()) for name in NAMES], method
    )
    return sources.find_source(path, AIRBUS)


def test_images_are_listed_by_the_pattern_of_their_paths(source):
    assert list(listing.list_images(source, "train/{id}")) == ["a.png", "b.png", "c.jpg"]
    assert [file.name for file in listing.list_images(source, "train/{id}.png").values()] == [
        "train/a.png",
        "train/b.png",
    ]
    assert list(listing.list_images(source, "deep/{id}/images/{id}.png")) == [
        "a"
    ]  # b's image has another name
    assert [file.name for file in listing.locate_images(source, "train/{id}.png", ["b", "a"])] == [
        "train/b.png",
        "train/a.png",
    ]
    for pattern in ("nowhere/{id}", "train/{id}.tif"):
        with pytest.raises(KitError, match="holds no image at"):
            listing.list_images(source, pattern)
    with pytest.raises(KitError, match="holds no truth.csv"):
        sources.find_file(source, "truth.csv", "the truth")
    with pytest.raises(KitError, match="not a plain file name"):
        listing.locate_images(source, "train/{id}", ["../deep"])


def test_bytes_come_back(source):
    for name, file in listing.list_images(source, "train/{id}").items():
        assert sources.read_whole(source, file) == f"train/{name}".encode() * 50


def test_a_file_that_is_no_file_is_not_listed(tmp_path):
    folder = fill(tmp_path / "folder")
    os.mkfifo(folder / "train" / "d.jpg")
    (folder / "train" / "e.jpg").mkdir()
    assert list(listing.list_images(sources.find_source(folder, AIRBUS), "train/{id}")) == [
        "a.png",
        "b.png",
        "c.jpg",
    ]


@pytest.mark.parametrize(
    "name", ["../a.jpg", "train/../../a.jpg", "/etc/passwd", "C:/a.jpg", "train\\a.jpg", "a\0.jpg"]
)
def test_an_entry_that_leaves_the_folder_is_refused_by_name(tmp_path, name):
    path = pack(tmp_path / "a.zip", [("train/b.jpg", b"x"), ("train/P.jpg", b"y")])
    hostile = name.encode().ljust(len("train/P.jpg"), b"x")[: max(len(name), 11)]
    if len(hostile) == 11:  # zipfile itself would not write some of these names
        path.write_bytes(path.read_bytes().replace(b"train/P.jpg", hostile))
    else:
        path = pack(tmp_path / "b.zip", [(name, b"y")])
    with pytest.raises(Refused, match="would leave its folder") as error:
        sources.find_source(path, AIRBUS)
    assert repr(name)[1:6] in str(error.value)


def test_links_doubles_and_secrets_are_refused_by_name(tmp_path):
    link = zipfile.ZipInfo("train/link.jpg")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(Refused, match=r"entry 'train/link\.jpg' is a link"):
        sources.find_source(pack(tmp_path / "link.zip", [(link, b"/etc/passwd")]), AIRBUS)
    with pytest.warns(UserWarning, match="Duplicate name"):
        double = pack(tmp_path / "double.zip", [("train/a.jpg", b"1"), ("train/a.jpg", b"2")])
    with pytest.raises(Refused, match=r"entry 'train/a\.jpg' appears twice"):
        sources.find_source(double, AIRBUS)
    with pytest.raises(Refused, match=r"entry 'train/\./a\.jpg' appears twice"):
        sources.find_source(
            pack(tmp_path / "dots.zip", [("train/a.jpg", b"1"), ("train/./a.jpg", b"2")]), AIRBUS
        )
    with pytest.raises(Refused, match="neither stored nor deflated"):
        sources.find_source(
            pack(tmp_path / "lzma.zip", [("a.jpg", b"1")], zipfile.ZIP_LZMA), AIRBUS
        )


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_an_entry_that_inflates_past_its_header_is_refused_by_name(tmp_path, method):
    path = pack(tmp_path / "bomb.zip", [("train/a.jpg", b"\0" * 1_000_000)], method)
    path.write_bytes(
        path.read_bytes().replace(
            struct.pack("<I", 1_000_000) + struct.pack("<H", 11),
            struct.pack("<I", 100) + struct.pack("<H", 11),
        )
    )
    source = sources.find_source(path, AIRBUS)
    file = source.directory["train/a.jpg"]
    assert file.size == 100
    with pytest.raises(Refused, match=r"entry 'train/a\.jpg' inflates past the 100 bytes"):
        sources.read_whole(source, file)


@pytest.mark.parametrize(
    ("offset", "words"),
    [(20, "reaches past the end"), (42, "reaches past the end"), (24, "more than any image")],
)
def test_an_entry_whose_numbers_lie_is_refused(tmp_path, offset, words):
    """Packed size, place and size in the central directory, in turn, say 4 GB."""
    path = pack(tmp_path / "lies.zip", [("train/a.jpg", b"x" * 1000)])
    data = bytearray(path.read_bytes())
    entry = data.index(b"PK\1\2")
    data[entry + offset : entry + offset + 4] = struct.pack("<I", 0xFFFFFFF0)
    path.write_bytes(data)
    with pytest.raises(KitError, match=words):
        source = sources.find_source(path, AIRBUS)
        sources.read_whole(source, source.directory["train/a.jpg"])


def test_zip64_numbers_that_lie_are_refused(tmp_path):
    path = tmp_path / "lies.zip"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("a.jpg", "w", force_zip64=True) as entry,
    ):
        entry.write(b"x" * 1000)
    data = bytearray(path.read_bytes())
    entry = data.index(b"PK\1\2")
    name = data.index(b"a.jpg", entry)
    for number in (2**63, 2**63 - 1, 2**40):
        lie = bytearray(data)
        lie[entry + 20 : entry + 28] = b"\xff" * 8  # both sizes stand in the extra field
        extra = struct.pack("<HHQQ", 1, 16, 1000, number)
        lie[entry + 30 : entry + 32] = struct.pack("<H", len(extra))
        lie[name + 5 : name + 5] = extra
        end = lie.index(b"PK\5\6")
        lie[end + 12 : end + 16] = struct.pack(
            "<I", int.from_bytes(lie[end + 12 : end + 16], "little") + len(extra)
        )
        path.write_bytes(lie)
        with pytest.raises(KitError, match="reaches past the end|cannot be read as a zip"):
            sources.find_source(path, AIRBUS)


def test_a_damaged_entry_is_a_damaged_file_and_no_more(tmp_path):
    path = pack(tmp_path / "a.zip", [("a.jpg", bytes(range(256)) * 40)], zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    data[500] ^= 1
    path.write_bytes(data)
    source = sources.find_source(path, AIRBUS)
    with pytest.raises(KitError, match=r"a\.jpg: the zip is damaged there: its CRC-32") as error:
        sources.read_whole(source, source.directory["a.jpg"])
    assert not isinstance(error.value, Refused)
    with pytest.raises(KitError, match="no entry begins at byte"):
        sources.read_whole(source, source.directory["a.jpg"]._replace(at=7))


@pytest.mark.parametrize("data", [b"", b"PK\5\6", b"no zip at all" * 100])
def test_what_is_no_zip_is_named(tmp_path, data):
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(KitError, match=r"a\.zip: cannot be read as a zip"):
        sources.find_source(tmp_path / "a.zip", AIRBUS)


@pytest.mark.parametrize(
    "place",
    [
        "competitions/airbus-ship-detection",
        "airbus-ship-detection",
        "my-copy",
        "datasets/someone/airbus",
    ],
)
def test_kaggles_mounts_are_found(tmp_path, place):
    for other in ("competitions/another", "weights", "datasets/someone/weights"):
        (tmp_path / other).mkdir(parents=True)
    (tmp_path / place).mkdir(parents=True, exist_ok=True)
    (tmp_path / place / AIRBUS.truth_csv).touch()
    assert sources.find_source("kaggle", AIRBUS, tmp_path).path == tmp_path / place


def test_no_mount_is_an_error_that_lists_where_it_looked(tmp_path):
    (tmp_path / "weights").mkdir()
    with pytest.raises(KitError) as error:
        sources.find_source("kaggle", AIRBUS, tmp_path)
    for place in ("competitions/airbus-ship-detection", "airbus-ship-detection", "weights"):
        assert str(tmp_path / place) in str(error.value)
