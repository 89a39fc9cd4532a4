"""Competition folders for benchmarks, and what they are on the disk and in its cache.

The images are the real ones if they lie beside the project, else a practice competition's.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from start import choose

from kit.competition import csv_masks, csv_text
from kit.competition.conventions import AIRBUS
from kit.masks import table
from kit.practice.folder import write_practice

REAL = Path(__file__).resolve().parents[2] / "shared" / "airbus"


def find_competition(folder: Path, images: int) -> Path:
    """The real competition, or a practice competition of so many images, made in `folder` once.

    The smallest size takes a practice competition in any case.
    """
    if choose(REAL.is_dir(), False):
        return REAL
    place = folder / "practice"
    if not place.exists():
        write_practice(place, images=choose(images, 16), test_images=1)
    return place


def is_whole(data: bytes) -> bool:
    """Whether a JPEG has its end."""
    return data.endswith(b"\xff\xd9")


def copy_images(folder: Path, images: int) -> Path:
    """A competition folder of so many training images: copies under new names.

    So their bytes lie elsewhere on the disk. A practice competition stands beside `folder`.
    """
    source = find_competition(folder.parent, 300)
    truth = csv_masks.read_csv(source / AIRBUS.truth_csv)
    files = {name: source / "train_v2" / name for name in truth.ids}
    good = [name for name in truth.ids if is_whole(files[name].read_bytes())]
    out = folder / f"of-{images}"
    (out / "train_v2").mkdir(parents=True)
    chosen = [good[place % len(good)] for place in range(images)]
    rows = table.select_ids(truth, chosen)
    rows.ids[:] = [f"{place:05d}{name}" for place, name in enumerate(chosen)]
    for old, new in zip(chosen, rows.ids):
        shutil.copyfile(files[old], out / "train_v2" / new)
    (out / AIRBUS.truth_csv).write_bytes(csv_text.format_csv(rows))
    sync(out)
    return out


def take_files(folder: Path, place: Path, number: int) -> None:
    """Copies so many whole JPEGs of a competition, test images first; `link_images` links them."""
    found = (path for part in ("test_v2", "train_v2") for path in sorted((place / part).iterdir()))
    folder.mkdir()
    for k, data in enumerate(islice(filter(is_whole, map(Path.read_bytes, found)), number)):
        (folder / f"{k:03d}.jpg").write_bytes(data)


def link_images(out: Path, files: list[Path], images: int) -> Path:
    """A competition folder of so many test images and nothing else: hard links to `files`."""
    if not out.exists():
        (out / "test_v2").mkdir(parents=True)
        names = [f"{number:05d}.jpg" for number in range(images)]
        for number, name in enumerate(names):
            os.link(files[number % len(files)], out / "test_v2" / name)
        lines = ["ImageId,EncodedPixels", *(f"{name},1 2" for name in names), ""]
        (out / AIRBUS.sample_csv).write_text("\n".join(lines))
    return out


def list_all(folder: Path) -> Iterator[Path]:
    """Every file below a folder."""
    return (path for path in folder.rglob("*") if path.is_file())


def sync(folder: Path) -> None:
    """Writes what the folder's file system holds to the disk."""
    subprocess.run(["sync", "-f", str(folder)], check=True)


def warm(folder: Path) -> None:
    """Reads every file, so that the disk's cache has it."""
    for path in list_all(folder):
        path.read_bytes()


def measure_disk(folder: Path) -> int:
    """Bytes of disk that a folder's files take, in whole blocks."""
    return sum(512 * path.stat().st_blocks for path in list_all(folder))
