"""The images of a competition, found by their paths (tests: competition/test_sources.py)."""

import glob
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..errors import KitError
from .conventions import image_path
from .sources import File, Source, find, find_file, naming


def list_images(source: Source, pattern: str, image_id: str = "{id}") -> dict[str, File]:
    """The images at `pattern` by id, sorted by path; hidden files are skipped.

    Args:
        source: where they are.
        pattern: a path with named parts in braces, such as {id}.
        image_id: the id, made of these parts.

    Raises:
        KitError: if there is no image, or two have the same id.
    """
    one = compile_path(pattern)
    if source.directory is None:
        paths = source.path.glob(_write_glob(pattern))
        names: Iterator[str] = (path.relative_to(source.path).as_posix() for path in paths)
    else:
        names = iter(source.directory)
    found: dict[str, File] = {}
    for name in sorted(names):
        match = one.fullmatch(name)
        if match and not name.rpartition("/")[2].startswith(".") and (file := find(source, name)):
            key = image_id.format(**match.groupdict())
            if key in found:
                raise KitError(f"{source.path}: {found[key].name} and {name} are both image {key}")
            found[key] = file
    if not found:
        folder = source.path / pattern.partition("{")[0].rpartition("/")[0]
        with naming(folder):  # a glob is silent about a folder that cannot be listed
            if source.directory is None and folder.is_dir():
                os.scandir(folder).close()
        raise KitError(
            f"{source.path}: holds no image at {pattern}; is this the right competition?"
        )
    return found


def locate_images(
    source: Source, pattern: str, ids: Iterable[str], image_id: str = "{id}"
) -> list[File]:
    """The images of the given ids, in their order; pattern and image_id as in `list_images`.

    Raises:
        KitError: if an image is missing.
    """
    if image_id == "{id}":
        return [
            find_file(source, image_path(Path(), pattern, name).as_posix(), f"image {name}")
            for name in ids
        ]
    listed, wanted = list_images(source, pattern, image_id), list(ids)
    missing = next((name for name in wanted if name not in listed), None)
    if missing is not None:
        raise KitError(f"{source.path}: holds no image {missing} at {pattern}")
    return [listed[name] for name in wanted]


def compile_path(pattern: str) -> re.Pattern[str]:
    """The regular expression of a path with named parts; {width} and {height} are digits."""
    seen: set[str] = set()

    def write(match: re.Match[str]) -> str:
        name = match[1]
        if name in seen:
            return f"(?P={name})"
        seen.add(name)
        return f"(?P<{name}>{'[0-9]+' if name in ('width', 'height') else '[^/]+'})"

    pieces = re.split(r"(\{\w+\})", pattern)
    return re.compile(
        "".join(
            re.sub(r"\{(\w+)\}", write, piece) if place % 2 else re.escape(piece)
            for place, piece in enumerate(pieces)
        )
    )


def _write_glob(pattern: str) -> str:
    """The path as a glob: a star for each named part, everything else literally."""
    return "".join(
        "*" if place % 2 else glob.escape(piece)
        for place, piece in enumerate(re.split(r"(\{\w+\})", pattern))
    )
