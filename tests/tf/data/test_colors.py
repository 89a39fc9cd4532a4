"""Images of every kind of colors are packed, trained on and predicted as the same RGB."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kit.competition import images, listing, sources
from kit.competition.catalog import COMPETITIONS
from kit.competition.conventions import Competition
from kit.masks import dense
from kit.packing.packing import pack
from kit.records.index import open_index
from kit.submission import csv_file
from kit.tf.data.batches import scan
from kit.tf.data.crops import decode_image, shrink_image
from kit.tf.data.image_files import read_images
from tests.damages import encode, make_images

SHAPE = (48, 64)
IMAGES = make_images(SHAPE)
LARGEST = {"png": 0, "jpg": 8}  # by how much TensorFlow's faster transform may differ from Pillow's


def compare(name: str, pixels, expected=None) -> None:
    """Asserts that decoded pixels are Pillow's, uint8 (height, width, 3)."""
    if expected is None:
        expected = np.asarray(images.decode(name, IMAGES[name]))
    pixels = np.asarray(pixels)
    assert pixels.shape == expected.shape and pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - expected).max() <= LARGEST[name.rpartition(".")[2]]
    if name.startswith(("L", "1")):
        assert (pixels == pixels[..., :1]).all()


@pytest.mark.parametrize("name", IMAGES)
def test_every_decoder_gives_the_same_rgb(name):
    data = IMAGES[name]
    pixels = np.asarray(images.decode(name, data))
    decode = tf.io.decode_png if name.endswith("png") else tf.io.decode_jpeg
    compare(name, decode(data, channels=3))
    compare(name, tf.io.decode_image(data, channels=3))
    compare(name, decode_image(data))
    top, left, height, width = window = [5, 9, 30, 40]
    cut = pixels[top : top + height, left : left + width]
    compare(name, decode_image(data, tf.constant(window)), cut)
    small = shrink_image(data, 2)
    assert small.shape == (24, 32, 3)
    means = pixels.reshape(24, 2, 32, 2, 3).mean((1, 3))
    assert np.abs(small.numpy() - means).max() < 9


def test_decoders_differ_on_cmyk_so_it_is_refused():
    """Without Adobe's mark Pillow takes the inks for inverted, TensorFlow doesn't."""
    inks = np.full((16, 16, 4), [250, 20, 20, 30], np.uint8)
    data = encode(Image.fromarray(inks, "CMYK"), "JPEG")
    begin = data.index(b"\xff\xee")
    data = data[:begin] + data[begin + 2 + int.from_bytes(data[begin + 2 : begin + 4], "big") :]
    ours, theirs = images.decode("a.jpg", data), tf.io.decode_jpeg(data, channels=3)
    assert np.abs(np.asarray(ours, int) - theirs.numpy()).max() > 100
    with pytest.raises(images.KitError, match="its colors are CMYK"):
        images.inspect("a.jpg", data)


@pytest.fixture(scope="module")
def colors(once):
    """A competition with an image of each kind of colors, and its records."""

    def make(folder):
        place = folder / "competition"
        competition = Competition(height=SHAPE[0], width=SHAPE[1], scenes="")
        (place / "train_v2").mkdir(parents=True)
        for name, data in IMAGES.items():
            (place / "train_v2" / name).write_bytes(data)
        write_truth(place, sorted(IMAGES), competition)
        manifest = pack(place, folder / "records", folds=2, competition=competition)
        assert manifest["skipped"] == []

    return once("colors", make)


def write_truth(place, ids, competition):
    label = np.zeros(SHAPE, int)
    label[4:9, 6:20] = 1
    csv_file.write_csv(
        dense.from_labels(ids, [label] * len(ids)), place / competition.truth_csv, competition
    )


def test_records_of_all_colors_are_trained_on_as_rgb(colors):
    index, seen = open_index(colors / "records"), 0
    for places, pixels, masks in scan(index, 3):
        for place, image, mask in zip(places.numpy(), pixels.numpy(), masks.numpy()):
            compare(index.truth.ids[place], image)
            assert (mask > 0).sum() == 5 * 14
            seen += 1
    assert seen == len(IMAGES)


def test_tensorflow_datasets_reads_all_colors_as_rgb(colors):
    import tensorflow_datasets as tfds

    builder = tfds.builder_from_directory(str(colors / "records"))
    found = {
        item["image_id"].decode(): item["image"]
        for split in builder.info.splits
        for item in tfds.as_numpy(builder.as_dataset(split=split))
    }
    assert set(found) == set(IMAGES)
    for name, pixels in found.items():
        compare(name, pixels)


def test_all_colors_are_predicted_as_rgb(colors):
    source = sources.Source(colors / "competition")
    files = list(listing.list_images(source, "train_v2/{id}").values())
    places = np.array_split(np.arange(len(files)), 4)
    with sources.reading(source.path) as read, images.wary():
        for held, pixels, bad in read_images(read, files, places, SHAPE):
            assert not bad
            for place, image in zip(held, pixels.numpy()):
                compare(files[place].name.rpartition("/")[2], image)


def test_a_data_science_bowl_of_rgba_is_packed_as_it_is(tmp_path):
    competition = dataclasses.replace(
        COMPETITIONS["dsb2018"],
        truth_csv="stage1_train_labels.csv",
        train_images="stage1_train/{id}/images/{id}.png",
    )
    ids = ["RGBA", "RGBA-opaque", "L"]
    for name in ids:
        (tmp_path / "stage1_train" / name / "images").mkdir(parents=True)
        path = tmp_path / competition.train_images.replace("{id}", name)
        path.write_bytes(IMAGES[f"{name}.png"])
    write_truth(tmp_path, ids, competition)
    manifest = pack(tmp_path, tmp_path / "records", folds=2, competition=competition)
    assert manifest["skipped"] == []
    shards = b"".join(path.read_bytes() for path in (tmp_path / "records").glob("*.tfrecord*"))
    assert all(IMAGES[f"{name}.png"] in shards for name in ids)
