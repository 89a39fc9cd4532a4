"""One crop in the graph: read the file, choose a window from the runs, decode only that window.

Of a JPEG only the window is decoded; of the runs only those in it are drawn.
"""

import numpy as np
import tensorflow as tf

from ...records.index import Index


class IndexTensors:
    """An index as tensors. Call it with an image's place to get its fields in the graph."""

    def __init__(self, index: Index):
        truth = index.truth
        owner = np.repeat(np.arange(len(truth.labels)), np.diff(truth.runs))
        # The first object of each object's image.
        first = np.repeat(truth.objects[:-1], np.diff(truth.objects))
        paths, path = np.unique(index.paths.astype(str), return_inverse=True)
        self.paths, self.path = tf.constant(paths), tf.constant(path)
        self.offsets, self.shapes = tf.constant(index.offsets), tf.constant(truth.shapes)
        self.objects, self.runs = tf.constant(truth.objects), tf.constant(truth.runs)
        self.start, self.length = tf.constant(truth.start), tf.constant(truth.length)
        self.number = tf.constant((owner - first[owner]).astype(np.int32))
        self.in_shards = bool((index.offsets >= 0).any())

    def __call__(self, image) -> dict[str, tf.Tensor]:
        """The fields of an image.

        Returns:
            `height` and `width` in px; `runs` (objects + 1,), where the runs of each object begin;
            `start`, `length` and `number` (which object, from 0) of the runs; `data`, the bytes of
            the image file.
        """
        runs = self.runs[self.objects[image] : self.objects[image + 1] + 1]
        first, last = runs[0], runs[-1]
        return {
            "height": self.shapes[image, 0],
            "width": self.shapes[image, 1],
            "runs": tf.cast(runs - first, tf.int32),
            "start": self.start[first:last],
            "length": self.length[first:last],
            "number": self.number[first:last],
            "data": self.read(image),
        }

    def read(self, image):
        """The bytes of an image, from its file or from the record at its offset."""
        path = self.paths[self.path[image]]
        return _read_record(path, self.offsets[image]) if self.in_shards else tf.io.read_file(path)


def _read_record(path, offset):
    """The image in the record that begins at this byte of a shard.

    It costs no more than reading in order, and TensorFlow compares the record's checksum.
    """
    nothing, one = tf.constant(0, tf.int64), tf.constant(1, tf.int64)
    records = tf.raw_ops.TFRecordDatasetV2(
        filenames=[path], compression_type="", buffer_size=nothing, byte_offsets=[offset]
    )
    records = tf.raw_ops.TakeDataset(
        input_dataset=records, count=one, output_types=[tf.string], output_shapes=[[]]
    )
    record = tf.raw_ops.DatasetToSingleElement(
        dataset=records, output_types=[tf.string], output_shapes=[[]]
    )[0]
    features = {"image": tf.io.FixedLenFeature([], tf.string)}
    return tf.io.parse_single_example(record, features)["image"]


def choose_window(fields, crop: int, around, seed) -> tf.Tensor:
    """Chooses a window at random, around an object or anywhere.

    Around an object: it draws an object, then one of its runs. The middle of that run lies anywhere
    in the window with equal chance, except near the image's border.

    Args:
        fields: what IndexTensors gives for the image.
        crop: side in px; less if the image is smaller.
        around: bool scalar, whether the window lies around an object.
        seed: integer tensor (2,).

    Returns:
        int32 (4,): top, left, height and width.
    """
    draws = tf.random.stateless_uniform([4], seed)
    shape = tf.stack([fields["height"], fields["width"]])
    size = tf.minimum(shape, crop)
    room = shape - size + 1

    def near():
        first, last = tf.unstack(
            tf.gather(fields["runs"], _pick(draws[2], tf.size(fields["runs"]) - 1) + tf.range(2))
        )
        run = first + _pick(draws[3], last - first)
        pixel = fields["start"][run] + fields["length"][run] // 2
        center = tf.stack([pixel % shape[0], pixel // shape[0]])
        return tf.clip_by_value(center - _pick(draws[:2], size), 0, room - 1)

    corner = tf.cond(around, near, lambda: _pick(draws[:2], room))
    return tf.concat([corner, size], 0)


def _pick(draw, count):
    """Scales a draw in [0, 1) to a whole number below `count`."""
    return tf.minimum(tf.cast(draw * tf.cast(count, tf.float32), tf.int32), count - 1)


def decode_image(data, window=None) -> tf.Tensor:
    """Decodes a window of an image, or the whole image (None), to uint8 (height, width, 3).

    Of a JPEG only the window is decoded; a PNG is decoded and cut.
    """

    def read_png():
        image = tf.io.decode_png(data, channels=3)
        if window is None:
            return image
        return image[window[0] : window[0] + window[2], window[1] : window[1] + window[3]]

    def read_jpeg():
        if window is None:
            return tf.io.decode_jpeg(data, channels=3)
        return tf.io.decode_and_crop_jpeg(data, window, channels=3)

    return tf.cond(tf.io.is_jpeg(data), read_jpeg, read_png)


def decode_mask(fields, window=None, numbered: bool = False) -> tf.Tensor:
    """Draws the mask of a window, or of the whole image (None), as uint8 (height, width).

    An object's pixels are 1, or, if numbered, its number from 1 to 255; after 255 it begins again
    at 1. Only runs that reach the window's columns are expanded to pixels. One scatter puts them in
    the order of the window's rows, without a transpose.
    """
    start, length, height = fields["start"], fields["length"], fields["height"]
    number = fields["number"]
    if window is None:
        top, left, high, wide = 0, 0, height, fields["width"]
    else:
        top, left, high, wide = tf.unstack(window)
        reaches = (start // height < left + wide) & ((start + length - 1) // height >= left)
        near = tf.where(reaches)[:, 0]
        start, length, number = (tf.gather(values, near) for values in (start, length, number))
    pixels = tf.ragged.range(start, start + length).flat_values
    row, column = pixels % height - top, pixels // height - left
    places = row * wide + column
    values = (
        tf.repeat(tf.cast(number % 255 + 1, tf.uint8), length)
        if numbered
        else tf.ones_like(places, tf.uint8)
    )
    if window is not None:
        inside = tf.where((row >= 0) & (row < high) & (column >= 0) & (column < wide))[:, 0]
        places, values = tf.gather(places, inside), tf.gather(values, inside)
    # Objects never overlap, so no pixel comes twice.
    mask = tf.scatter_nd(places[:, None], values, (high * wide)[None])
    return tf.reshape(mask, tf.stack([high, wide]))


def shrink_image(data, factor: int) -> tf.Tensor:
    """Decodes a whole image, shrunk: uint8 (height / factor, width / factor, 3), rounded up.

    Each pixel is the mean of an area. The decoder shrinks a JPEG by the largest of 1, 2, 4 and 8
    that divides the factor; averaging does the rest.
    """
    ratio = max(ratio for ratio in (1, 2, 4, 8) if factor % ratio == 0)

    def draft():
        return tf.io.decode_jpeg(data, channels=3, ratio=ratio), factor // ratio

    image, rest = tf.cond(
        tf.io.is_jpeg(data), draft, lambda: (tf.io.decode_png(data, channels=3), factor)
    )
    return average_areas(image, rest)


def average_areas(images, factor) -> tf.Tensor:
    """Shrinks uint8 images (..., height, width, 3) by a factor, sides rounded up.

    Each pixel is the mean of an area.
    """
    size = (tf.shape(images)[-3:-1] + factor - 1) // factor
    return tf.cast(tf.round(tf.image.resize(images, size, "area")), tf.uint8)


def shrink_mask(mask, factor: int) -> tf.Tensor:
    """Shrinks a mask to uint8 (height / factor, width / factor), rounded up.

    Each value is 255 times the share of its area that objects cover.
    """
    size = (tf.shape(mask) + factor - 1) // factor
    covered = tf.image.resize(tf.cast(mask > 0, tf.float32)[..., None], size, "area")[..., 0]
    return tf.cast(tf.round(255 * covered), tf.uint8)
