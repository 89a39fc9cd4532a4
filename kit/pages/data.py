"""The page on the data: folds, objects and scenes of the records, with examples."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from ..competition.images import decode
from ..masks import table
from ..packing.scenes import THUMBNAIL, lay
from ..plots import charts, webp
from ..records.index import Index, open_index
from ..records.manifest import Records
from . import gallery, html
from .html import Page

SCENES, TILES = 12, 24  # the largest scenes that are shown, and the tiles of each
EXAMPLES = 12  # images per object count
PICTURES, SCENE_PICTURES = 8_000_000, 5_000_000  # characters of the examples and of the scenes
BLOCK = 256  # distance of neighboring tiles, px


@dataclass(frozen=True)
class Tile:
    """A tile at its place in a scene, px."""

    name: str
    data: str
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class SceneTiles:
    """The tiles of one scene, as they lie on the ground."""

    number: int
    fold: int
    count: int
    width: int
    height: int
    tiles: list[Tile]


def make_data_page(records: Records, seed: int = 0) -> Page:
    """The page on a folder of records; seed: of the choice of examples."""
    index = open_index(records)
    objects, areas = table.count_objects(index.truth), table.areas(index.truth)
    skipped = records.manifest["skipped"]
    scenes = lay_scenes(index)
    _, counts = count_scenes(index)
    searched = bool(len(counts))
    shared = ("-", "scenes were not searched: folds may leak")
    if searched:
        shared = (f"{counts[counts > 1].sum():,}", "a random split would leak through these")
    edges = np.geomspace(max(1, areas.min(initial=1)), max(2, areas.max(initial=2)) + 1, 30)
    examples = draw_examples(objects, seed)
    return html.render(
        "data.html",
        title=f"Records {records.folder.resolve().name}",
        subtitle=f"{records.competition.name}, {len(index):,} images in {len(records.folds)} folds",
        tiles=[
            ("images", f"{len(index):,}", f"{int((objects == 0).sum()):,} without an object"),
            ("objects", f"{objects.sum():,}", f"at most {objects.max(initial=0)} per image"),
            ("median area", f"{np.median(areas):,.0f} px" if len(areas) else "-", "of an object"),
            ("images that share ground", *shared),
            ("left out", f"{len(skipped):,}", "images that could not be used"),
        ],
        folds=[_describe_fold(index, fold, searched) for fold in records.folds],
        searched=searched,
        counts=charts.draw(
            charts.histogram,
            objects,
            np.arange(objects.max(initial=0) + 2) - 0.5,
            ("objects in an image", "images"),
            title="Objects in an image",
            size=(6, 3.4),
        ),
        areas=charts.draw(
            charts.histogram,
            areas,
            edges,
            ("area of an object, px", "objects"),
            True,
            title="Area of the objects",
            size=(6, 3.4),
        ),
        scenes=scenes,
        scene_note=_note_scenes(index, scenes),
        skipped=skipped[:500],
        skipped_note=f"{len(skipped):,} images" + (", the first 500" if len(skipped) > 500 else ""),
        cards=gallery.fill_one(
            index, examples, PICTURES, lambda place: gallery.make_card(index, place)
        ),
        total=len(index),
    )


def count_scenes(index: Index) -> tuple[np.ndarray, np.ndarray]:
    """The known scenes and their numbers of images, int64 (scenes,); empty if not searched."""
    return np.unique(index.scenes[index.scenes >= 0], return_counts=True)


def _describe_fold(index: Index, fold: int, searched: bool) -> dict[str, int]:
    held = index.folds == fold
    objects = table.count_objects(index.truth)[held]
    scenes = index.scenes[held]
    number = len(np.unique(scenes[scenes >= 0])) + int((scenes < 0).sum())
    row = {
        "fold": fold,
        "images": int(held.sum()),
        "empty": int((objects == 0).sum()),
        "objects": int(objects.sum()),
    }
    return row | ({"scenes": number} if searched else {})


def draw_examples(objects: np.ndarray, seed: int) -> np.ndarray:
    """Places of EXAMPLES random images per object count, int64."""
    rng = np.random.default_rng(seed)
    found = [np.flatnonzero(objects == count) for count in np.unique(objects)]
    return np.concatenate([np.sort(rng.permutation(places)[:EXAMPLES]) for places in found])


def lay_scenes(index: Index) -> list[SceneTiles]:
    """The largest scenes with their tiles at their places; scenes of one tile are left out."""
    numbers, counts = count_scenes(index)
    order = np.argsort(-counts, kind="stable")[:SCENES]
    budget, found = SCENE_PICTURES, list[SceneTiles]()
    for number, count in zip(numbers[order].tolist(), counts[order].tolist()):
        if count < 2:
            break
        places = np.flatnonzero(index.scenes == number)[:TILES]
        files = [decode(str(index.truth.ids[place]), index.read_bytes(place)) for place in places]
        gray = [
            np.asarray(image.convert("L").resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX))
            for image in files
        ]
        tiles = []
        for place, image, (y, x) in zip(
            places.tolist(), files, (BLOCK * lay(np.stack(gray))).tolist()
        ):
            height, width = (int(side) for side in index.truth.shapes[place])
            text = webp.shrink(image, 3)
            budget -= len(text)
            tiles.append(Tile(str(index.truth.ids[place]), text, x, y, width, height))
        if budget < 0:
            break
        right = max(tile.x + tile.width for tile in tiles)
        bottom = max(tile.y + tile.height for tile in tiles)
        found.append(SceneTiles(number, int(index.folds[places[0]]), count, right, bottom, tiles))
    return found


def _note_scenes(index: Index, scenes: list[SceneTiles]) -> str:
    numbers, counts = count_scenes(index)
    if not len(numbers):
        return "Scenes were not searched in these records."
    several = int((counts > 1).sum())
    if not several:
        return "No two images share ground."
    single = len(numbers) - several
    found = f"{several:,} scenes have several tiles, {single:,} have one."
    return f"{found} The {len(scenes)} largest, with tiles as they lie on the ground:"
