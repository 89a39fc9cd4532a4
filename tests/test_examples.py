"""Records written without TensorFlow, read by it."""

import numpy as np
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from kit import examples, masks, rows
from kit.competition import Competition

WIDE = Competition(height=20_000, width=20_000)


def parse(framed: bytes, tmp_path) -> dict:
    (tmp_path / "one").write_bytes(framed)
    (record,) = tf.data.TFRecordDataset(str(tmp_path / "one")).as_numpy_iterator()  # checks both sums
    return dict(tf.train.Example.FromString(record).features.feature)


def test_tensorflow_reads_every_field(tmp_path):
    table = rows.read_csv(b"ImageId,EncodedPixels\n\xc3\xa4.jpg,1 3 10 2\n\xc3\xa4.jpg,100 1 399999999 2\nb.jpg,\n", WIDE)
    for image, (data, scene) in enumerate([(b"\0\xff" * 70_000, 2**40), (b"", -1)]):
        fields = parse(examples.encode(table, image, data, scene), tmp_path)
        numbers = {name: list(field.int64_list.value) for name, field in fields.items() if field.HasField("int64_list")}
        assert fields["image_id"].bytes_list.value == [["ä.jpg", "b.jpg"][image].encode()] and fields["image"].bytes_list.value == [data]
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
    assert examples.frame(data) == path.read_bytes()


def test_no_record_is_larger_than_its_bound():
    rng = np.random.default_rng(0)
    for objects in (0, 1, 40):
        lines = [f"{'x' * 100}.jpg,{20_000 * 19_990 + 3 * k * 20 + 1} 2" for k in range(objects)] or [f"{'x' * 100}.jpg,"]
        table = rows.read_csv("\n".join(["ImageId,EncodedPixels", *lines]).encode(), WIDE)
        data = rng.bytes(5000)
        assert masks.count_objects(table)[0] == objects
        size = len(examples.encode(table, 0, data, -1))
        assert size <= examples.bound_size(table, np.array([len(data)]))[0] <= size + 600 + 20 * objects
