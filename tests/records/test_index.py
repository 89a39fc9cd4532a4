"""The index of records, compared with the competition's CSV, folds.csv and TensorFlow's bytes."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kit.competition import csv_masks as rows
from kit.competition.conventions import AIRBUS
from kit.errors import KitError
from kit.masks import table as masks
from kit.records.index import index_folder, index_records, open_index, select
from kit.records.manifest import open_records
from tests.records.conftest import TRUTH, same


@pytest.fixture(scope="module")
def table(records):
    return pd.read_csv(records / "folds.csv").set_index("ImageId")


def test_records_have_the_truth_of_the_csv(practice, indexed):
    truth = rows.read_csv(practice / TRUTH)
    assert (
        len(indexed) == 23 and len(set(indexed.truth.ids)) == 23 and len(indexed.truth.labels) > 10
    )
    assert indexed.truth == masks.select_ids(truth, indexed.truth.ids)


def test_records_have_the_scenes_and_folds_of_the_table(indexed, table):
    assert set(indexed.truth.ids) == set(table.index)
    assert indexed.scenes.tolist() == table.scene[indexed.truth.ids].tolist()
    assert indexed.folds.tolist() == table.fold[indexed.truth.ids].tolist()


@pytest.mark.tensorflow
def test_the_record_at_an_offset_holds_the_image(practice, indexed):
    import tensorflow as tf

    for name, path, offset in zip(indexed.truth.ids, indexed.paths, indexed.offsets):
        with open(path, "rb") as file:
            file.seek(offset)
            data = file.read(int.from_bytes(file.read(12)[:8], "little"))
        fields = tf.train.Example.FromString(data).features.feature
        assert fields["image_id"].bytes_list.value == [name.encode()]
        assert fields["image"].bytes_list.value == [(practice / "train_v2" / name).read_bytes()]


def test_any_kind_of_source_gives_the_same_index(records, indexed):
    for source in (records, str(records), open_records(records), indexed):
        assert same(open_index(source), indexed)


def test_a_fold_is_the_images_of_that_fold_in_the_same_order(records, indexed):
    for fold in (0, 1):
        expected = select(indexed, np.flatnonzero(indexed.folds == fold))
        for source, folds in ((records, [fold]), (indexed, (fold,)), (records, iter([fold]))):
            found = open_index(source, folds)
            assert same(found, expected) and found.paths.tolist() == expected.paths.tolist()
            assert found.offsets.tolist() == expected.offsets.tolist()
    assert same(open_index(records, [1, 0]), indexed)


def test_unknown_folds_are_named_with_those_there_are(records, indexed):
    for find in (
        lambda: open_index(records, [7]),
        lambda: open_index(indexed, [7]),
        lambda: index_records(open_records(records), [7]),
    ):
        with pytest.raises(KitError, match=r"folds \[7\] hold no image; it has folds \[0, 1\]"):
            find()


def change(at, value):
    """Bytes of a record from `at` (a number, or a function of the record) on replaced."""

    def damage(record: bytearray) -> None:
        begin = at(record) if callable(at) else at
        record[begin : begin + len(value)] = value

    return damage


def after(key):
    return lambda record: record.index(key) + len(key)


@pytest.mark.parametrize(
    "damage",
    [
        change(0, b"\1"),
        change(7, b"\x80"),
        change(0, bytes(12)),
        change(12, b"\0"),
        change(13, b"\xff"),
        change(lambda record: record.index(b"height"), b"weight"),
        change(lambda record: record.index(b"image_id"), b"\xff"),
        change(lambda record: record.index(b"image_id"), b"image_no"),
        change(lambda record: record.index(b"image_id") - 1, b"\x07"),
        change(lambda record: record.index(b"runs/start") - 3, b"\x7f"),
        change(
            lambda record: after(b"image_id")(record) + 2, b"\x1a"
        ),  # a list of numbers for an id
        change(lambda record: after(b"objects")(record) + 2, b"\x0a"),  # texts for a number
        change(lambda record: after(b"objects")(record) + 6, b"\x7f"),  # more objects than labels
        change(lambda record: len(record) - 30, bytes(30)),
    ],
)
@pytest.mark.parametrize("place", [0, 4, 11])
def test_a_damaged_record_is_named_with_the_way_out(records, indexed, tmp_path, damage, place):
    copy = shutil.copytree(records, tmp_path / "copy")
    here = np.flatnonzero(indexed.folds == 0)
    shard = copy / indexed.paths[here[place]].rpartition("/")[2]
    data = bytearray(shard.read_bytes())
    begin, end = [*indexed.offsets[here].tolist(), len(data)][place : place + 2]
    record = data[begin:end]
    damage(record)
    assert len(record) == end - begin and record != data[begin:end]
    data[begin:end] = record
    shard.write_bytes(data)
    with pytest.raises(KitError, match=f"{shard}: is damaged .*kit check {copy} --repair") as error:
        open_index(copy)
    assert "\n" not in str(error.value)
    assert (
        len(open_index(copy, [1])) == (indexed.folds == 1).sum()
    )  # the other fold's shards are not read


def test_a_run_of_an_object_that_cannot_be_takes_no_memory(records, indexed, tmp_path):
    copy = shutil.copytree(records, tmp_path / "copy")
    runs = np.diff(indexed.truth.runs[indexed.truth.objects])
    place = int(np.flatnonzero((runs > 5) & (runs < 100))[0])  # so that every length takes one byte
    shard = copy / indexed.paths[place].rpartition("/")[2]
    data = bytearray(shard.read_bytes())
    key = data.index(b"runs/object", int(indexed.offsets[place]))
    change(key + len(b"runs/object") + 6, b"\xff\xff\xff\xff\x7f")(
        data
    )  # object 2^35 - 1: counted one by one, 256 GB
    shard.write_bytes(data)
    with pytest.raises(KitError, match=f"{shard}: is damaged .*kit check"):
        open_index(copy)


def test_any_flipped_bit_of_a_record_gives_an_index_or_a_message(records, indexed, tmp_path):
    copy = shutil.copytree(records, tmp_path / "copy")
    rng, refused = np.random.default_rng(0), 0
    here = np.flatnonzero(indexed.folds == 1)
    shard = copy / indexed.paths[here[0]].rpartition("/")[2]
    whole = shard.read_bytes()
    for _ in range(150):
        data = bytearray(whole)
        end = rng.choice(indexed.offsets[here[1:]])
        place = end - rng.integers(5, 400)  # behind the image stand most of the fields
        data[place] ^= 1 << rng.integers(8)
        shard.write_bytes(data)
        try:
            assert len(open_index(copy, [1])) == len(here)
        except KitError as error:
            assert str(shard) in str(error) and "kit check" in str(error)
            refused += 1
    assert (
        0 < refused < 150
    )  # numbers that stay numbers are noticed only by the checksum, when the image is read


def test_a_shard_with_records_left_over_is_damaged(records, tmp_path):
    copy = shutil.copytree(records, tmp_path / "copy")
    found = open_records(copy)
    manifest = {
        **found.manifest,
        "shards": [{**shard, "count": shard["count"] - 1} for shard in found.manifest["shards"]],
    }
    with pytest.raises(KitError, match="records end at byte .* kit check"):
        index_records(dataclasses.replace(found, manifest=manifest))


def test_files_of_images_are_read_from_shards_and_from_folders(
    indexed, practice, records, tmp_path
):
    for place in (0, len(indexed) // 2, len(indexed) - 1):
        name = str(indexed.truth.ids[place])
        assert indexed.read_bytes(place) == (practice / "train_v2" / name).read_bytes()
    read_in_place = index_folder(practice, AIRBUS, records / "folds.csv")
    assert (
        read_in_place.read_bytes(3)
        == (practice / "train_v2" / str(read_in_place.truth.ids[3])).read_bytes()
    )


def test_positions_count_from_either_end(indexed):
    last = len(indexed) - 1
    assert indexed.read_bytes(-1) == indexed.read_bytes(last)
    assert same(select(indexed, np.array([-1, 0])), select(indexed, np.array([last, 0])))
    for place in (last + 1, -last - 2):
        with pytest.raises(KitError, match=f"position {place}: there are {last + 1}"):
            indexed.read_bytes(place)


def test_a_file_that_is_cut_or_gone_is_named(indexed, tmp_path):
    shard = tmp_path / "cut.tfrecord"
    shard.write_bytes(Path(indexed.paths[0]).read_bytes()[: int(indexed.offsets[0]) + 300])
    for path in (shard, tmp_path / "gone"):
        moved = dataclasses.replace(indexed, paths=np.array([str(path)] * len(indexed), object))
        with pytest.raises(KitError, match=rf"{path.name}: {indexed.truth.ids[0]} cannot be read"):
            moved.read_bytes(0)
