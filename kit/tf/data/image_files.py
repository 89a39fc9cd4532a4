"""Test images, read and decoded before the network asks (tests: tf/inference/test_images.py)."""

import io
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from ...competition.images import JPEG, decode_eighth, look
from ...competition.sources import File, Refused, Unreachable, check
from ...errors import KitError
from ...system.processes import count_cores


class Images(NamedTuple):
    """A batch of images. Bad ones are black, so that the others keep their places in it."""

    places: np.ndarray  # int64 (batch,): which images these are
    pixels: tf.Tensor | None  # uint8 (batch, height, width, 3); None if all are bad
    bad: dict[int, str]  # by place, why the image cannot be used


def read_images(
    read: Callable[[File], bytes],
    files: Sequence[File],
    batches: Sequence[np.ndarray],
    shape: tuple[int, int] | None,
) -> Generator[Images, None, None]:
    """Reads and decodes batches of images ahead of the caller and yields them in order.

    It has one thread per core; one batch more than there are threads is begun ahead. Call it inside
    of images.wary, which only one thread may enter.

    Args:
        read: gives the bytes of a file, see sources.reading.
        files: the files of all images.
        batches: the places of each batch's images.
        shape: (height, width) in px that every image must have. None allows any; then a batch is
            one image.

    Yields:
        The batches.

    Raises:
        KitError: if a file was made to do harm, or is gone or unreadable now and may be readable
            later.
    """
    cores, waiting = count_cores(), deque[Future[Images]]()
    threads = ThreadPoolExecutor(cores)
    try:
        for places in batches:
            waiting.append(threads.submit(_read_batch, read, files, places, shape))
            if len(waiting) > cores + 1:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        threads.shutdown(wait=True, cancel_futures=True)


def _read_batch(
    read: Callable[[File], bytes],
    files: Sequence[File],
    places: np.ndarray,
    shape: tuple[int, int] | None,
) -> Images:
    pixels: list[tf.Tensor | None] = []
    bad: dict[int, str] = {}
    for place in places.tolist():
        try:
            pixels.append(_decode(read, files[place], shape))
        except (Refused, Unreachable):
            raise
        except KitError as error:
            bad[place] = str(error)
            pixels.append(None)
    if len(bad) == len(places):
        return Images(places, None, bad)
    with tf.device("CPU:0"):  # a GPU gets the batch at once
        black = tf.zeros((*shape, 3), tf.uint8) if shape and bad else None
        return Images(
            places, tf.stack([black if image is None else image for image in pixels]), bad
        )


def _decode(read: Callable[[File], bytes], file: File, shape: tuple[int, int] | None) -> tf.Tensor:
    """Decodes a file as training does, to uint8 (height, width, 3).

    Raises:
        KitError: if it is truncated, damaged, of a kind that is not packed, or of another shape.
    """
    data = read(file)
    check(file, data)
    found = look(file.name, io.BytesIO(data))
    if shape is not None and found != shape:
        raise KitError(
            f"{file.name}: is {found[1]} px wide and {found[0]} high, "
            f"the competition's images are {shape[1]} x {shape[0]}"
        )
    decode_eighth(file.name, data)  # TensorFlow is deaf to libjpeg's warnings
    # tf.io.decode_image would ask TensorFlow for the type, which takes 0.3 ms outside of a graph.
    decode = tf.io.decode_jpeg if data.startswith(JPEG) else tf.io.decode_png
    try:
        return decode(data, channels=3)
    except tf.errors.InvalidArgumentError as error:
        raise KitError(
            f"{file.name}: cannot be decoded: {error.message.splitlines()[0][:160]}"
        ) from None
