"""The holdout's maps in a model folder, written one by one, so that a kill costs little."""

import contextlib
import csv
import io
import re
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np

from ...errors import KitError
from ...models.folder import find_best_weights, read_config
from ...objects import map_files
from ...objects.map_files import HEADER, PRESENCE_CSV
from ...records.index import Index, open_index
from ...records.manifest import Records, open_records
from ...settings import TuneSettings
from ...system import progress
from ...system.files import explain, write_text
from ...system.locks import hold
from ...system.processes import count_cores
from ...system.seals import digest_file
from ..data.batches import scan
from ..failures import naming_shards
from .ensemble import collect, count_batch, make_mapper
from .load import load_network

SIGNATURE = "source.sha256"
# Names of the files that the kit writes into a folder of maps.
OURS = re.compile(rf"\.png(\.tmp)?$|^({re.escape(PRESENCE_CSV)}|{re.escape(SIGNATURE)})$|\.tmp$")
WAITING = 4  # batches of maps that may wait for the disk


def compute_maps(
    model, records=None, *, tta: int = 1, scale: int = 1, network: keras.Model | None = None
) -> tuple[Path, Index]:
    """Computes the maps of a model's holdout with its best weights.

    Maps of these weights and records that exist already are not computed again. Training leaves
    the maps of the best weights in `maps`.

    Args:
        model: the model folder.
        records: folder of the records; None: where training found them.
        tta, scale: see `make_mapper`. Each choice has its own folder, such as `maps-tta8-scale2`.
        network: your own network, if the training had one.

    Returns:
        The folder of maps, which holds a PNG named by id for each image and presence.csv, and the
        holdout's index.

    Raises:
        KitError: if there is no holdout, the records are not those of the training, or the disk is
            full.
    """
    TuneSettings(tta=tta, scale=scale)  # refuses invalid values
    config, weights = read_config(Path(model)), find_best_weights(Path(model))
    source = open_records(records if records is not None else config["records"])
    if config["fold"] is None:
        raise KitError(
            f"{model}: was trained on all folds, so there is no holdout to tune on; "
            "train with --fold 0"
        )
    if source.sha256 != config["records_sha256"]:
        raise KitError(
            f"{model}: was trained on other records than {source.folder}, "
            "whose holdout it may have seen; give the records of its training"
        )
    index = open_index(source, [config["fold"]])
    folder = Path(model) / "".join(
        ["maps", f"-tta{tta}" if tta > 1 else "", f"-scale{scale}" if scale > 1 else ""]
    )
    batch = count_batch(index)
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise KitError(f"{folder}: is a link or a file, but kit tune keeps maps there; remove it")
    with hold(folder, "kit tune"):
        detects = config["presence"] and "model" not in config["own"]
        lines, done = _take_up(folder, _sign(weights, source), index.truth.ids, detects)
        # Whole batches, as in an undisturbed run: the batch size may change a network's order of
        # summation.
        batches = np.split(np.arange(len(index)), range(batch, len(index), batch))
        todo = np.concatenate(
            [np.arange(0), *(places for places in batches if not done[places].all())]
        )
        if len(todo):
            find = make_mapper(load_network(model, network)[0], tta, scale)
            with (
                naming_shards(index),
                progress.bar(len(todo), folder.name, leave=False) as bar,
                keeping(folder, index.truth.ids, lines) as keep,
            ):
                for places, images, _ in scan(index, batch, places=todo):
                    keep(places.numpy(), *collect([find(images)]))
                    bar.update(len(places))
    return folder, index


@contextlib.contextmanager
def keeping(folder: Path, ids: np.ndarray, lines: int = 0):
    """Gives a function (places, uint8 maps, presence or None) that saves the maps of a batch.

    Worker threads write the PNGs, then a batch's lines are appended to presence.csv. When the block
    ends, all maps are written.

    Args:
        folder: folder of maps.
        ids: ids of all images.
        lines: number of images that presence.csv holds already.

    Raises:
        KitError: if the disk is full.
    """
    waiting: deque[tuple[np.ndarray, np.ndarray | None, list[Future]]] = deque()
    listing = folder / PRESENCE_CSV

    def keep(places, maps, presence):
        # Before the first map: a folder without presence.csv is one of a network without presence.
        if presence is not None and not listing.exists():
            _append(listing, HEADER + "\n")
        writes = [
            threads.submit(_write, folder, ids[place], image) for place, image in zip(places, maps)
        ]
        waiting.append((places, presence, writes))
        if len(waiting) > WAITING:
            finish()

    def finish():
        places, presence, writes = waiting.popleft()
        for write in writes:
            write.result()
        if presence is not None:
            added = (
                f"{_begin_line(ids[place])}{value!r}\n"
                for place, value in zip(places, presence.tolist())
                if place >= lines
            )
            _append(listing, "".join(added))

    with ThreadPoolExecutor(count_cores()) as threads:
        yield keep
        while waiting:
            finish()


def _write(folder: Path, name: str, image: np.ndarray) -> None:
    try:
        map_files.write_map(folder, name, image)
    except OSError as error:
        raise KitError(explain(error, folder / f"{name}.png")) from None


def _append(path: Path, text: str) -> None:
    try:
        with open(path, "a", newline="", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise KitError(explain(error, path)) from None


def _begin_line(name: str) -> str:
    """An image's line of presence.csv up to the value."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow([name, ""])
    return text.getvalue()


def sign_maps(folder: Path, weights: Path, records: Records) -> None:
    """Notes in a folder of maps which weights and records they come from."""
    write_text(folder / SIGNATURE, _sign(weights, records))


def _sign(weights: Path, records: Records) -> str:
    return f"{digest_file(weights)}\n{records.sha256}\n"


def _take_up(
    folder: Path, signature: str, ids: np.ndarray, detects: bool
) -> tuple[int, np.ndarray]:
    """Finds what a folder of maps holds already, and removes maps of other weights or records.

    It also cuts presence.csv after its last whole line, which a kill may leave torn.

    Args:
        folder: folder of maps.
        signature: text of SIGNATURE for the present weights and records.
        ids: ids of all images.
        detects: whether the network has a presence output, so that each map needs its line.

    Returns:
        The number of lines in presence.csv, and which images are done, bool (images,).
    """
    signed = folder / SIGNATURE
    if not signed.is_file() or signed.read_bytes() != signature.encode():
        left = list(folder.iterdir())
        other = next((path for path in left if path.is_dir() or not OURS.search(path.name)), None)
        if other is not None:
            raise KitError(
                f"{other}: was not written by kit tune, and the maps beside it are of other "
                "weights; move it away"
            )
        for path in left:
            path.unlink()
        write_text(signed, signature)
    found = {path.name for path in folder.iterdir()}
    done = np.array([f"{name}.png" in found for name in ids])
    if PRESENCE_CSV not in found:
        return 0, done & (not detects)
    lines = _trim(folder / PRESENCE_CSV, ids)
    return lines, done & (np.arange(len(ids)) < lines)


def _trim(path: Path, ids: np.ndarray) -> int:
    """Cuts presence.csv after the lines that are whole and in order; returns their number."""
    data, lines = path.read_bytes(), 0
    at = len(HEADER) + 1
    if not data.startswith(f"{HEADER}\n".encode()):
        write_text(path, HEADER + "\n")
        return 0
    for name in ids:
        begun = _begin_line(name).encode()
        end = data.find(b"\n", at + len(begun)) + 1
        if not data.startswith(begun, at) or not end:
            break
        at, lines = end, lines + 1
    with open(path, "rb+") as file:
        file.truncate(at)
    return lines
