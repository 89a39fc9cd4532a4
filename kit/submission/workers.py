"""Worker threads that make masks of probability maps (tests: submission/test_prediction.py)."""

import types
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from ..cuts import Cuts
from ..errors import KitError
from ..masks import table
from ..masks.table import Masks
from ..objects import extraction
from ..system import processes


class Batch(NamedTuple):
    """Some images of one part, by their places among all ids.

    Each is either in `places` or in `bad`.
    """

    places: np.ndarray  # int64 (images,): those with a map
    # Called in a worker thread. Gives their uint8 maps (height, width), and the probability that
    # each holds an object, float32 (images,), or None.
    load: Callable[[], tuple[Sequence[np.ndarray], np.ndarray | None]]
    # Why an image cannot be read, by place; it is predicted blank.
    bad: Mapping[int, str] = types.MappingProxyType({})


Batches = Generator[Batch, None, None]


def extract_masks(
    batches: Batches, ids: Sequence[str], shape: tuple[int, int] | None, cuts: Cuts
) -> Generator[tuple[list[int], Mapping[int, str], Masks], None, None]:
    """Makes the masks of batches in worker threads, while the next batches come.

    At most twice as many batches wait as there are threads, because each holds maps.

    Args:
        batches: maps by place.
        ids: the ids of all images.
        shape: (height, width) that each map must have; None allows any.
        cuts: how maps become masks.

    Yields:
        Places with a map, bad places and masks of each batch, in order.

    Raises:
        KitError: if a map has another shape.
    """
    workers = processes.count_cores()
    threads = ThreadPoolExecutor(workers)
    waiting = deque[tuple[list[int], Mapping[int, str], Future[Masks]]]()
    try:
        for batch in batches:
            future = threads.submit(_extract, batch, ids, shape, cuts)
            waiting.append((batch.places.tolist(), batch.bad, future))
            del batch, future  # else the maps would stay until the next batch has come
            while waiting and (len(waiting) >= 2 * workers or waiting[0][2].done()):
                places, bad, future = waiting.popleft()
                yield places, bad, future.result()
        while waiting:
            places, bad, future = waiting.popleft()
            yield places, bad, future.result()
    finally:
        threads.shutdown(wait=True, cancel_futures=True)


def _extract(batch: Batch, ids: Sequence[str], shape: tuple[int, int] | None, cuts: Cuts) -> Masks:
    if not len(batch.places):
        return table.blank([], [])
    names = [ids[place] for place in batch.places]
    maps, presence = batch.load()
    for name, image in zip(names, maps):
        if shape is not None and image.shape != shape:
            raise KitError(
                f"{name}: its map is {image.shape[1]} x {image.shape[0]} px, "
                f"the submission's are {shape[1]} x {shape[0]}"
            )
    return extraction.find_objects(names, maps, cuts, presence=presence)
