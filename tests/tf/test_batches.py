import numpy as np
import pytest
import tensorflow as tf

from kit import dense
from kit.errors import KitError
from kit.records import open_records
from kit.tf.batches import _choose_crop, _turn, batches, decode_mask, scan
from kit.tf.inference import read_truth


@pytest.fixture(scope="module")
def source(records):
    return open_records(records)


def fields_of(table, image):
    runs = slice(table.runs[table.objects[image]], table.runs[table.objects[image + 1]])
    height, width = table.shapes[image]
    owner = np.repeat(
        np.arange(table.objects[image + 1] - table.objects[image]), np.diff(table.runs[table.objects[image] : table.objects[image + 1] + 1])
    )
    values = {"runs/start": table.start[runs], "runs/length": table.length[runs], "runs/object": owner, "height": height, "width": width}
    return {name: tf.constant(value, tf.int64) for name, value in values.items()} | {
        "objects": tf.constant(owner.max(initial=-1) + 1, tf.int64)
    }


@pytest.mark.parametrize("seed", range(20))
def test_runs_become_the_same_pixels_as_a_slice_of_the_dense_mask(seed):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 12, 2))
    labels = (rng.random(shape) < rng.choice([0.1, 0.5, 1.0])).astype(int)  # full masks have runs over several columns
    table = dense.from_labels(["a"], [labels])
    top, left = (int(rng.integers(0, side)) for side in shape)
    window = [top, left, int(rng.integers(1, shape[0] - top + 1)), int(rng.integers(1, shape[1] - left + 1))]
    expected = labels[top : top + window[2], left : left + window[3]]
    for decode in (decode_mask, tf.function(decode_mask)):  # eagerly and in a graph
        assert np.array_equal(decode(fields_of(table, 0), tf.constant(window)).numpy(), expected)


def test_whole_images_carry_their_truth(source):
    truth, _ = read_truth(source, [0])
    names = []
    for ids, images, real in scan(source, [0], 3):
        for name, image, mask in zip(ids.numpy(), images.numpy(), real.numpy()):
            place = list(truth.ids).index(name.decode())
            names.append(name.decode())
            assert image.shape == (768, 768, 3) and image.dtype == np.uint8 and mask.dtype == np.uint8
            assert np.array_equal(mask > 0, dense.to_labels(truth, place) > 0)
    assert names == list(truth.ids) and len(names) == source.count([0])


def test_crops_hold_objects_when_asked_and_image_and_mask_match(source):
    for images, real in batches(source, batch=4, crop=128, ship_share=1.0).take(6):
        assert images.shape == (4, 128, 128, 3) and real.shape == (4, 128, 128)
        assert real.numpy().any(axis=(1, 2)).all()


@pytest.fixture(scope="module")
def painted(tmp_path_factory):
    """Records of oblong images, PNG and JPEG, in which every ship is white on black: the image says what its mask must be."""
    from PIL import Image

    from kit import submission
    from kit.competition import Competition
    from kit.packing import pack

    folder = tmp_path_factory.mktemp("painted")
    (folder / "train_v2").mkdir()
    rng, labels, names = np.random.default_rng(0), [], []
    for place in range(8):
        image = np.zeros((160, 224), int)
        for value in range(1, 4):
            top, left = rng.integers(0, 140), rng.integers(0, 200)
            image[top : top + 17, left : left + 23] = value
        labels.append(image)
        names.append(f"{place}.{'png' if place % 2 else 'jpg'}")
        Image.fromarray(np.repeat((image > 0)[..., None] * np.uint8(255), 3, 2)).save(
            folder / "train_v2" / names[-1], quality=98, subsampling=0
        )
    competition = Competition(height=160, width=224, scenes="")
    submission.write_csv(dense.from_labels(names, labels), folder / "train_ship_segmentations_v2.csv", competition)
    pack(folder, folder / "records", folds=2, competition=competition)
    return open_records(folder / "records")


@pytest.mark.parametrize("flips", [False, True])
def test_image_and_mask_show_the_same_pixels(painted, flips):
    for images, real in batches(painted, batch=4, crop=64, ship_share=0.8, flips=flips).take(12):
        assert np.array_equal(images.numpy()[..., 1] > 127, real.numpy() > 0)
    for _, images, real in scan(painted, [0, 1], 1):
        assert images.shape == (1, 160, 224, 3) and np.array_equal(images.numpy()[..., 1] > 127, real.numpy() > 0)


def test_a_crop_around_an_object_holds_it_wherever_it_lies():
    labels = np.zeros((50, 70), int)
    labels[0, 69] = 1
    fields = fields_of(dense.from_labels(["a"], [labels]), 0)
    for seed in range(30):
        window = _choose_crop(fields, 16, tf.constant(True), tf.constant([seed, 0]))
        assert decode_mask(fields, window).numpy().sum() == 1
        assert window.numpy()[2:].tolist() == [16, 16]


def test_the_same_seed_gives_the_same_batches_and_another_seed_others(source):
    def take(seed):
        return [images.numpy() for images, _ in batches(source, batch=4, crop=64, seed=seed).take(5)]

    first = take(1)
    assert all(np.array_equal(a, b) for a, b in zip(first, take(1)))
    assert not all(np.array_equal(a, b) for a, b in zip(first, take(2)))


def test_all_eight_turns_move_image_and_mask_together():
    image = tf.cast(tf.reshape(tf.range(27), [3, 3, 3]), tf.uint8)
    seen = set()
    for seed in range(200):
        turned, mask = _turn(image, image[..., 0], tf.constant([seed, 0]), 3)
        assert np.array_equal(turned[..., 0], mask)
        seen.add(mask.numpy().tobytes())
    assert len(seen) == 8


def test_folds_without_an_image_are_an_error(source):
    with pytest.raises(KitError, match="folds"):
        batches(source, [7])
