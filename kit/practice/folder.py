"""Practice competitions: a folder like the competition's, its tiles cut from synthetic scenes."""

import contextlib
import dataclasses
import itertools
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..competition import csv_text
from ..competition.conventions import AIRBUS, image_path
from ..errors import KitError
from ..masks import dense, table
from ..masks.table import Masks
from ..settings import PracticeSettings
from ..system.files import replacing_folder
from ..system.processes import count_cores
from ..system.progress import bar
from . import drawing
from .scenery import STRIDE, TILE, Scene, Textures, plan

SCENES_CSV = "truth/tiles.csv"  # the scene of every tile; tests read it, packing does not
# A training of minutes on two cores learns it: half of the tiles are empty (by default three of
# four), ships are larger, there is less land.
EASY: dict[str, Any] = {
    "images": 900,
    "test_images": 40,
    "empty_share": 0.5,
    "clutter": 0.1,
    "ship_area": 1500.0,
}


@dataclass(frozen=True)
class Cut:
    """The tiles that one scene gives."""

    scene: Scene
    offsets: tuple[tuple[int, int], ...]  # (x, y) of each, px


def write_practice(out: Path | str, **settings: Any) -> Path:
    """Writes a competition folder of synthetic tiles.

    The folder holds train_v2/ and test_v2/ (JPEG, RGB, 768x768), the training and the sample CSV,
    truth/tiles.csv (`ImageId,scene,x,y`, offsets in px), truth/test_ship_segmentations_v2.csv and
    practice.json (the settings). Tiles of a scene lie multiples of 256 px apart and overlap; each
    is encoded by itself, so ground that they share is alike but not equal. Test scenes are not
    train scenes. If there are two train tiles or more, one train JPEG lacks its last third, as one
    of the competition's does; its rows are intact. The same settings give the same bytes, with any
    number of cores.

    Args:
        out: appears when it is whole.
        **settings: the fields of PracticeSettings.

    Returns:
        The path of the folder.

    Raises:
        KitError: if `out` exists and is not an empty folder.
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
    ids = [f"{n:09x}.jpg" for n in _draw_distinct(rng, settings.images + settings.test_images)]
    train = choose_tiles(settings, settings.images, textures, 0)
    test = choose_tiles(settings, settings.test_images, textures, train[-1].scene.index + 1)
    for name in (AIRBUS.train_images, AIRBUS.test_images, SCENES_CSV):
        (folder / name).parent.mkdir()

    unused = iter(ids)
    jobs: list[tuple[Path, Cut, list[str]]] = []
    for pattern, cuts in ((AIRBUS.train_images, train), (AIRBUS.test_images, test)):
        inside = (folder / pattern).parent
        jobs += [(inside, cut, [*itertools.islice(unused, len(cut.offsets))]) for cut in cuts]
    found: dict[str, Masks] = {}
    with bar(len(ids), "practice", " tiles") as steps:
        for tiles in _run_in_order(
            lambda job: write_scene(job[0], job[1], job[2], textures, settings), jobs
        ):
            found.update(tiles)
            steps.update(len(tiles))

    lines = []
    for _, cut, names in jobs:
        pairs = zip(names, cut.offsets)
        lines += [f"{name},{cut.scene.index},{x},{y}" for name, (x, y) in pairs]
    (folder / SCENES_CSV).write_text("\n".join(["ImageId,scene,x,y", *sorted(lines)]) + "\n")
    train_ids, test_ids = sorted(ids[: settings.images]), sorted(ids[settings.images :])
    truths = (AIRBUS.truth_csv, train_ids), ("truth/test_ship_segmentations_v2.csv", test_ids)
    for csv, chosen in truths:
        truth = table.concatenate([found[name] for name in chosen])
        (folder / csv).write_bytes(csv_text.format_csv(truth))
    sample = [f"{AIRBUS.id_column},{AIRBUS.runs_column}", *(f"{name},1 2" for name in test_ids)]
    (folder / AIRBUS.sample_csv).write_text("\n".join(sample) + "\n")
    (folder / "practice.json").write_text(json.dumps(dataclasses.asdict(settings), indent=2) + "\n")
    if settings.images >= 2:
        cut_short = image_path(folder, AIRBUS.train_images, str(rng.choice(train_ids)))
        data = cut_short.read_bytes()
        cut_short.write_bytes(data[: len(data) * 2 // 3])


def _draw_distinct(rng: np.random.Generator, count: int) -> list[int]:
    """Different numbers below 16^9, in random order."""
    found: dict[int, None] = {}
    while len(found) < count:
        found[int(rng.integers(16**9))] = None
    return list(found)


def choose_tiles(
    settings: PracticeSettings, count: int, textures: Textures, first: int
) -> list[Cut]:
    """Chooses tiles of which round(empty_share * count) have no ship.

    Args:
        settings: of the competition.
        count: how many tiles.
        textures: those of the settings' seed.
        first: index of the first scene that may be taken.

    Returns:
        The tiles by scene, ascending.
    """
    empty = round(settings.empty_share * count)
    quota = [count - empty, empty]  # still wanted: with ships, without
    goal = [max(1, number) for number in quota]
    cuts = []
    index = [first + first % 2, first + 1 - first % 2]  # of the next scene with ships, without
    while sum(quota):
        kind = 0 if quota[0] and (quota[0] / goal[0] >= quota[1] / goal[1] or not quota[1]) else 1
        scene = plan(settings.seed, index[kind], textures, settings.clutter, settings.ship_area)
        index[kind] += 2
        rng, labels = scene.stream(5), scene.labels()
        rows, columns = (range(0, side - TILE + 1, STRIDE) for side in scene.shape)
        sites = [(x, y) for y in rows for x in columns]
        share = (0.07, 0.12, 0.18, 0.2, 0.18, 0.13, 0.12)
        wanted = min(len(sites), int(rng.choice((1, 2, 3, 4, 5, 6, 8), p=share)))
        taken: list[tuple[int, int]] = []
        for x, y in rng.permutation(sites).tolist():
            blank = not labels[y : y + TILE, x : x + TILE].any()
            if len(taken) < wanted and quota[blank]:
                quota[blank] -= 1
                taken.append((x, y))
        if taken:
            cuts.append(Cut(scene, tuple(sorted(taken))))
    return sorted(cuts, key=lambda cut: cut.scene.index)


def _run_in_order(work: Callable[[Any], Any], jobs: list[Any]) -> Iterator[Any]:
    """Results of work(job) in the order of the jobs, from as many threads as cores.

    NumPy and the JPEG encoder release the GIL.
    """
    pool = ThreadPoolExecutor(min(8, count_cores()))  # drawing a large scene takes some 150 MB
    with contextlib.ExitStack() as stack:
        stack.callback(pool.shutdown, cancel_futures=True)
        yield from pool.map(work, jobs)


def write_scene(
    folder: Path, cut: Cut, names: list[str], textures: Textures, settings: PracticeSettings
) -> list[tuple[str, Masks]]:
    """Draws a scene and writes its tiles.

    Args:
        folder: where they go.
        cut: the scene and the offsets of its tiles.
        names: a file name for each tile.
        textures: those of the settings' seed.
        settings: of the competition.

    Returns:
        (name, Masks of the tile) for each.
    """
    picture, labels = drawing.draw_scene(cut.scene, textures), cut.scene.labels()
    rng = cut.scene.stream(6)
    found = []
    for name, (x, y) in zip(names, cut.offsets):
        place = slice(y, y + TILE), slice(x, x + TILE)
        quality = int(np.clip(settings.quality + rng.integers(-3, 4), 1, 95))
        tile = Image.fromarray(add_noise(picture[place], rng))
        tile.save(folder / name, "JPEG", quality=quality)
        found.append((name, dense.from_labels([name], [labels[place]])))
    return found


def add_noise(tile: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A sensor's noise of -1, 0 or 1 on every value of a uint8 picture."""
    noise = np.frombuffer(rng.bytes(tile.size), np.uint8).reshape(tile.shape)
    noisy: np.ndarray = np.clip(tile, 1, 254) + (noise & 1) - ((noise >> 1) & 1)
    return noisy
