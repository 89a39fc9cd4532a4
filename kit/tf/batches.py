"""Batches: records to (uint8 image, uint8 mask), the runs decoded in the graph, only around the crop that is trained on."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from ..errors import KitError
from ..records import Records, open_records

_FIELDS = {
    "image_id": tf.io.FixedLenFeature([], tf.string),
    "image": tf.io.FixedLenFeature([], tf.string),
    "height": tf.io.FixedLenFeature([], tf.int64),
    "width": tf.io.FixedLenFeature([], tf.int64),
    "scene": tf.io.FixedLenFeature([], tf.int64),
    "objects": tf.io.FixedLenFeature([], tf.int64),
    "runs/start": tf.io.RaggedFeature(tf.int64),
    "runs/length": tf.io.RaggedFeature(tf.int64),
    "runs/object": tf.io.RaggedFeature(tf.int64),
}


def _parse(record):
    return tf.io.parse_single_example(record, _FIELDS)


def batches(
    records,
    folds: list[int] | None = None,
    *,
    batch: int = 8,
    crop: int | None = 256,
    ship_share: float = 0.75,
    flips: bool = True,
    seed: int = 0,
    shuffle_mb: int = 256,
) -> tf.data.Dataset:
    """An endless tf.data.Dataset of (uint8 image (batch, crop, crop, 3), uint8 mask (batch, crop, crop), 1 where there is an object).

    records: a folder or open Records; folds: those to draw from, all by default; crop: px, None for whole images (no random crop);
    ship_share: share of the crops that hold a pixel of an object drawn at random, the others lie anywhere in any image;
    flips: the eight flips and quarter turns at random; shuffle_mb: bound on the encoded images that are shuffled in memory.
    The same seed gives the same order and the same crops. Raises KitError where the folds hold no image.
    """
    source = records if isinstance(records, Records) else open_records(records)
    wanted = source.folds if folds is None else list(folds)
    files = source.shards(wanted)
    count = source.count(wanted)
    if not count:
        raise KitError(f"{source.folder}: folds {wanted} hold no image; it has folds {source.folds}")
    mean_bytes = sum(shard["bytes"] for shard in source.manifest["shards"]) / sum(shard["count"] for shard in source.manifest["shards"])
    buffer = max(1, min(count, int(shuffle_mb * 2**20 / 2 / mean_bytes)))  # two streams

    def stream(keep, offset):
        # Shards are read in another order every time, several at once, so that one fold's images mix with the others'.
        data = tf.data.Dataset.from_tensor_slices(files).shuffle(len(files), seed=seed + offset, reshuffle_each_iteration=True).repeat()
        data = data.interleave(tf.data.TFRecordDataset, cycle_length=min(len(files), 4))
        data = data.filter(keep)
        return data.shuffle(buffer, seed=seed + offset, reshuffle_each_iteration=True)  # encoded: a decoded image is ten times as large

    def with_object(record):
        return tf.io.parse_single_example(record, {"objects": _FIELDS["objects"]})["objects"] > 0

    any_image = stream(lambda record: True, 1).map(lambda record: (record, False))
    if ship_share > 0 and _any_object(files):
        ships = stream(with_object, 2).map(lambda record: (record, True))
        data = tf.data.Dataset.sample_from_datasets([ships, any_image], [ship_share, 1 - ship_share], seed=seed)
    else:
        data = any_image

    def example(index, item):
        record, around_object = item
        fields = _parse(record)
        seeds = tf.random.split(tf.stack([tf.cast(seed, tf.int64), index]), 2)  # one stream of numbers an example, whatever the thread
        window = _choose_crop(fields, crop, around_object, seeds[0])
        image, mask = _decode_image(fields["image"], window), decode_mask(fields, window)
        return _turn(image, mask, seeds[1], crop) if flips else (image, mask)

    data = data.enumerate().map(example, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return _with_threads(data.batch(batch, drop_remainder=True).prefetch(2))


def scan(records: Records, folds: list[int], batch: int) -> tf.data.Dataset:
    """Every image of the folds once, whole, in the order of the shards: (image_id, uint8 image, uint8 mask), batched."""

    def example(record):
        fields = _parse(record)
        window = tf.stack([0, 0, tf.cast(fields["height"], tf.int32), tf.cast(fields["width"], tf.int32)])
        return fields["image_id"], _decode_image(fields["image"], window), decode_mask(fields, window)

    data = tf.data.TFRecordDataset(records.shards(folds)).map(example, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return _with_threads(data.batch(batch).prefetch(2))


def read_files(paths: list[Path], batch: int) -> tf.data.Dataset:
    """Image files of one size, whole, in their order: uint8 (batch, height, width, 3)."""

    def read(path):
        return tf.io.decode_image(tf.io.read_file(path), channels=3, expand_animations=False)

    data = tf.data.Dataset.from_tensor_slices([str(path) for path in paths])
    data = data.map(read, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return _with_threads(data.batch(batch).prefetch(2))


def _with_threads(data):
    """The data set with a thread pool of its own, one thread a core: the process has a single inter-op thread (see kit.tf)."""
    options = tf.data.Options()
    options.threading.private_threadpool_size = 0
    return data.with_options(options)


def _any_object(files: list[str]) -> bool:
    flags = tf.data.TFRecordDataset(files).map(
        lambda record: tf.io.parse_single_example(record, {"objects": _FIELDS["objects"]})["objects"]
    )
    return any(int(count) > 0 for count in flags)


def _choose_crop(fields, crop: int | None, around_object, seed):
    """Window (top, left, height, width) int32 in px: around a run of an object drawn at random, or anywhere."""
    height, width = tf.cast(fields["height"], tf.int32), tf.cast(fields["width"], tf.int32)
    if crop is None:
        return tf.stack([0, 0, height, width])
    draws = tf.random.stateless_uniform([4], seed)
    size = tf.minimum(tf.stack([height, width]), crop)
    room = tf.stack([height, width]) - size + 1
    anywhere = tf.cast(draws[:2] * tf.cast(room, tf.float32), tf.int32)

    def around():
        wanted = tf.cast(draws[2] * tf.cast(fields["objects"], tf.float32), tf.int64)
        mine = tf.where(fields["runs/object"] == wanted)[:, 0]
        run = mine[tf.cast(draws[3] * tf.cast(tf.size(mine), tf.float32), tf.int32)]
        pixel = fields["runs/start"][run] + fields["runs/length"][run] // 2
        center = tf.cast(tf.stack([pixel % fields["height"], pixel // fields["height"]]), tf.int32)
        return tf.clip_by_value(center - tf.cast(draws[:2] * tf.cast(size, tf.float32), tf.int32), 0, room - 1)

    corner = tf.cond(tf.logical_and(around_object, fields["objects"] > 0), around, lambda: anywhere)
    return tf.concat([corner, size], 0)


def _decode_image(data, window):
    """Only the window of a JPEG is decoded; a PNG is decoded whole and cut."""

    def cut():
        whole = tf.io.decode_png(data, channels=3)
        return whole[window[0] : window[0] + window[2], window[1] : window[1] + window[3]]

    return tf.cond(tf.io.is_jpeg(data), lambda: tf.io.decode_and_crop_jpeg(data, window, channels=3), cut)


def decode_mask(fields, window):
    """Mask uint8 (height, width) of a window (top, left, height, width) from a record's runs; only those near it are expanded."""
    top, left, high, wide = (tf.cast(window[place], tf.int64) for place in range(4))
    start, length, height = fields["runs/start"], fields["runs/length"], fields["height"]
    near = (start // height < left + wide) & ((start + length - 1) // height >= left)
    start, length = tf.boolean_mask(start, near), tf.boolean_mask(length, near)
    pixels = tf.ragged.range(start, start + length).flat_values
    row, column = pixels % height - top, pixels // height - left
    inside = (row >= 0) & (row < high) & (column >= 0) & (column < wide)
    flat = tf.boolean_mask(row * wide + column, inside)
    mask = tf.scatter_nd(flat[:, None], tf.ones_like(flat, tf.uint8), (high * wide)[None])  # objects never overlap: no pixel twice
    return tf.reshape(mask, tf.stack([high, wide]))


def _turn(image, mask, seed, crop: int | None):
    """One of the eight flips and quarter turns, the same for image and mask."""
    both = tf.concat([image, mask[..., None]], -1)
    draws = tf.random.stateless_uniform([2], seed, 0, 4, tf.int32)
    both = tf.image.rot90(both, draws[0])
    both = tf.cond(draws[1] < 2, lambda: both, lambda: tf.image.flip_left_right(both))
    both.set_shape([crop, crop, 4])  # a quarter turn of an oblong image changes its shape: for square crops or one image a batch
    return both[..., :3], both[..., 3]
