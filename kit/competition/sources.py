"""Where a competition's files come from: a folder, its zip read in place, or Kaggle's mounts."""

import contextlib
import glob
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from ..errors import KitError
from ..system.kaggle import MOUNTS
from .conventions import Competition, image_path

LARGEST = 2**28  # bytes of one file


class Unreachable(KitError):
    """A file that was listed and that the system does not hand out: nothing is known of what it holds."""


class Refused(KitError):
    """A file that was made to do harm: it stops the work, where a merely damaged one is left out."""


class File(NamedTuple):
    """One file of a source, and how to tell later whether it is still the same."""

    name: str  # path inside the source, with /
    size: int  # bytes
    stamp: int  # in a folder the time of its last change, ns; in a zip its CRC-32
    at: int = -1  # in a zip: where its local header begins
    packed: int = 0  # in a zip: bytes that it takes there
    deflated: bool = False


@dataclass(frozen=True)
class Source:
    """A competition's files; `directory` is None for a folder, and holds the files of a zip by name."""

    path: Path
    directory: dict[str, File] | None = None


def find_source(place, competition: Competition, mounts: Path = MOUNTS) -> Source:
    """A folder, a .zip, or, for the word `kaggle`, the first of Kaggle's mounts that holds the truth CSV; KitError where there is none.

    A zip is refused by the name of an entry that is absolute, leaves the folder, is a link, stands there twice or is encrypted.
    """
    if str(place) == "kaggle":
        return Source(_find_mount(competition, mounts))
    path = Path(place)
    if not path.exists():
        truth = competition.truth_csv or "the truth CSV"
        raise KitError(
            f"{path}: no such folder or zip; give the folder that holds {truth}, or make one: kit practice {path}"
        )
    if path.is_dir():
        return Source(path)
    if not path.is_file():
        raise KitError(f"{path}: is neither a folder nor a zip")
    return Source(path, _read_directory(path))


def _find_mount(competition: Competition, mounts: Path) -> Path:
    truth, slug = competition.need("truth_csv"), competition.kaggle
    named = [mounts / "competitions" / slug, mounts / slug] if slug else []
    others = [
        path
        for pattern in ("competitions/*", "*", "datasets/*/*")
        for path in sorted(mounts.glob(pattern))
        if path.is_dir()
    ]
    for path in (*named, *others):
        if (path / truth).is_file():
            return path
    looked = ", ".join(dict.fromkeys(map(str, (*named, *others, mounts / "datasets" / "*" / "*"))))
    raise KitError(
        f"kaggle: no input holds {truth}; looked in {looked}; attach the competition's data, or give a folder or a zip"
    )


def _read_directory(path: Path) -> dict[str, File]:
    """The files of a zip by name; whatever could reach outside, or is there twice, raises Refused."""
    found: dict[str, File] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            entries, total = archive.infolist(), path.stat().st_size
    except (
        OSError,
        ValueError,
        NotImplementedError,
        EOFError,
        struct.error,
        zipfile.BadZipFile,
    ) as error:
        raise KitError(f"{path}: cannot be read as a zip: {error}") from None
    for entry in entries:
        name = entry.orig_filename
        where = f"{path}: entry {name!r}"
        parts = PurePosixPath(name).parts
        if (
            not name
            or "\\" in name
            or "\0" in name
            or name.startswith("/")
            or ".." in parts
            or re.match("[A-Za-z]:", name)
        ):
            raise Refused(f"{where} would leave its folder; do not use this zip")
        if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise Refused(f"{where} is a link or a device; do not use this zip")
        if name.endswith("/"):
            continue
        name = str(PurePosixPath(name))  # a//b and ./a/b are a/b
        if name in found:
            raise Refused(f"{where} is there twice; do not use this zip")
        if entry.flag_bits & 1 or entry.compress_type not in (
            zipfile.ZIP_STORED,
            zipfile.ZIP_DEFLATED,
        ):
            raise Refused(
                f"{where} is encrypted, or neither stored nor deflated; pack the zip anew"
            )
        if entry.header_offset < 0 or entry.header_offset + 30 + entry.compress_size > total:
            raise Refused(f"{where} reaches past the end of the zip; do not use this zip")
        deflated = entry.compress_type == zipfile.ZIP_DEFLATED
        found[name] = File(
            name, entry.file_size, entry.CRC, entry.header_offset, entry.compress_size, deflated
        )
    return found


def find_file(source: Source, name: str, what: str) -> File:
    """The file `name` of a source; KitError naming `what` it is where it is missing."""
    if source.directory is not None:
        found = source.directory.get(name)
    else:
        found = _describe(source.path / name, name)
    if found is None:
        raise KitError(f"{source.path}: holds no {name} ({what}); is it the competition's?")
    return found


def _describe(path: Path, name: str) -> File | None:
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return File(name, status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None


def list_images(source: Source, pattern: str) -> dict[str, File]:
    """The images at `pattern` (a path with {id} in it) by id, sorted by id; hidden files are passed over. KitError where there is none."""
    parts = [re.escape(part) for part in pattern.split("{id}")]
    one = re.compile(parts[0] + "(?P<id>[^/]+)" + "(?P=id)".join(parts[1:]))
    if source.directory is None:
        paths = source.path.glob("*".join(glob.escape(part) for part in pattern.split("{id}")))
        names: Iterator[str] = (path.relative_to(source.path).as_posix() for path in paths)
    else:
        names = iter(source.directory)
    found = {}
    for name in sorted(names):
        match = one.fullmatch(name)
        file = None
        if match and not name.rpartition("/")[2].startswith("."):
            file = (
                source.directory[name]
                if source.directory is not None
                else _describe(source.path / name, name)
            )
        if match and file:
            found[match["id"]] = file
    if not found:
        raise KitError(f"{source.path}: holds no image at {pattern}; is it the competition's?")
    return found


def locate_images(source: Source, pattern: str, ids) -> list[File]:
    """The images of some ids, in their order; KitError where one is missing."""
    return [
        find_file(source, image_path(Path(), pattern, name).as_posix(), f"image {name}")
        for name in ids
    ]


@contextlib.contextmanager
def reading(path: Path):
    """A function from a File of the source at `path` to its bytes, unchecked but for their number; see `check`."""
    if path.is_dir():
        yield lambda file: _read_file(path, file)
        return
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise KitError(f"{path}: cannot be read: {error.strerror or error}") from None
    try:
        yield lambda file: _read_entry(descriptor, path, file)
    finally:
        os.close(descriptor)


def _bound(file: File) -> None:
    if file.size > LARGEST:
        raise KitError(
            f"{file.name}: has {file.size} bytes, more than any image or CSV of such a competition"
        )


def _read_file(folder: Path, file: File) -> bytes:
    _bound(file)
    try:
        with open(os.path.join(folder, file.name), "rb", buffering=0) as opened:
            return opened.readall()
    except FileNotFoundError:
        raise Unreachable(f"{file.name}: no such file") from None
    except OSError as error:
        raise Unreachable(f"{file.name}: cannot be read: {error.strerror or error}") from None


def _read_entry(descriptor: int, path: Path, file: File) -> bytes:
    """A zip's entry without zipfile, whose directory of 200,000 entries every worker would have to read (and hold in 150 MB)."""
    _bound(file)
    try:
        return _unpack(descriptor, path, file)
    except OSError as error:
        raise Unreachable(
            f"{path}: entry {file.name!r} cannot be read: {error.strerror or error}"
        ) from None


def _unpack(descriptor: int, path: Path, file: File) -> bytes:
    header = os.pread(descriptor, 30, file.at)
    if len(header) < 30 or header[:4] != b"PK\3\4":
        raise KitError(f"{file.name}: the zip is damaged there: no entry begins at byte {file.at}")
    begin = (
        file.at
        + 30
        + int.from_bytes(header[26:28], "little")
        + int.from_bytes(header[28:30], "little")
    )
    data = os.pread(descriptor, file.packed, begin)
    rest = 0
    if file.deflated:
        inflater = zlib.decompressobj(-15)
        try:
            data = inflater.decompress(data, file.size + 1)
        except zlib.error as error:
            raise KitError(f"{file.name}: the zip is damaged there: {error}") from None
        rest = len(inflater.unconsumed_tail)
    if len(data) > file.size or rest:
        raise Refused(
            f"{path}: entry {file.name!r} inflates past the {file.size} bytes that its header says; do not use this zip"
        )
    if len(data) < file.size:
        raise KitError(f"{file.name}: the zip is damaged there: {len(data)} of {file.size} bytes")
    return data


def check(file: File, data: bytes) -> int:
    """CRC-32 of a file's bytes; KitError where a zip says another."""
    found = zlib.crc32(data)
    if file.at >= 0 and found != file.stamp:
        raise KitError(
            f"{file.name}: the zip is damaged there: its CRC-32 is {found:08x}, the zip says {file.stamp:08x}"
        )
    return found


def read_whole(source: Source, file: File) -> bytes:
    """The checked bytes of one file."""
    with reading(source.path) as read:
        data = read(file)
    check(file, data)
    return data
