"""Records written without TensorFlow, read by it and without it."""

import kit.tf  # isort: skip  # noqa: F401  # before TensorFlow, whose threads and oneDNN it sets

import tempfile
import tracemalloc

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from kit.competition import csv_masks
from kit.competition.conventions import Competition
from kit.masks import table as masks
from kit.records import tfrecord

WIDE = Competition(height=20_000, width=20_000)


def parse(framed: bytes, tmp_path) -> dict:
    (tmp_path / "one").write_bytes(framed)
    (record,) = tf.data.TFRecordDataset(
        str(tmp_path / "one")
    ).as_numpy_iterator()  # checks both sums
    return dict(tf.train.Example.FromString(record).features.feature)


def test_tensorflow_reads_every_field(tmp_path):
    table = csv_masks.read_csv(
        b"ImageId,EncodedPixels\n\xc3\xa4.jpg,1 3 10 2\n\xc3\xa4.jpg,100 1 399999999 2\nb.jpg,\n",
        WIDE,
    )
    for image, (data, scene) in enumerate([(b"\0\xff" * 70_000, 2**40), (b"", -1)]):
        fields = parse(tfrecord.encode(table, image, data, scene), tmp_path)
        numbers = {
            name: list(field.int64_list.value)
            for name, field in fields.items()
            if field.HasField("int64_list")
        }
        assert fields["image_id"].bytes_list.value == [
            ["ä.jpg", "b.jpg"][image].encode()
        ] and fields["image"].bytes_list.value == [data]
        assert numbers == {
            "height": [20_000],
            "width": [20_000],
            "scene": [scene],
            "objects": [2 - 2 * image],
            "labels": [[0, 0], []][image],
            "runs/start": [[0, 9, 99, 399_999_998], []][image],
            "runs/length": [[3, 2, 1, 2], []][image],
            "runs/object": [[0, 0, 1, 1], []][image],
        }


@given(st.binary(max_size=200))
def test_frames_are_tensorflows(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("frame") / "one"
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(data)
    assert tfrecord.frame(data) == path.read_bytes()


def test_no_record_is_larger_than_its_bound():
    rng = np.random.default_rng(0)
    for objects in (0, 1, 40):
        lines = [
            f"{'x' * 100}.jpg,{20_000 * 19_990 + 3 * k * 20 + 1} 2" for k in range(objects)
        ] or [f"{'x' * 100}.jpg,"]
        table = csv_masks.read_csv("\n".join(["ImageId,EncodedPixels", *lines]).encode(), WIDE)
        data = rng.bytes(5000)
        assert masks.count_objects(table)[0] == objects
        size = len(tfrecord.encode(table, 0, data, -1))
        assert (
            size
            <= tfrecord.bound_size(table, np.array([len(data)]))[0]
            <= size + 600 + 20 * objects
        )


# skim: the same fields without TensorFlow, and without the image.


def skim(data: bytes, at: int = 0):
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        return tfrecord.skim(file.fileno(), at)


def parse_by_tensorflow(framed: bytes) -> dict:
    """Every field of a framed record but the image, by name: bytes, or a list of numbers."""
    fields = tf.train.Example.FromString(framed[12:-4]).features.feature
    found = {
        name: list(field.int64_list.value)
        for name, field in fields.items()
        if field.HasField("int64_list")
    }
    return found | {
        name: field.bytes_list.value[0]
        for name, field in fields.items()
        if field.HasField("bytes_list") and name != "image"
    }


@st.composite
def tables(draw):
    """Masks of one to three images; their numbers need not make sense."""
    held = draw(
        st.lists(st.lists(st.integers(1, 40), max_size=6), min_size=1, max_size=3)
    )  # runs of every object of every image
    sizes = [size for image in held for size in image]
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    top = 2 ** draw(st.integers(1, 31))
    numbers = [
        rng.integers(0, top, count).astype(np.int32)
        for count in (len(sizes), sum(sizes), sum(sizes))
    ]
    ids = draw(
        st.lists(
            st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
            min_size=len(held),
            max_size=len(held),
        )
    )
    offsets = [
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        for counts in ([len(image) for image in held], sizes)
    ]
    shapes = rng.integers(1, 2**15, (len(held), 2)).astype(np.int32)
    return masks.Masks(
        np.array(ids, object), shapes, offsets[0], numbers[0], offsets[1], *numbers[1:]
    )


@given(tables(), st.binary(max_size=40), st.sampled_from([0, 1, 60, 3000]), st.integers(-1, 2**62))
def test_a_skimmed_record_has_tensorflows_fields(table, piece, times, scene):
    framed = [
        tfrecord.encode(table, image, piece * times, scene + image) for image in range(len(table))
    ]
    at = 0
    for one in framed:
        after, fields = skim(b"".join(framed), at)
        assert after == at + len(one)
        assert {
            name: value if isinstance(value, bytes) else value.tolist()
            for name, value in fields.items()
        } == parse_by_tensorflow(one)
        at = after


RECORD = tfrecord.encode(
    csv_masks.read_csv(
        "ImageId,EncodedPixels\nä.jpg,1 3 10 2\nä.jpg,100 1 399999999 2\n".encode(), WIDE
    ),
    0,
    b"\x0a\x12" * 100,
    2**40,
)


def test_a_cut_record_is_none():
    for size in range(len(RECORD)):
        with pytest.raises(ValueError):
            skim(RECORD[:size])
        with pytest.raises(ValueError):
            skim(RECORD * 2, len(RECORD) + 1 + size)  # begun in the middle, or at the end


def places_of_frames(data: bytes, at: int, end: int, depth: int = 0) -> list[int]:
    """The places of tags and lengths in an Example, which is bytes `at` to `end` of the data.

    It nests: Features, entry, key or Feature, list, values.
    """
    found = []
    while at < end:
        if depth != 3:  # there a tag tells numbers from texts
            found.append(at)
        tag, at, size, shift = data[at], at + 1, 0, 0
        while True:
            found.append(at)
            size, shift, at = size | (data[at] & 127) << shift, shift + 7, at + 1
            if data[at - 1] < 128:
                break
        if depth < 4 and (depth, tag) != (2, 10):  # neither values nor a key
            found += places_of_frames(data, at, at + size, depth + 1)
        at += size
    return found


def test_a_flipped_bit_of_any_tag_or_length_is_noticed():
    places = [*range(8), *places_of_frames(RECORD, 12, len(RECORD) - 4)]
    assert len(places) > 8 + 9 * 10
    for place in places:
        for bit in range(8):
            flipped = bytearray(RECORD)
            flipped[place] ^= 1 << bit
            with pytest.raises(ValueError):
                skim(bytes(flipped))


def test_a_length_that_lies_takes_no_memory():
    data = bytearray(RECORD)
    assert data[19:25] == b"height"
    data[18:22] = b"\xf0\xff\xff\x7f"  # the first key is said to have 2^28 - 16 bytes
    for lie in (bytes(data), (2**62).to_bytes(8, "little") + RECORD[8:], b"\xff" * 8 + RECORD[8:]):
        tracemalloc.start()
        try:
            with pytest.raises(ValueError):
                skim(lie + bytes(100))
            assert tracemalloc.get_traced_memory()[1] < 2**20
        finally:
            tracemalloc.stop()


@given(st.binary(max_size=300))
def test_random_bytes_are_no_record(data):
    with pytest.raises(ValueError):
        skim(data)


@given(st.integers(0, len(RECORD)), st.integers(0, 40), st.binary(max_size=40), st.booleans())
def test_a_changed_record_is_refused_or_read_to_its_end(begin, removed, added, framed_again):
    changed = RECORD[:begin] + added + RECORD[begin + removed :]
    changed = tfrecord.frame(changed[12:-4]) if framed_again else changed
    try:
        after, fields = skim(changed)
    except ValueError:
        return
    assert 16 <= after <= len(changed) and all(
        isinstance(value, bytes) or value.dtype == np.int64 for value in fields.values()
    )
