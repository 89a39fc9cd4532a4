import csv
import errno
import os
import random
import shutil
import signal

import h5py
import numpy as np
import pytest

from kit.errors import KitError
from kit.models.folder import read_config
from kit.objects import map_files
from kit.records.index import open_index
from kit.system.locks import hold
from kit.tf.data.batches import scan
from kit.tf.inference.ensemble import collect, make_mapper
from kit.tf.inference.holdout_maps import compute_maps
from tests.forks import finish
from tests.tf import killed
from tests.tf.detectors import make_detector, train_detector


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_training_leaves_what_is_computed_later(copy, small, passes):
    left, ids = bytes_of(copy / "maps"), open_index(small / "records", [0]).truth.ids
    assert set(left) == {"source.sha256", "presence.csv", *(f"{name}.png" for name in ids)}
    assert list(map_files.read_presence(copy / "maps")) == list(ids) and len(ids) > 5
    assert compute_maps(copy, network=make_detector())[0] == copy / "maps" and not passes
    shutil.rmtree(copy / "maps")
    folder, index = compute_maps(copy, network=make_detector())
    assert bytes_of(folder) == left and sum(passes) == len(index) == len(ids)


def test_the_kits_own_network_leaves_what_is_computed_later(model, tmp_path):
    copy = shutil.copytree(model, tmp_path / "model")
    left = bytes_of(copy / "maps")
    shutil.rmtree(copy / "maps")
    assert bytes_of(compute_maps(copy)[0]) == left and map_files.PRESENCE_CSV not in left


def test_after_a_kill_it_goes_on_to_the_same_bytes(copy, passes):
    left = bytes_of(copy / "maps")
    shutil.rmtree(copy / "maps")
    status, _, errors = finish(killed.compute_six_maps, str(copy))
    assert status == -signal.SIGKILL, errors
    assert 0 < len(list((copy / "maps").glob("*.png"))) < len(left) - 2
    assert bytes_of(compute_maps(copy, network=make_detector())[0]) == left and passes


def test_any_part_of_the_work_is_completed_to_the_same_bytes(copy, small, passes):
    rng, left, ids = (
        random.Random(0),
        bytes_of(copy / "maps"),
        open_index(small / "records", [0]).truth.ids,
    )
    lines = left["presence.csv"]
    for cut in (
        0,
        5,
        len("ImageId,presence\n"),
        len(lines) - 1,
        len(lines),
        *(rng.randrange(len(lines)) for _ in range(3)),
    ):
        gone = [f"{name}.png" for name in rng.sample(list(ids[-3:]), 2)]
        for name in gone:
            (copy / "maps" / name).unlink()
        (copy / "maps" / "presence.csv").write_bytes(lines[:cut])
        (copy / "maps" / f".{gone[0]}.tmp").write_bytes(b"half")
        del passes[:]
        assert bytes_of(compute_maps(copy, network=make_detector())[0]) == left
        assert passes and (cut < len(lines) - 1 or sum(passes) < len(ids))


def test_only_the_batches_that_are_not_done_are_computed(copy, small, passes):
    ids = open_index(small / "records", [0]).truth.ids
    for place in (1, 4):
        (copy / "maps" / f"{ids[place]}.png").unlink()
    compute_maps(copy, network=make_detector())
    assert passes == [2, 2]


def test_maps_of_other_weights_or_records_are_made_anew(copy):
    left = bytes_of(copy / "maps")
    (copy / "maps" / "source.sha256").write_text("other weights")
    (copy / "maps" / "presence.csv").write_text("ImageId,presence\nother.jpg,0.5\n")
    (copy / "maps" / "other.jpg.png").write_bytes(b"stale")
    next((copy / "maps").glob("*.png")).write_bytes(b"stale")
    assert bytes_of(compute_maps(copy, network=make_detector())[0]) == left


def test_weights_that_changed_make_the_maps_anew(copy):
    left = bytes_of(copy / "maps")
    with h5py.File(copy / "best.weights.h5", "r+") as weights:
        weights.visititems(
            lambda _, item: item.write_direct(item[()] / 2) if is_array(item) else None
        )
    changed = bytes_of(compute_maps(copy, network=make_detector())[0])
    assert changed.keys() == left.keys() and changed != left
    shutil.rmtree(copy / "maps")
    assert bytes_of(compute_maps(copy, network=make_detector())[0]) == changed


def is_array(item):
    return isinstance(item, h5py.Dataset) and item.ndim > 0


def test_what_is_not_ours_is_not_removed(copy, tmp_path):
    (copy / "maps" / "source.sha256").write_text("other weights")
    (copy / "maps" / "thesis.txt").write_text("mine")
    with pytest.raises(KitError, match=r"thesis\.txt: was not written by kit tune"):
        compute_maps(copy, network=make_detector())
    assert len(list((copy / "maps").iterdir())) > 3
    os.rename(copy / "maps", tmp_path / "elsewhere")
    (copy / "maps").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KitError, match="maps: is a link or a file"):
        compute_maps(copy, network=make_detector())
    assert (tmp_path / "elsewhere" / "thesis.txt").exists()


def test_maps_without_what_the_network_says_of_images_are_made_anew(copy, monkeypatch):
    left = bytes_of(copy / "maps")
    (copy / "maps" / "presence.csv").unlink()
    assert "presence.csv" not in bytes_of(
        compute_maps(copy, network=make_detector())[0]
    )  # of an own network nobody knows
    monkeypatch.setattr(
        "kit.tf.inference.holdout_maps.read_config",
        lambda path: read_config(path) | {"own": {}, "presence": True},
    )
    assert bytes_of(compute_maps(copy, network=make_detector())[0]) == left


@pytest.mark.parametrize(
    ("tta", "scale", "name"),
    [(8, 1, "maps-tta8"), (1, 2, "maps-scale2"), (4, 3, "maps-tta4-scale3")],
)
def test_views_and_scales_have_folders_of_their_own(copy, tta, scale, name):
    left = bytes_of(copy / "maps")
    folder, index = compute_maps(copy, tta=tta, scale=scale, network=make_detector())
    assert folder == copy / name and bytes_of(copy / "maps") == left
    find, said = make_mapper(make_detector(), tta, scale), map_files.read_presence(folder)
    for places, images, _ in scan(index, 2):
        expected, presence = collect([find(images)])
        for place, image, likely in zip(places.numpy(), expected, presence):
            assert np.array_equal(map_files.read_map(folder, index.truth.ids[place]), image)
            assert said[index.truth.ids[place]] == likely


def test_names_that_need_quotes_are_completed_too(tmp_path):
    from kit.tf.inference.holdout_maps import keeping

    ids, image = np.array(['a,"b".jpg', "c.jpg"], object), np.zeros((1, 4, 4), np.uint8)
    with keeping(tmp_path, ids) as keep:
        keep([0], image, np.float32([0.1]))
        keep([1], image, np.float32([1e-9]))
    with open(tmp_path / "presence.csv", newline="") as file:
        rows = list(csv.reader(file))
    assert [row[0] for row in rows[1:]] == list(ids) and [
        np.float32(row[1]) for row in rows[1:]
    ] == [np.float32(0.1), np.float32(1e-9)]
    assert map_files.read_presence(tmp_path)['a,"b".jpg'] == np.float32(0.1)


def test_a_full_disk_is_named_and_the_same_call_goes_on(copy, monkeypatch):
    left, former, seen = bytes_of(copy / "maps"), map_files.write_map, []
    shutil.rmtree(copy / "maps")

    def fill(folder, name, image):
        seen.append(name)
        if len(seen) > 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        former(folder, name, image)

    with monkeypatch.context() as patch:
        patch.setattr("kit.objects.map_files.write_map", fill)
        with pytest.raises(KitError, match=r"maps/\S+\.png: the disk that holds \S+ is full"):
            compute_maps(copy, network=make_detector())
    assert bytes_of(compute_maps(copy, network=make_detector())[0]) == left


def test_what_cannot_be_is_refused(copy, small, records, tmp_path):
    with pytest.raises(KitError, match="--tta 3"):
        compute_maps(copy, tta=3)
    with (
        hold(copy / "maps", "kit tune"),
        pytest.raises(KitError, match="another kit tune is at work there"),
    ):
        compute_maps(copy)
    with pytest.raises(
        KitError, match=r"trained on other records than \S+records, whose holdout it may have seen"
    ):
        compute_maps(copy, records)
    everything = train_detector(small / "records", tmp_path / "all", fold=None)
    with pytest.raises(KitError, match="no holdout to tune on"):
        compute_maps(everything)
    (copy / "best.weights.h5").unlink()
    with pytest.raises(KitError, match=r"best\.weights\.h5: missing"):
        compute_maps(copy)
