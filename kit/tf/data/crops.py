"""One crop in the graph: read the file, choose a window from the runs, decode only that part of the JPEG, draw only the runs there."""

import numpy as np
import tensorflow as tf

from ...records.index import Index


class IndexTensors:
    """An index as tensors; calling it with an image's place gives its fields in the graph."""

    def __init__(self, index: Index):
        truth = index.truth
        owner = np.repeat(np.arange(len(truth.labels)), np.diff(truth.runs))
        first = np.repeat(
            truth.objects[:-1], np.diff(truth.objects)
        )  # first object of each object's image
        self.paths, self.path = (
            tf.constant(part) for part in np.unique(index.paths.astype(str), return_inverse=True)
        )
        self.offsets, self.shapes = tf.constant(index.offsets), tf.constant(truth.shapes)
        self.objects, self.runs = tf.constant(truth.objects), tf.constant(truth.runs)
        self.start, self.length = tf.constant(truth.start), tf.constant(truth.length)
        self.number = tf.constant((owner - first[owner]).astype(np.int32))
        self.in_shards = bool((index.offsets >= 0).any())

    def __call__(self, image) -> dict[str, tf.Tensor]:
        """Height and width in px, `runs` (objects + 1,): where the runs of each object begin, `start`, `length` and `number` (which object,
        from 0) of the runs, and `data`, the image file's bytes."""
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
        """The bytes of an image file, or of the image in the record that begins at its offset."""
        path = self.paths[self.path[image]]
        return _read_record(path, self.offsets[image]) if self.in_shards else tf.io.read_file(path)


def _read_record(path, offset):
    """The image in the record that begins at a byte of a shard; as cheap as reading in order, and its checksum is compared."""
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
    return tf.io.parse_single_example(record, {"image": tf.io.FixedLenFeature([], tf.string)})[
        "image"
    ]


def choose_window(fields, crop: int, around, seed) -> tf.Tensor:
    """A window of `crop` px a side (less where the image is smaller): around a run of an object drawn at random, or anywhere.

    That object's pixel lies anywhere in the window, with equal chance but for the image's border.
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
    """A whole number below `count` from a number in [0, 1)."""
    return tf.minimum(tf.cast(draw * tf.cast(count, tf.float32), tf.int32), count - 1)


def decode_image(data, window=None) -> tf.Tensor:
    """uint8 (height, width, 3) of a window, None for the whole image; of a JPEG only that part is decoded, a PNG is decoded and cut."""

    def read_png():
        image = tf.io.decode_png(data, channels=3)
        return (
            image
            if window is None
            else image[window[0] : window[0] + window[2], window[1] : window[1] + window[3]]
        )

    def read_jpeg():
        return (
            tf.io.decode_jpeg(data, channels=3)
            if window is None
            else tf.io.decode_and_crop_jpeg(data, window, channels=3)
        )

    return tf.cond(tf.io.is_jpeg(data), read_jpeg, read_png)


def decode_mask(fields, window=None, numbered: bool = False) -> tf.Tensor:
    """uint8 (height, width) of a window, None for the whole image: 1 where an object is, or, numbered, 1 to 255 by object (more than 255
    begin again at 1).

    Only runs in the window's columns are expanded: pixel by pixel, in the order of the window's rows, one scatter (no transpose).
    """
    start, length, height, number = (
        fields["start"],
        fields["length"],
        fields["height"],
        fields["number"],
    )
    if window is None:
        top, left, high, wide = 0, 0, height, fields["width"]
    else:
        top, left, high, wide = tf.unstack(window)
        near = tf.where((start // height < left + wide) & ((start + length - 1) // height >= left))[
            :, 0
        ]
        start, length, number = (
            tf.gather(start, near),
            tf.gather(length, near),
            tf.gather(number, near),
        )
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
    mask = tf.scatter_nd(
        places[:, None], values, (high * wide)[None]
    )  # objects never overlap: no pixel twice
    return tf.reshape(mask, tf.stack([high, wide]))


def shrink_image(data, factor: int) -> tf.Tensor:
    """uint8 (height / factor, width / factor, 3), rounded up: the whole image, each pixel the mean of an area.

    A JPEG is decoded at the largest of 1/2, 1/4 and 1/8 scale that divides the factor; what is left is averaged.
    """
    ratio = max(part for part in (1, 2, 4, 8) if factor % part == 0)

    def draft():
        return tf.io.decode_jpeg(data, channels=3, ratio=ratio), factor // ratio

    image, rest = tf.cond(
        tf.io.is_jpeg(data), draft, lambda: (tf.io.decode_png(data, channels=3), factor)
    )
    return average_areas(image, rest)


def average_areas(images, factor) -> tf.Tensor:
    """uint8 images (..., height, width, 3), shrunk by a factor, sides rounded up: each pixel the mean of an area."""
    size = (tf.shape(images)[-3:-1] + factor - 1) // factor
    return tf.cast(tf.round(tf.image.resize(images, size, "area")), tf.uint8)


def shrink_mask(mask, factor: int) -> tf.Tensor:
    """uint8 (height / factor, width / factor), rounded up: 255 times the share of each area that objects cover."""
    size = (tf.shape(mask) + factor - 1) // factor
    covered = tf.image.resize(tf.cast(mask > 0, tf.float32)[..., None], size, "area")[..., 0]
    return tf.cast(tf.round(255 * covered), tf.uint8)
