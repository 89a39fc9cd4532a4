"""Where a competition's files come from: a folder, a zip read in place, or Kaggle's mounts."""

import contextlib
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from ..errors import KitError
from ..system.kaggle import MOUNTS
from .conventions import Competition

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
LARGEST = 2**28  # bytes that one file may have
# What zipfile raises for a damaged zip.
BAD_ZIP = (OSError, ValueError, NotImplementedError, EOFError, struct.error, zipfile.BadZipFile)


class Unreachable(KitError):
    """A listed file that cannot be read, so its contents are unknown."""


class Refused(KitError):
    """A file made to do harm. It stops the work; a merely damaged file is left out."""


class File(NamedTuple):
    """One file of a source, with what tells later whether it is still the same."""

    name: str  # path inside the source, with /
    size: int  # bytes
    stamp: int  # in a folder the time of its last change, ns; in a zip its CRC-32
    at: int = -1  # in a zip: the byte where its local header begins
    packed: int = 0  # in a zip: its compressed size, bytes
    deflated: bool = False


@dataclass(frozen=True)
class Source:
    """A competition's files; `directory` holds a zip's files by name and is None for a folder."""

    path: Path
    directory: dict[str, File] | None = None


@contextlib.contextmanager
def naming(path: Path | str) -> Iterator[None]:
    """A block whose errors of the disk become a KitError that names the path and the cause."""
    try:
        yield
    except OSError as error:
        raise Unreachable(f"{path}: cannot be read: {error.strerror or error}") from None


def find_source(place: Path | str, competition: Competition, mounts: Path = MOUNTS) -> Source:
    """A folder or a zip; for the word `kaggle` the first of Kaggle's mounts with the truth CSV.

    Raises:
        KitError: if there is no such source, or a zip cannot be read.
        Refused: if an entry of a zip has an absolute path, leaves the folder, is a link, appears
            twice or is encrypted.
    """
    if str(place) == "kaggle":
        return Source(_find_mount(competition, mounts))
    path = Path(place)
    with naming(path):
        there, is_folder, is_file = path.exists(), path.is_dir(), path.is_file()
    if not there:
        truth = competition.truth_csv or "the truth CSV"
        raise KitError(
            f"{path}: no such folder or zip; "
            f"give the folder that holds {truth}, or make one: kit practice {path}"
        )
    if is_folder:
        return Source(path)
    if not is_file:
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
        f"kaggle: no input holds {truth}; looked in {looked}; "
        "attach the competition's data, or give a folder or a zip"
    )


def _read_directory(path: Path) -> dict[str, File]:
    """The files of a zip by name; raises Refused if an entry leaves the folder or appears twice."""
    found: dict[str, File] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            entries, total = archive.infolist(), path.stat().st_size
    except BAD_ZIP as error:
        if isinstance(error, OSError) and error.filename:  # it cannot be opened
            raise Unreachable(f"{path}: cannot be read: {error.strerror}") from None
        raise KitError(f"{path}: cannot be read as a zip: {error}; copy it again") from None
    for entry in entries:
        where = f"{path}: entry {entry.orig_filename!r}"
        name = entry.orig_filename.replace("\\", "/")  # PowerShell 5 writes folders that way
        if not name or "\0" in name:
            raise Refused(f"{where} has no legal name; do not use this zip")
        parts = PurePosixPath(name).parts
        if name.startswith("/") or ".." in parts or re.match("[A-Za-z]:", name):
            raise Refused(f"{where} would leave its folder; do not use this zip")
        if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise Refused(f"{where} is a link or a device; do not use this zip")
        if name.endswith("/"):
            continue
        name = str(PurePosixPath(name))  # a//b and ./a/b are a/b
        if name in found:
            raise Refused(f"{where} appears twice; do not use this zip")
        if entry.flag_bits & 1:
            raise Refused(f"{where} is encrypted; unpack the zip and give the folder")
        if entry.compress_type not in METHODS:
            raise Refused(f"{where} is neither stored nor deflated; make the zip again")
        if entry.header_offset < 0 or entry.header_offset + 30 + entry.compress_size > total:
            raise Refused(f"{where} reaches past the end of the zip; do not use this zip")
        deflated = entry.compress_type == zipfile.ZIP_DEFLATED
        found[name] = File(
            name, entry.file_size, entry.CRC, entry.header_offset, entry.compress_size, deflated
        )
    return found


def find_file(source: Source, name: str, what: str) -> File:
    """The file `name` of a source; `what` says in the error what the file is.

    Raises:
        KitError: if the file is missing.
    """
    found = find(source, name)
    if found is None:
        raise KitError(
            f"{source.path}: holds no {name} ({what}); is this the competition's folder or zip?"
        )
    return found


def find(source: Source, name: str) -> File | None:
    """The file `name` of a source; None if it is missing or not a regular file."""
    if source.directory is not None:
        return source.directory.get(name)
    try:
        status = (source.path / name).stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    except OSError:
        return File(name, 0, 0)  # whoever reads it learns why it cannot be read
    return File(name, status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None


@contextlib.contextmanager
def reading(path: Path) -> Iterator[Callable[[File], bytes]]:
    """For a `with` block: a function that reads the bytes of a File of the source at `path`.

    It checks only their number; see `check`.
    """
    if path.is_dir():
        yield lambda file: _read_file(path, file)
        return
    with naming(path):
        descriptor = os.open(path, os.O_RDONLY)
    try:
        yield lambda file: _read_entry(descriptor, path, file)
    finally:
        os.close(descriptor)


def _bound(file: File) -> None:
    if file.size > LARGEST:
        raise KitError(
            f"{file.name}: has {file.size} bytes, more than any image or CSV of a competition"
        )


def _read_file(folder: Path, file: File) -> bytes:
    _bound(file)
    path = os.path.join(folder, file.name)
    with naming(file.name), open(path, "rb", buffering=0) as opened:
        return opened.readall()


def _read_entry(descriptor: int, path: Path, file: File) -> bytes:
    """The bytes of a zip's entry, without zipfile.

    With zipfile every worker would have to read the directory of 200,000 entries and hold it in
    150 MB.
    """
    _bound(file)
    try:
        return _unpack(descriptor, path, file)
    except OSError as error:
        reason = error.strerror or error
        raise Unreachable(f"{path}: entry {file.name!r} cannot be read: {reason}") from None


def _unpack(descriptor: int, path: Path, file: File) -> bytes:
    header = os.pread(descriptor, 30, file.at)
    if len(header) < 30 or header[:4] != b"PK\3\4":
        raise KitError(f"{file.name}: the zip is damaged there: no entry begins at byte {file.at}")
    name, extra = (int.from_bytes(header[k : k + 2], "little") for k in (26, 28))  # their sizes
    data = os.pread(descriptor, file.packed, file.at + 30 + name + extra)
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
            f"{path}: entry {file.name!r} inflates past the {file.size} bytes that its header "
            "states; do not use this zip"
        )
    if len(data) < file.size:
        raise KitError(f"{file.name}: the zip is damaged there: {len(data)} of {file.size} bytes")
    return data


def check(file: File, data: bytes) -> int:
    """CRC-32 of a file's bytes; raises KitError if a zip states another."""
    found = zlib.crc32(data)
    if file.at >= 0 and found != file.stamp:
        raise KitError(
            f"{file.name}: the zip is damaged there: its CRC-32 is {found:08x}, "
            f"the zip states {file.stamp:08x}"
        )
    return found


def read_whole(source: Source, file: File) -> bytes:
    """The checked bytes of one file."""
    with reading(source.path) as read:
        data = read(file)
    check(file, data)
    return data
