"""Practice competitions: a folder like the competition's, its tiles cut from synthetic scenes."""

import contextlib
import dataclasses
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ..competition import csv_masks
from ..competition.conventions import AIRBUS, image_path
from ..errors import KitError
from ..masks import dense, table
from ..settings import PracticeSettings
from ..system.files import replacing_folder
from ..system.processes import count_cores
from ..system.progress import bar
from . import drawing
from .scenery import STRIDE, TILE, Scene, Textures, plan

SCENES_CSV = (
    "truth/tiles.csv"  # which tiles were cut from one scene; tests read it, packing does not
)
# Minutes of training on two cores learn it: half of the tiles are empty (by default three in four), ships are larger, there is less land.
EASY: dict = {
    "images": 900,
    "test_images": 40,
    "empty_share": 0.5,
    "clutter": 0.1,
    "ship_area": 1500.0,
}


@dataclass(frozen=True)
class Cut:
    """The tiles that one scene gives: their offsets in px as (x, y)."""

    scene: Scene
    offsets: tuple[tuple[int, int], ...]


def write_practice(out, **settings) -> Path:
    """Writes a competition folder of synthetic tiles to `out` and returns its path; settings: the fields of PracticeSettings.

    The folder holds train_v2/ and test_v2/ (JPEG, RGB, 768x768), the training and sample CSV, truth/tiles.csv (`ImageId,scene,x,y`, the
    offsets in px), truth/test_ship_segmentations_v2.csv and practice.json (the settings). Tiles of a scene lie multiples of 256 px apart
    and overlap; each is encoded on its own, so that shared ground is alike but not equal. Test scenes are not train scenes. From 2
    train tiles on, one train JPEG lacks its last third, as one of the competition's does; its rows are intact. The same settings give
    the same bytes, whatever the number of cores. `out` appears when it is whole. KitError where `out` is there and not an empty folder.
    """
    chosen = PracticeSettings(**settings)
    out = Path(out).absolute()
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise KitError(f"{out}: is there already; remove it first or give another folder")
    if not out.parent.is_dir():
        raise KitError(f"{out}: there is no folder {out.parent}; make it first")
    with replacing_folder(out) as temporary:
        _write_folder(temporary, chosen)
    return out


def _write_folder(folder: Path, settings: PracticeSettings) -> None:
    textures = Textures(settings.seed)
    rng = np.random.default_rng((settings.seed, 3))
    total = settings.images + settings.test_images
    ids = [f"{number:09x}.jpg" for number in _distinct(rng, total)]
    train = choose_tiles(settings, settings.images, textures, 0)
    test = choose_tiles(settings, settings.test_images, textures, train[-1].scene.index + 1)
    for name in (AIRBUS.train_images, AIRBUS.test_images, SCENES_CSV):
        (folder / name).parent.mkdir()

    jobs, place = [], 0
    for part, cuts in ((AIRBUS.train_images, train), (AIRBUS.test_images, test)):
        for cut in cuts:
            jobs.append(((folder / part).parent, cut, ids[place : place + len(cut.offsets)]))
            place += len(cut.offsets)
    found = {}
    with bar(total, "practice", " tiles") as steps:
        for tiles in _in_order(
            lambda job: write_scene(job[0], job[1], job[2], textures, settings), jobs
        ):
            found.update(tiles)
            steps.update(len(tiles))

    lines = [
        f"{name},{cut.scene.index},{x},{y}"
        for _, cut, names in jobs
        for name, (x, y) in zip(names, cut.offsets)
    ]
    (folder / SCENES_CSV).write_text("\n".join(["ImageId,scene,x,y", *sorted(lines)]) + "\n")
    names = sorted(ids[: settings.images]), sorted(ids[settings.images :])
    _write_truth(folder / AIRBUS.truth_csv, [found[name] for name in names[0]])
    _write_truth(
        folder / "truth" / "test_ship_segmentations_v2.csv", [found[name] for name in names[1]]
    )
    sample = [f"{AIRBUS.id_column},{AIRBUS.runs_column}", *(f"{name},1 2" for name in names[1])]
    (folder / AIRBUS.sample_csv).write_text("\n".join(sample) + "\n")
    (folder / "practice.json").write_text(json.dumps(dataclasses.asdict(settings), indent=2) + "\n")
    if settings.images >= 2:
        cut_short = image_path(folder, AIRBUS.train_images, str(rng.choice(names[0])))
        data = cut_short.read_bytes()
        cut_short.write_bytes(data[: len(data) * 2 // 3])


def _distinct(rng, count: int) -> list[int]:
    """Different numbers below 16^9, in random order."""
    found: dict[int, None] = {}
    while len(found) < count:
        found[int(rng.integers(16**9))] = None
    return list(found)


def choose_tiles(
    settings: PracticeSettings, count: int, textures: Textures, first: int
) -> list[Cut]:
    """`count` tiles of scenes from index `first` on, of which round(empty_share * count) have no ship."""
    empty = round(settings.empty_share * count)
    quota = [count - empty, empty]  # still wanted: with ships, without
    goal = [max(1, number) for number in quota]
    cuts, index = (
        [],
        [first + first % 2, first + 1 - first % 2],
    )  # next scene with ships, next without
    while sum(quota):
        kind = 0 if quota[0] and (quota[0] / goal[0] >= quota[1] / goal[1] or not quota[1]) else 1
        scene = plan(settings.seed, index[kind], textures, settings.clutter, settings.ship_area)
        index[kind] += 2
        rng = scene.stream(5)
        labels = scene.labels()
        sites = [
            (x, y)
            for y in range(0, labels.shape[0] - TILE + 1, STRIDE)
            for x in range(0, labels.shape[1] - TILE + 1, STRIDE)
        ]
        wanted = min(
            len(sites),
            int(rng.choice((1, 2, 3, 4, 5, 6, 8), p=(0.07, 0.12, 0.18, 0.2, 0.18, 0.13, 0.12))),
        )
        taken: list[tuple[int, int]] = []
        for x, y in rng.permutation(sites).tolist():
            blank = not labels[y : y + TILE, x : x + TILE].any()
            if len(taken) < wanted and quota[blank]:
                quota[blank] -= 1
                taken.append((x, y))
        if taken:
            cuts.append(Cut(scene, tuple(sorted(taken))))
    return sorted(cuts, key=lambda cut: cut.scene.index)


def _in_order(work: Callable, jobs: list) -> Iterator:
    """Results of work(job), in the order of the jobs, from as many threads as cores; NumPy and the JPEG encoder release the GIL."""
    pool = ThreadPoolExecutor(
        min(8, count_cores())
    )  # a large scene takes some 150 MB while it is drawn
    with contextlib.ExitStack() as stack:
        stack.callback(pool.shutdown, cancel_futures=True)
        yield from pool.map(work, jobs)


def write_scene(
    folder: Path, cut: Cut, names: list[str], textures: Textures, settings: PracticeSettings
) -> list:
    """Draws a scene and writes its tiles; returns (name, Masks of the tile) of each."""
    picture, labels = drawing.draw_scene(cut.scene, textures), cut.scene.labels()
    rng = cut.scene.stream(6)
    found = []
    for name, (x, y) in zip(names, cut.offsets):
        part = slice(y, y + TILE), slice(x, x + TILE)
        quality = int(np.clip(settings.quality + rng.integers(-3, 4), 1, 95))
        Image.fromarray(add_noise(picture[part], rng)).save(folder / name, "JPEG", quality=quality)
        found.append((name, dense.from_labels([name], [labels[part]])))
    return found


def add_noise(tile: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A sensor's noise of -1, 0 or 1 on every value of a uint8 picture, new for every tile."""
    noise = np.frombuffer(rng.bytes(tile.size), np.uint8).reshape(tile.shape)
    return np.clip(tile, 1, 254) + (noise & 1) - ((noise >> 1) & 1)


def _write_truth(path: Path, tiles: list) -> None:
    path.write_bytes(csv_masks.format_csv(table.concatenate(tiles)))
