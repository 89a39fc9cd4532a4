"""Batches: image and mask show the same pixels, from records as from the competition's folder."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from kit.errors import KitError
from kit.masks import dense
from kit.records.index import open_index, select
from kit.tf.data.augmentation import NAMES
from kit.tf.data.batches import batches, scan
from kit.tf.data.crops import IndexTensors
from tests.tf.data.conftest import equal, take

BOX = np.ones((3, 3), bool)


CHOICES = [
    {"crop": 64},
    {"crop": 64, "ship_share": 0.0, "augment": ()},
    {"crop": 160, "augment": None},
    {"crop": 48, "ship_share": 0.5, "balance": True, "numbered": True},
    {"crop": None, "augment": ()},
    {"crop": None, "augment": ("dihedral",)},
    {"crop": None, "shrink": 2},
    {"crop": None, "shrink": 3, "augment": ()},
]


@pytest.mark.parametrize("choice", CHOICES)
def test_image_and_mask_show_the_same_pixels(pair, choice):
    seen = 0
    for index in pair:
        for images, real in take(batches(index, batch=4, **choice), 5):
            side = choice["crop"]
            shape = (
                (side, side)
                if side
                else tuple(-(-length // choice.get("shrink", 1)) for length in (160, 224))
            )
            assert (
                images.shape == (4, *shape, 3)
                and real.shape == (4, *shape)
                and images.dtype == real.dtype == np.uint8
            )
            if choice.get("shrink", 1) > 1:
                assert np.abs(images[..., 1].astype(int) - real).max() < 24  # the JPEG's own error
            else:
                assert np.array_equal(images[..., 1] > 127, real > 0)
            seen += int((real > 0).any())
    assert seen


@pytest.mark.parametrize(
    "choice", [CHOICES[3], CHOICES[5], CHOICES[7], {"crop": 64, "augment": NAMES}]
)
def test_records_and_the_competition_folder_give_the_same_bytes(pair, choice):
    one, two = (take(batches(index, batch=2, seed=3, **choice), 3) for index in pair)
    assert equal(one, two)


def test_an_epoch_of_a_fold_is_the_same_images_from_records_and_folder(practice, records):
    table = records / "folds.csv"
    for fold in (0, 1):
        size = len(open_index(records, [fold]))
        choice = {"batch": 1, "crop": None, "ship_share": 0.0, "augment": None}
        one = take(batches(records, [fold], **choice), size)
        two = take(batches(practice, [fold], folds_csv=table, **choice), size)
        contents = [
            sorted(image.tobytes() + mask.tobytes() for image, mask in part) for part in (one, two)
        ]
        assert contents[0] == contents[1] and len(set(contents[0])) == size


def test_whole_images_carry_their_truth(records):
    index = open_index(records, [0])
    for place in range(3):
        one = select(index, np.array([place]))
        expected = dense.to_labels(index.truth, place)
        for numbered in (False, True):
            ((images, real),) = take(
                batches(one, batch=1, crop=None, ship_share=0.0, augment=(), numbered=numbered), 1
            )
            assert np.array_equal(real[0], expected if numbered else expected > 0)
            assert np.array_equal(
                images[0], tf.io.decode_jpeg(IndexTensors(one).read(0), channels=3)
            )


@pytest.mark.parametrize("ships", [0.0, 0.5, 1.0])
def test_an_epoch_holds_the_asked_share_of_crops_with_objects(records, ships):
    index = open_index(records)
    data = batches(index, batch=2, steps=10, crop=64, ship_share=ships, empty_share=1 - ships)
    held = [mask.any() for _, real in take(data, 20) for mask in real]
    assert len(held) == 40 and sum(held[:20]) == sum(held[20:]) == 20 * ships


@pytest.mark.parametrize("paste", [False, True])
def test_numbered_masks_tell_objects_apart_and_others_do_not(pair, paste):
    names = ("copy_paste",) if paste else ()
    (images, numbered), (same, plain) = (
        take(
            batches(pair[0], batch=8, crop=None, ship_share=0.0, augment=names, numbered=numbered),
            1,
        )[0]
        for numbered in (True, False)
    )
    assert np.array_equal(numbered > 0, plain > 0) and set(np.unique(plain)) == {0, 1}
    assert numbered.max() >= 3 and np.array_equal(images, same)
    if not paste:
        whole = [dense.to_labels(pair[0].truth, image).tobytes() for image in range(8)]
        assert sorted(mask.astype(np.int32).tobytes() for mask in numbered) == sorted(whole)


def test_pasted_objects_are_in_image_and_mask(pair):
    def crops(names, numbered=False):
        return take(
            batches(pair[0], batch=4, crop=96, seed=1, augment=names, numbered=numbered), 10
        )

    pasted, found, apart = 0, crops(("copy_paste",)), crops(("copy_paste",), numbered=True)
    for (images, real), (same, _), (_, before) in zip(found, apart, crops(())):
        assert np.array_equal(
            images, same
        )  # an object that does not fit keeps none of the others away, numbered or not
        for image, mask, old in zip(images[..., 1], real, before):
            assert (image[mask > 0] > 127).all() and (mask >= old).all()
            assert (
                image[~ndimage.binary_dilation(mask > 0, BOX, 2)] < 128
            ).all()  # two px around are blended
            pasted += (mask > old).any()
    assert 5 < pasted < 35


def test_an_augmentation_of_your_own_is_used(pair):
    def darken(image, mask, seed):
        assert image.shape == (32, 32, 3) and mask.shape == (32, 32) and seed.shape == (2,)
        drawn = tf.random.stateless_uniform([], seed, 0, 256, tf.int32)
        return tf.zeros_like(image) + tf.cast(drawn, tf.uint8), mask + 7

    plain, found = (
        take(batches(pair[0], batch=4, crop=32, augment=augment), 4) for augment in (None, darken)
    )
    drawn = {int(image[0, 0, 0]) for images, _ in found for image in images}
    assert len(drawn) > 8  # every crop has a seed of its own
    for (images, real), (_, before) in zip(found, plain):
        assert (images == images[:, :1, :1, :1]).all() and np.array_equal(real, before + 7)


def test_no_augmentation_leaves_the_crops_as_they_are(pair):
    none, empty, turned = (
        take(batches(pair[0], batch=4, crop=32, augment=augment), 4)
        for augment in (None, (), ("dihedral",))
    )
    assert equal(none, empty) and not equal(none, turned)
    index = select(pair[0], np.array([1]))
    ((images, _),) = take(batches(index, batch=1, crop=None, augment=None), 1)
    assert np.array_equal(images[0], next(iter(scan(index, 1)))[1][0])


def test_every_batch_is_a_tensor_of_known_shape(records):
    assert batches(records, batch=3, crop=128).element_spec == (
        tf.TensorSpec((3, 128, 128, 3), tf.uint8),
        tf.TensorSpec((3, 128, 128), tf.uint8),
    )


@pytest.mark.parametrize("numbered", [False, True])
def test_a_scan_gives_every_image_once_in_order_with_its_truth(records, pair, numbered):
    for index in (open_index(records, [0]), *pair):
        places = []
        for batch in scan(index, 3, numbered):
            for place, image, mask in zip(*(part.numpy() for part in batch)):
                places.append(place)
                expected = dense.to_labels(index.truth, place)
                assert image.dtype == mask.dtype == np.uint8 and image.shape == (*expected.shape, 3)
                assert np.array_equal(mask, expected if numbered else expected > 0)
                assert expected.shape == (768, 768) or np.array_equal(
                    image[..., 1] > 127, mask > 0
                )  # these are painted
        assert places == list(range(len(index)))


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"folds": [7]}, r"folds \[7\] hold no image; it has folds \[0, 1\]"),
        ({"crop": 161}, "crop 161: .* an image side of only 160 px"),
        ({"augment": ("dihedral", "mixup")}, "no augmentation is called mixup"),
        ({"ship_share": 0.5, "empty_share": 0.1}, "every image holds an object"),
        ({"ship_share": 0.9, "empty_share": 0.2}, "together more than 1"),
    ],
)
def test_what_cannot_be_had_is_refused_before_the_first_batch(painted, choice, words):
    with pytest.raises(KitError, match=words):
        batches(painted[1], **{"crop": 64, **choice})


def test_folds_of_a_folder_need_their_table(practice):
    with pytest.raises(KitError, match="give the path of a folds.csv as folds_csv"):
        batches(practice, [0])


def test_a_start_before_the_first_batch_is_refused(records):
    with pytest.raises(KitError, match="start -1: batches count from 0"):
        batches(records, start=-1)
