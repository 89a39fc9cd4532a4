"""The inspection: every image is read once and decoded at 1/8 scale.

The findings are kept on disk, so that a kill costs seconds only.
"""

import json
import os
import shutil
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..competition import images, sources
from ..competition.sources import File, Refused, Source
from ..errors import KitError
from ..system import processes, progress

CHUNK = 128  # images per task


class Inspected(NamedTuple):
    """What is known of one image file."""

    reason: str | None  # why the image cannot be used; None: it can
    height: int = 0  # px
    width: int = 0  # px
    bytes: int = 0  # size of the file
    crc: int = 0  # CRC-32 of the file
    place: int = -1  # position of the thumbnail in the cache; -1: there is none
    seal: int = 0  # CRC-32 of the thumbnail


@dataclass(frozen=True)
class Thumbnails:
    """Thumbnails in a file, uint8 (n, *shape).

    They are read from the file on demand, so memory does not grow with their number.
    """

    path: Path
    places: np.ndarray  # int64 (n,), positions in the file
    shape: tuple[int, int]  # height, width of one thumbnail, px

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: slice | np.ndarray) -> np.ndarray:
        places = self.places[index]
        found = np.empty((len(places), *self.shape), np.uint8)
        size = self.shape[0] * self.shape[1]
        with open(self.path, "rb", buffering=0) as file:
            for row, place in zip(found, places):
                if os.preadv(file.fileno(), [row.data], int(place) * size) != size:
                    raise KitError(f"{self.path}: was cut short; run the same command again")
        return found


def inspect_images(
    source: Source,
    wanted: dict[str, File],
    folder: Path,
    shape: tuple[int, int] | None,
    workers: int | None = None,
) -> tuple[dict[str, Inspected], Thumbnails]:
    """Inspects the wanted images; a second call reads only files that are new, changed or bad.

    Args:
        source: where the images are.
        wanted: the images' files by id.
        folder: where the findings are kept; it is made if it is missing.
        shape: height and width in px of the images that get a thumbnail; None: no thumbnails.
        workers: worker processes; None: one per core.

    Returns:
        What was found, by id in the order of `wanted`; and the thumbnails of the whole images of
        the given shape, in the same order.

    Raises:
        KitError: if the disk is full, or a zip entry was made to do harm.
    """
    folder.mkdir(parents=True, exist_ok=True)
    known = _read_findings(folder, shape, wanted)
    rest = [name for name in wanted if name not in known]
    parts = [rest[start : start + CHUNK] for start in range(0, len(rest), CHUNK)]
    needed, free = len(rest) * _count_pixels(shape), shutil.disk_usage(folder).free
    if needed > free:
        raise KitError(
            f"{folder}: the thumbnails of {len(rest)} images need {needed / 1e6:.1f} MB, but only "
            f"{free / 1e6:.1f} MB are free; free some space or choose another folder"
        )
    tasks = [(source.path, [wanted[name] for name in part], shape) for part in parts]
    place = 1 + max((finding.place for finding in known.values()), default=-1)
    with (
        open(folder / "thumbnails", "ab") as thumbnails,
        open(folder / "findings.jsonl", "a", encoding="utf-8") as lines,
        progress.bar(len(wanted), "inspect") as bar,
    ):
        lines.write("\n")  # ends a line that a kill cut short
        bar.update(len(known))
        size = _count_pixels(shape)
        thumbnails.truncate(place * size)
        with processes.run_tasks(inspect_files, tasks, workers) as results:
            for number, (findings, pixels) in results:
                thumbnails.write(pixels)
                thumbnails.flush()  # before the lines that refer to them
                for name, finding in zip(parts[number], findings):
                    if finding.place >= 0:
                        finding = finding._replace(place=place)
                        place += 1
                    known[name] = finding
                    lines.write(
                        json.dumps([name, wanted[name].size, wanted[name].stamp, *finding]) + "\n"
                    )
                lines.flush()
                bar.update(len(findings))
    found = {name: known[name] for name in wanted}
    places = np.array([finding.place for finding in found.values() if finding.place >= 0], np.int64)
    return found, Thumbnails(folder / "thumbnails", places, _shrink(shape))


def _shrink(shape: tuple[int, int] | None) -> tuple[int, int]:
    return ((shape[0] + 7) // 8, (shape[1] + 7) // 8) if shape else (0, 0)


def _count_pixels(shape: tuple[int, int] | None) -> int:
    height, width = _shrink(shape)
    return height * width


def inspect_files(
    task: tuple[Path, list[File], tuple[int, int] | None],
) -> tuple[list[Inspected], bytes]:
    """Inspects the files of one task: source, files, shape (see `inspect_images`).

    Returns the findings, with place 0 if there is a thumbnail, and the thumbnails' joined bytes.
    Raises KitError if a zip entry was made to do harm.
    """
    root, files, shape = task
    findings, pixels = [], []
    with sources.reading(root) as read:
        for file in files:
            try:
                data = read(file)
                crc = sources.check(file, data)
                height, width, gray = images.inspect(file.name, data)
            except Refused:
                raise
            except KitError as error:
                findings.append(Inspected(str(error)))
                continue
            finding = Inspected(None, height, width, len(data), crc)
            if (height, width) == shape:
                pixels.append(gray.tobytes())
                finding = finding._replace(place=0, seal=zlib.crc32(pixels[-1]))
            findings.append(finding)
    return findings, b"".join(pixels)


def _read_findings(
    folder: Path, shape: tuple[int, int] | None, wanted: dict[str, File]
) -> dict[str, Inspected]:
    """What an earlier run found of the files that have not changed since.

    Lines and thumbnails that did not reach the disk whole are ignored.
    """
    found: dict[str, Inspected] = {}
    size = _count_pixels(shape)
    try:
        with (
            open(folder / "findings.jsonl", "rb") as lines,
            open(folder / "thumbnails", "rb") as thumbnails,
        ):
            for line in lines:
                try:
                    name, count, stamp, reason, *numbers = json.loads(line)
                    if (
                        (count, stamp) != wanted[name][1:3]
                        or reason is not None
                        or len(numbers) != 6
                    ):
                        continue  # inspect a bad image anew, in case it was repaired
                    finding = Inspected(None, *map(int, numbers))
                    if finding.place >= 0:
                        thumbnails.seek(finding.place * size)
                        pixels = thumbnails.read(size)
                        if len(pixels) != size or zlib.crc32(pixels) != finding.seal:
                            continue
                    elif (finding.height, finding.width) == shape:
                        continue
                except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
                    continue
                found[name] = finding
    except FileNotFoundError:
        return {}
    return found
