"""Augmentation: equal bytes for equal seeds, image and mask moved alike, and operations apart."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from kit.errors import KitError
from kit.tf.data.augmentation import NAMES, OPERATIONS, augment
from tests.tf.data.conftest import distinct_for_seeds, noise, run, same_in_tf_data, scene


def inner(mask, width=2):
    """True away from every outline."""
    return ndimage.grey_erosion(mask, 2 * width + 1) == ndimage.grey_dilation(mask, 2 * width + 1)


# Every operation runs twice: eagerly, and inside tf.data, which optimizes the graph and runs
# several at once.


@pytest.mark.parametrize("name", [*OPERATIONS, "all"])
@pytest.mark.parametrize("shape", [(32, 32), (24, 40)])
def test_tf_data_gives_the_same_bytes_as_an_eager_call(name, shape):
    operation = augment(NAMES) if name == "all" else OPERATIONS[name]
    image, mask = scene(*shape)
    results = list(same_in_tf_data(operation, image, mask, 16))
    assert len(results) == 16
    for changed, moved in results:
        assert (
            changed.shape == image.shape
            and moved.shape == mask.shape
            and changed.dtype == moved.dtype == tf.uint8
        )


@pytest.mark.parametrize("shape", [(32, 32), (24, 40), (None, 40), (None, None)])
def test_static_shapes_are_kept(shape):
    for operation in (*OPERATIONS.values(), augment(NAMES)):
        graph = tf.function(operation).get_concrete_function(
            tf.TensorSpec([*shape, 3], tf.uint8),
            tf.TensorSpec(shape, tf.uint8),
            tf.TensorSpec([2], tf.int32),
        )
        assert [out.as_list() for out in graph.output_shapes] == [[*shape, 3], [*shape]]


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (2, 3), (7, 2)])
def test_crops_down_to_one_pixel(shape):
    image, mask = noise(*shape), np.full(shape, 255, np.uint8)
    for operation in OPERATIONS.values():
        for number in range(8):
            changed, moved = run(operation, image, mask, number)
            assert changed.shape == image.shape and np.array_equal(moved, mask)


@pytest.mark.parametrize("name", [*OPERATIONS, "all"])
def test_the_same_seed_gives_the_same_bytes_and_others_give_others(name):
    operation = augment(NAMES) if name == "all" else OPERATIONS[name]
    distinct_for_seeds(operation, noise(32, 32), scene(32, 32)[1])


# Geometry: image and mask move together.


@pytest.mark.parametrize("shape, count", [((6, 6), 8), ((4, 6), 4)])
def test_dihedral_gives_each_element_that_keeps_the_shape_and_moves_both_alike(shape, count):
    mask = np.arange(shape[0] * shape[1], dtype=np.uint8).reshape(shape)
    image = np.stack([mask, mask + 50, 255 - mask], -1)
    known = {np.rot90(flipped, turn).tobytes() for flipped in (mask, mask.T) for turn in range(4)}
    seen = {}
    for number in range(160):
        changed, moved = run(OPERATIONS["dihedral"], image, mask, number)
        assert (
            np.array_equal(changed, np.stack([moved, moved + 50, 255 - moved], -1))
            and moved.tobytes() in known
        )
        seen[moved.tobytes()] = seen.get(moved.tobytes(), 0) + 1
    assert len(seen) == count and min(seen.values()) > 160 / count / 3  # about equally often


@pytest.mark.parametrize("name", ["dihedral", "scale", "rotate"])
@pytest.mark.parametrize("seed", range(10))
def test_image_and_mask_move_together(name, seed):
    image, mask = scene(60, 80, seed=seed)
    changed, moved = run(OPERATIONS[name], image, mask, seed)
    colors = np.stack([moved, 255 - moved, moved // 2 + 60], -1)
    colors[moved == 0] = 20
    same = (changed == colors).all(-1)
    assert same[inner(moved)].all() and set(np.unique(moved)) <= set(np.unique(mask))
    for number in np.unique(
        mask
    ):  # the reverse: a pixel of the very color of an object is that object's
        color = (20, 20, 20) if number == 0 else (number, 255 - number, number // 2 + 60)
        assert (moved[(changed == color).all(-1)] == number).all()


def test_warps_change_a_share_of_the_crops():
    image, mask = scene(40, 40)
    for name in ("scale", "rotate"):
        changed = sum(
            not np.array_equal(run(OPERATIONS[name], image, mask, number)[0], image)
            for number in range(100)
        )
        assert 30 < changed < 70


@pytest.mark.parametrize(
    "name, pinned, step",
    [("scale", 1.25, 0.8), ("scale", 0.8, 1.25), ("rotate", 10, 1), ("rotate", -7, 1)],
)
def test_warps_are_scipys_affine_transform_about_the_center(name, pinned, step):
    image, mask = ndimage.gaussian_filter(noise(41, 60), (2, 2, 0)), scene(41, 60)[1]
    angle = np.deg2rad(pinned) if name == "rotate" else 0.0
    matrix = step * np.array(
        [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    )  # of rows and columns, clockwise
    offset = (np.array(mask.shape) - 1) / 2
    offset = offset - matrix @ offset
    keyword = {"factor": (pinned,) * 2} if name == "scale" else {"degrees": (pinned,) * 2}
    changed, moved = run(OPERATIONS[name], image, mask, share=1.0, **keyword)
    for channel in range(3):
        expected = ndimage.affine_transform(
            image[..., channel].astype(float), matrix, offset, order=1, mode="reflect"
        )
        assert np.abs(changed[..., channel] - expected).max() < 1
    expected = ndimage.affine_transform(mask, matrix, offset, order=0, mode="reflect")
    assert (
        moved != expected
    ).mean() < 0.005  # where float32 rounds another way halfway between two pixels


def test_drawn_factors_and_angles_fill_their_range_on_both_sides():
    image, mask = np.zeros((101, 101, 3), np.uint8), np.zeros((101, 101), np.uint8)
    mask[40:61, 40:61] = 1
    areas = [
        run(OPERATIONS["scale"], image, mask, number, share=1.0)[1].sum() / 441
        for number in range(60)
    ]
    assert (
        0.6 < min(areas) < 0.75
        and 1.4 < max(areas) < 1.65
        and 20 < sum(area > 1 for area in areas) < 40
    )
    mask[:] = 0
    mask[50, 50:91] = 1  # a line to the right: its end says the angle
    ends = []
    for number in range(60):
        rows, columns = np.nonzero(run(OPERATIONS["rotate"], image, mask, number, share=1.0)[1])
        far = columns.argmax()
        ends.append(np.rad2deg(np.arctan2(rows[far] - 50, columns[far] - 50)))
    assert -11 < min(ends) < -8 and 8 < max(ends) < 11


# Several operations


def test_an_unknown_name_is_an_error_that_lists_the_known_ones():
    with pytest.raises(KitError, match="called blurr, mixup; there are dihedral, .*copy_paste"):
        augment(["mixup", "gamma", "blurr"])


def test_the_order_of_the_names_and_copy_paste_change_nothing_and_no_name_does_nothing():
    image, mask = noise(24, 24), scene(24, 24)[1]
    for number in range(6):
        first = run(augment(NAMES), image, mask, number)
        second = run(augment(list(OPERATIONS)[::-1]), image, mask, number)
        assert np.array_equal(first[0], second[0]) and np.array_equal(first[1], second[1])
        assert np.array_equal(run(augment(["copy_paste"]), image, mask, number)[0], image)


def test_an_operation_draws_the_same_whatever_else_is_asked_for():
    image, mask = noise(24, 24), scene(24, 24)[1]
    for number in range(6):
        alone = run(augment(["contrast"]), image, mask, number)[0]
        turned, moved = run(augment(["contrast", "dihedral"]), image, mask, number)
        assert np.array_equal(np.sort(alone, None), np.sort(turned, None))
        assert np.array_equal(run(augment(["dihedral"]), image, mask, number)[1], moved)


def test_operations_do_not_draw_alike():
    image, mask = np.full((4, 4, 3), 100, np.uint8), np.zeros((4, 4), np.uint8)
    shifts = [
        int(run(augment(["brightness"]), image, mask, number)[0][0, 0, 0]) for number in range(40)
    ]
    powers = [int(run(augment(["gamma"]), image, mask, number)[0][0, 0, 0]) for number in range(40)]
    assert abs(np.corrcoef(shifts, powers)[0, 1]) < 0.5
