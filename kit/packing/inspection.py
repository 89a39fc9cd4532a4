"""The inspection pass: every image is read and decoded once, at 1/8 scale; what is found is kept, so that a kill costs seconds."""

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

CHUNK = 128  # images a task


class Inspected(NamedTuple):
    """What is known of one image file; place: of its thumbnail in the cache, -1 where there is none; seal: CRC-32 of that thumbnail."""

    reason: str | None  # why it cannot be used
    height: int = 0
    width: int = 0
    bytes: int = 0
    crc: int = 0
    place: int = -1
    seal: int = 0


@dataclass(frozen=True)
class Thumbnails:
    """uint8 (n, *shape) in a file, read as they are asked for: memory does not grow with their number."""

    path: Path
    places: np.ndarray
    shape: tuple[int, int]

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index) -> np.ndarray:
        places = self.places[index]
        found = np.empty((len(places), *self.shape), np.uint8)
        size = self.shape[0] * self.shape[1]
        with open(self.path, "rb", buffering=0) as file:
            for row, place in zip(found, places):
                if os.preadv(file.fileno(), [row.data], int(place) * size) != size:
                    raise KitError(f"{self.path}: was cut; run the same command again")
        return found


def inspect_images(
    source: Source,
    wanted: dict[str, File],
    folder: Path,
    shape: tuple[int, int] | None,
    workers: int | None = None,
) -> tuple[dict[str, Inspected], Thumbnails]:
    """What was found of each wanted image (by id, in their order), and thumbnails of those that are whole and of `shape` (height, width).

    folder: where what is found is kept; a second call inspects only files that are new there, or have changed. shape: the size for which
    thumbnails are made, None for none. KitError: a full disk, an entry of a zip that was made to do harm.
    """
    folder.mkdir(parents=True, exist_ok=True)
    known = _read_findings(folder, shape, wanted)
    rest = [name for name in wanted if name not in known]
    parts = [rest[start : start + CHUNK] for start in range(0, len(rest), CHUNK)]
    needed, free = len(rest) * _count_pixels(shape), shutil.disk_usage(folder).free
    if needed > free:
        raise KitError(
            f"{folder}: the thumbnails of {len(rest)} images need {needed / 1e6:.1f} MB, {free / 1e6:.1f} MB are free"
        )
    tasks = [(source.path, [wanted[name] for name in part], shape) for part in parts]
    place = 1 + max((finding.place for finding in known.values()), default=-1)
    with (
        open(folder / "thumbnails", "ab") as thumbnails,
        open(folder / "findings.jsonl", "a", encoding="utf-8") as lines,
        progress.bar(len(wanted), "inspect") as bar,
    ):
        lines.write("\n")  # a line that a kill cut ends here
        bar.update(len(known))
        size = _count_pixels(shape)
        thumbnails.truncate(place * size)
        with processes.run_tasks(inspect_files, tasks, workers) as results:
            for number, (findings, pixels) in results:
                thumbnails.write(pixels)
                thumbnails.flush()  # before the lines that speak of them
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
    """Findings of some files, place 0 where there is a thumbnail, and the thumbnails' bytes one after the other."""
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
    """What an earlier run found of files that are still the same; lines and thumbnails that did not reach the disk whole do not count."""
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
                        continue  # a bad image is looked at again: it may have been mended
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
