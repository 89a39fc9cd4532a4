"""A folder, a zip and Kaggle's mounts give the same files; a malicious zip is refused by name."""

import os
import stat
import struct
import zipfile

import pytest

from kit.competition import listing, sources
from kit.competition.conventions import AIRBUS
from kit.competition.sources import Refused, Unreachable
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


@pytest.mark.parametrize("spelled", ["/", "\\"])
@pytest.mark.parametrize(
    "name",
    ["../a.jpg", "train/../../a.jpg", "/etc/passwd", "C:/a.jpg", "C:a.jpg", "//host/a.jpg", ".."],
)
def test_an_entry_that_leaves_the_folder_is_refused_by_name(tmp_path, name, spelled):
    name = name.replace("/", spelled)
    path = pack(tmp_path / "a.zip", [("train/b.jpg", b"x"), (name, b"y")])
    with pytest.raises(Refused) as error:
        sources.find_source(path, AIRBUS)
    said = f"{path}: entry {name!r} would leave its folder; do not use this zip"
    assert str(error.value) == said


def test_an_entry_without_a_legal_name_is_refused(tmp_path):
    path = pack(tmp_path / "a.zip", [("train/P.jpg", b"y")])  # zipfile would not write the name
    path.write_bytes(path.read_bytes().replace(b"train/P.jpg", b"train/P\0jpg"))
    with pytest.raises(Refused, match=r"entry 'train/P\\x00jpg' has no legal name"):
        sources.find_source(path, AIRBUS)


def test_backslashes_in_names_are_folders(tmp_path):
    """PowerShell 5 writes them."""
    folder = fill(tmp_path / "folder")
    entries = [(name.replace("/", "\\"), (folder / name).read_bytes()) for name in NAMES]
    found = sources.find_source(pack(tmp_path / "a.zip", [("empty\\", b""), *entries]), AIRBUS)
    assert set(found.directory) == set(NAMES)
    for pattern in ("train/{id}", "deep/{id}/images/{id}.png"):
        listed = listing.list_images(found, pattern)
        assert list(listed) == list(listing.list_images(sources.Source(folder), pattern))
        for file in listed.values():
            assert sources.read_whole(found, file) == file.name.encode() * 50


@pytest.mark.parametrize("again", ["train\\a.jpg", ".\\train\\a.jpg", "train\\\\a.jpg"])
def test_two_spellings_of_one_name_are_refused(tmp_path, again):
    path = pack(tmp_path / "a.zip", [("train/a.jpg", b"1"), (again, b"2")])
    with pytest.raises(Refused) as error:
        sources.find_source(path, AIRBUS)
    assert f"entry {again!r} appears twice" in str(error.value)


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
    with pytest.raises(
        Refused, match=r"'a\.jpg' is neither stored nor deflated; make the zip again"
    ):
        sources.find_source(
            pack(tmp_path / "lzma.zip", [("a.jpg", b"1")], zipfile.ZIP_LZMA), AIRBUS
        )
    secret = pack(tmp_path / "secret.zip", [("a.jpg", b"1")])
    data = bytearray(secret.read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1  # the flag of a password
    secret.write_bytes(data)
    with pytest.raises(Refused, match=r"entry 'a\.jpg' is encrypted; unpack the zip"):
        sources.find_source(secret, AIRBUS)


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


def test_what_cannot_be_read_is_not_called_missing(tmp_path):
    """A user without the right to read is root here, so other errors of the disk stand for it."""
    folder = fill(tmp_path / "folder")
    (folder / "train" / "loop.jpg").symlink_to("loop.jpg")
    found = sources.find_source(folder, AIRBUS)
    for file in (
        listing.list_images(found, "train/{id}")["loop.jpg"],
        sources.find_file(found, "train/loop.jpg", "the truth"),
    ):
        words = r"^train/loop\.jpg: cannot be read: Too many levels of symbolic links$"
        with pytest.raises(Unreachable, match=words):
            sources.read_whole(found, file)
    with pytest.raises(Unreachable, match=r"x: cannot be read: File name too long$"):
        sources.find_source(tmp_path / ("x" * 300), AIRBUS)


@pytest.mark.parametrize("call", ["scandir", "open"])
def test_a_right_that_is_lacking_is_named(tmp_path, monkeypatch, call):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied", str(tmp_path))

    if call == "open":
        path = pack(tmp_path / "a.zip", [("a.jpg", b"1")])
        monkeypatch.setattr("io.open", refuse)
        with pytest.raises(Unreachable, match=r"a\.zip: cannot be read: Permission denied$"):
            sources.find_source(path, AIRBUS)
    else:
        found = sources.find_source(fill(tmp_path / "folder"), AIRBUS)
        monkeypatch.setattr("os.scandir", refuse)
        with pytest.raises(Unreachable, match="folder/train: cannot be read: Permission denied$"):
            listing.list_images(found, "train/{id}.tif")


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
