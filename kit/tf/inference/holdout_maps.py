"""The holdout's maps of a model folder, as training leaves them and tuning computes them: one by one, so that a kill costs little."""

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
from .ensemble import collect, count_batch, make_mapper
from .load import load_model

SIGNATURE = "source.sha256"
OURS = re.compile(
    rf"\.png(\.tmp)?$|^({re.escape(PRESENCE_CSV)}|{re.escape(SIGNATURE)})$|\.tmp$"
)  # names of files in a folder of maps
WAITING = 4  # batches of maps that may wait for the disk


def compute_maps(
    model, records=None, *, tta: int = 1, scale: int = 1, network: keras.Model | None = None
) -> tuple[Path, Index]:
    """The holdout's maps of a model folder: the folder of maps in it (PNG, named by image id; presence.csv), and the holdout's index.

    tta, scale: see make_mapper; each choice has a folder of its own, `maps` or such as `maps-tta8-scale2`. records: where they are now;
    network: your own, where the training had one. Training leaves those of the best weights in `maps`. What is there already, of these
    weights and records, is not computed again. Raises KitError where there is no holdout, and on a full disk.
    """
    TuneSettings(tta=tta, scale=scale)  # refuses what cannot be
    config, weights = read_config(Path(model)), find_best_weights(Path(model))
    source = open_records(records if records is not None else config["records"])
    if config["fold"] is None:
        raise KitError(
            f"{model}: was trained on all folds, so there is no holdout to tune on; train with --fold 0 or so"
        )
    if source.sha256 != config["records_sha256"]:
        raise KitError(
            f"{model}: was trained on other records than {source.folder}, whose holdout it may have seen; give its own"
        )
    index = open_index(source, [config["fold"]])
    folder = Path(model) / "".join(
        ["maps", f"-tta{tta}" if tta > 1 else "", f"-scale{scale}" if scale > 1 else ""]
    )
    batch = count_batch(index)
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise KitError(f"{folder}: is a link or a file, where kit tune keeps maps; remove it")
    with hold(folder, "kit tune"):
        detects = config["presence"] and "model" not in config["own"]
        lines, done = _take_up(folder, _sign(weights, source), index.truth.ids, detects)
        # Whole batches, as in an undisturbed run: a network may sum in another order in a batch of another size.
        parts = np.split(np.arange(len(index)), range(batch, len(index), batch))
        todo = np.concatenate([np.arange(0), *(part for part in parts if not done[part].all())])
        if len(todo):
            find = make_mapper(load_model(model, network)[0], tta, scale)
            with (
                progress.bar(len(todo), folder.name, leave=False) as bar,
                keeping(folder, index.truth.ids, lines) as keep,
            ):
                for places, images, _ in scan(index, batch, places=todo):
                    keep(places.numpy(), *collect([find(images)]))
                    bar.update(len(places))
    return folder, index


@contextlib.contextmanager
def keeping(folder: Path, ids: np.ndarray, lines: int = 0):
    """A function (places, uint8 maps, presence or None) that leaves the maps of a batch in a folder; after the block all are there.

    ids: of all images; lines: how many of them presence.csv holds already. Worker threads write the PNGs, a batch's lines of presence.csv
    follow them. Raises KitError on a full disk.
    """
    waiting: deque[tuple[np.ndarray, np.ndarray | None, list[Future]]] = deque()
    listing = folder / PRESENCE_CSV

    def keep(places, maps, presence):
        if (
            presence is not None and not listing.exists()
        ):  # before the first map: where it is missing, a map is all that there will be
            _append(listing, HEADER + "\n")
        waiting.append(
            (
                places,
                presence,
                [
                    threads.submit(_write, folder, ids[place], image)
                    for place, image in zip(places, maps)
                ],
            )
        )
        if len(waiting) > WAITING:
            finish()

    def finish():
        places, presence, writes = waiting.popleft()
        for write in writes:
            write.result()
        if presence is not None:
            pairs = zip(places, presence.tolist())
            _append(
                listing,
                "".join(
                    f"{_begin_line(ids[place])}{value!r}\n"
                    for place, value in pairs
                    if place >= lines
                ),
            )

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
    """An image's line in presence.csv up to the value."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow([name, ""])
    return text.getvalue()


def sign_maps(folder: Path, weights: Path, records: Records) -> None:
    """Notes in a folder of maps from which weights and records they come."""
    write_text(folder / SIGNATURE, _sign(weights, records))


def _sign(weights: Path, records: Records) -> str:
    return f"{digest_file(weights)}\n{records.sha256}\n"


def _take_up(
    folder: Path, signature: str, ids: np.ndarray, detects: bool
) -> tuple[int, np.ndarray]:
    """Lines that presence.csv of a folder of maps holds, and which images are done, bool (images,); detects: there has to be one.

    Maps from another source are removed, and so is what a kill left behind the last whole line.
    """
    signed = folder / SIGNATURE
    if not signed.is_file() or signed.read_bytes() != signature.encode():
        left = list(folder.iterdir())
        other = next((path for path in left if path.is_dir() or not OURS.search(path.name)), None)
        if other is not None:
            raise KitError(
                f"{other}: is nothing that kit tune writes, and the maps beside it are of other weights; move it away"
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
    """Cuts presence.csv behind the lines that are whole and in order; returns how many."""
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
