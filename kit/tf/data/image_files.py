"""Test images, read and decoded ahead of the network (tests: tf/inference/test_inference.py)."""

import io
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from ...competition.images import look
from ...competition.sources import File, Refused, Unreachable, check
from ...errors import KitError
from ...system.processes import count_cores

JPEG = b"\xff\xd8\xff"


class Images(NamedTuple):
    """A batch, the bad ones among it black, so that the others keep their places in it."""

    places: np.ndarray  # int64 (batch,): which images these are
    pixels: tf.Tensor | None  # uint8 (batch, height, width, 3); None where all are bad
    bad: dict[int, str]  # by place: why it cannot be used


def read_images(
    read: Callable[[File], bytes],
    files: Sequence[File],
    batches: Sequence[np.ndarray],
    shape: tuple[int, int] | None,
) -> Generator[Images, None, None]:
    """The batches of images, in order; one more than there are threads are begun before they are asked for.

    read: see sources.reading; files: of all images; batches: places of the images of each; shape: (height, width) in px that an image
    has to have, None: any, and then a batch is one image. To be used inside of images.wary, which is for one thread to enter. Raises
    KitError for a file that was made to do harm, and for one that is gone or cannot be read now: later it may be.
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
    """uint8 (height, width, 3), as training decodes it; KitError where it is not whole, no RGB image, or of another shape."""
    data = read(file)
    check(file, data)
    found = look(file.name, io.BytesIO(data))
    if shape is not None and found != shape:
        raise KitError(
            f"{file.name}: is {found[1]} px wide and {found[0]} high, the competition's images are {shape[1]} x {shape[0]}"
        )
    decode = (
        tf.io.decode_jpeg if data.startswith(JPEG) else tf.io.decode_png
    )  # decode_image asks TensorFlow: 0.3 ms outside of a graph
    try:
        return decode(data, channels=3)
    except tf.errors.InvalidArgumentError as error:
        raise KitError(
            f"{file.name}: cannot be decoded: {error.message.splitlines()[0][:160]}"
        ) from None
