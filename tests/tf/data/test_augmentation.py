import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from scipy import ndimage

from kit.errors import KitError
from kit.tf.data import augmentation
from kit.tf.data.augmentation import NAMES, OPERATIONS, augment, copy_paste

COLORS = ("brightness", "contrast", "gamma")
BOX = np.ones((3, 3), bool)


def seeded(number, step=0):
    return tf.constant([number, step], tf.int64)


def run(operation, image, mask, number=0, **pinned):
    image, mask = operation(tf.constant(image), tf.constant(mask), seeded(number), **pinned)
    return image.numpy(), mask.numpy()


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), dtype=np.uint8)


def scene(*shape, seed=0):
    """A smooth gray scene with a few rectangles, their numbers from 1 to 255, each with a flat color of its own: (image, mask)."""
    rng = np.random.default_rng(seed)
    mask = np.zeros(shape, np.uint8)
    for number in (1, 90, 255):
        top, left = (rng.integers(0, side // 2) for side in shape)
        mask[top : top + shape[0] // 3, left : left + shape[1] // 2] = number
    image = np.full((*shape, 3), 20, np.uint8)
    image[mask > 0] = np.stack([mask, 255 - mask, mask // 2 + 60], -1)[mask > 0]
    return image, mask


def inner(mask, width=2):
    """True away from every outline."""
    return ndimage.grey_erosion(mask, 2 * width + 1) == ndimage.grey_dilation(mask, 2 * width + 1)


def batch_of(count, size=24, seed=0):
    """Noise images with rectangles numbered at random: (images, masks)."""
    rng = np.random.default_rng(seed)
    masks = np.zeros((count, size, size), np.uint8)
    for mask in masks:
        for _ in range(3):
            top, left = rng.integers(0, size, 2)
            mask[top : top + rng.integers(1, 8), left : left + rng.integers(1, 8)] = rng.integers(
                1, 256
            )
    return noise(count, size, size, seed=seed), masks


# Every operation runs twice: eagerly, and inside tf.data, where the graph is optimized and several run at once.


@pytest.mark.parametrize("name", [*OPERATIONS, "all"])
@pytest.mark.parametrize("shape", [(32, 32), (24, 40)])
def test_tf_data_gives_the_same_bytes_as_an_eager_call(name, shape):
    operation = augment(NAMES) if name == "all" else OPERATIONS[name]
    image, mask = scene(*shape)
    data = tf.data.Dataset.range(16).map(
        lambda index: operation(
            tf.constant(image), tf.constant(mask), tf.stack([tf.constant(7, tf.int64), index])
        ),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    for place, (changed, moved) in enumerate(data):
        expected = operation(tf.constant(image), tf.constant(mask), seeded(7, place))
        assert np.array_equal(changed, expected[0]) and np.array_equal(moved, expected[1])
        assert (
            changed.shape == image.shape
            and moved.shape == mask.shape
            and changed.dtype == moved.dtype == tf.uint8
        )


def test_copy_paste_gives_the_same_bytes_in_tf_data_as_eagerly():
    images, masks = batch_of(5)
    data = tf.data.Dataset.range(8).map(
        lambda index: copy_paste(
            tf.constant(images), tf.constant(masks), tf.stack([tf.constant(7, tf.int64), index])
        ),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    for place, (changed, moved) in enumerate(data):
        expected = copy_paste(tf.constant(images), tf.constant(masks), seeded(7, place))
        assert np.array_equal(changed, expected[0]) and np.array_equal(moved, expected[1])


@pytest.mark.parametrize("shape", [(32, 32), (24, 40), (None, 40), (None, None)])
def test_static_shapes_are_kept(shape):
    for operation in (*OPERATIONS.values(), augment(NAMES)):
        graph = tf.function(operation).get_concrete_function(
            tf.TensorSpec([*shape, 3], tf.uint8),
            tf.TensorSpec(shape, tf.uint8),
            tf.TensorSpec([2], tf.int32),
        )
        assert [out.as_list() for out in graph.output_shapes] == [[*shape, 3], [*shape]]
    graph = tf.function(copy_paste).get_concrete_function(
        tf.TensorSpec([4, *shape, 3], tf.uint8),
        tf.TensorSpec([4, *shape], tf.uint8),
        tf.TensorSpec([2], tf.int32),
    )
    assert [out.as_list() for out in graph.output_shapes] == [[4, *shape, 3], [4, *shape]]


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (2, 3), (7, 2)])
def test_crops_down_to_one_pixel(shape):
    image, mask = noise(*shape), np.full(shape, 255, np.uint8)
    for operation in OPERATIONS.values():
        for number in range(8):
            changed, moved = run(operation, image, mask, number)
            assert changed.shape == image.shape and np.array_equal(moved, mask)


@pytest.mark.parametrize("name", [*OPERATIONS, "all", "copy_paste"])
def test_the_same_seed_gives_the_same_bytes_and_others_give_others(name):
    operation = {**OPERATIONS, "all": augment(NAMES), "copy_paste": copy_paste}[name]
    image, mask = batch_of(4) if name == "copy_paste" else (noise(32, 32), scene(32, 32)[1])

    def results():
        return [
            b"".join(part.tobytes() for part in run(operation, image, mask, number))
            for number in range(20)
        ]

    first = results()
    assert first == results() and len(set(first)) >= 5


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


# Colors: the mask stays, no value wraps around, and the formulas are NumPy's.


@pytest.mark.parametrize("name", [*COLORS, "blur", "jpeg"])
def test_colors_leave_the_mask_and_do_not_wrap_around(name):
    mask = scene(24, 24)[1]
    limit = {"brightness": 30, "jpeg": 2}.get(name, 0)  # quantization moves a flat gray a little
    for value in (0, 255):
        for number in range(20):
            changed, moved = run(
                OPERATIONS[name], np.full((24, 24, 3), value, np.uint8), mask, number
            )
            assert (
                np.array_equal(moved, mask) and np.abs(changed.astype(int) - value).max() <= limit
            )


@pytest.mark.parametrize(
    "count", [1, 5, 300]
)  # TensorFlow casts whole vectors with saturation, the values left over without
def test_values_out_of_range_become_black_and_white(count):
    assert set(augmentation._to_gray(tf.fill([count], -20.0)).numpy()) == {0}
    assert set(augmentation._to_gray(tf.fill([count], 300.0)).numpy()) == {255}


@pytest.mark.parametrize("amount", [0.75, 1.33])
def test_color_operations_are_their_formulas(amount):
    image, mask = noise(24, 40), np.zeros((24, 40), np.uint8)
    values = image.astype(float)
    shift = 100 * (amount - 1)
    formulas = {
        "brightness": ({"shift": (shift, shift)}, values + shift),
        "contrast": (
            {"factor": (amount, amount)},
            values.mean() + amount * (values - values.mean()),
        ),
        "gamma": ({"exponent": (amount, amount)}, 255 * (values / 255) ** amount),
    }
    for name, (pinned, expected) in formulas.items():
        changed = run(OPERATIONS[name], image, mask, **pinned)[0]
        assert np.abs(changed - np.clip(expected, 0, 255)).max() < 0.51
    means = {
        name: run(OPERATIONS[name], image, mask, **pinned)[0].mean() - values.mean()
        for name, (pinned, _) in formulas.items()
    }
    more = amount > 1
    assert (means["brightness"] > 10) == more and (means["gamma"] < -5) == more
    assert (
        run(OPERATIONS["contrast"], image, mask, **formulas["contrast"][0])[0].std() > values.std()
    ) == more


@pytest.mark.parametrize("sigma", [0.3, 0.6, 1.0])
@pytest.mark.parametrize("shape", [(24, 40), (2, 5)])
def test_blur_is_scipys_gaussian_filter(sigma, shape):
    image = noise(*shape)
    changed = run(
        OPERATIONS["blur"], image, np.zeros(shape, np.uint8), sigma=(sigma, sigma), share=1.0
    )[0]
    expected = ndimage.gaussian_filter(
        image.astype(float), (sigma, sigma, 0), mode="nearest", radius=(3, 3, 0)
    )
    assert np.abs(changed - expected).max() < 0.51


@pytest.mark.parametrize("quality", [50, 95])
def test_jpeg_is_pillows_at_the_same_quality(quality):
    image = ndimage.gaussian_filter(noise(48, 64), (1, 1, 0))
    changed = run(
        OPERATIONS["jpeg"],
        image,
        np.zeros((48, 64), np.uint8),
        quality=(quality, quality),
        share=1.0,
    )[0]
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    expected = np.asarray(Image.open(file)).astype(int)
    apart = np.abs(changed - expected).mean()
    assert apart < 1.5 and apart < 0.7 * np.abs(image - expected).mean()


@pytest.mark.parametrize("name", ["blur", "jpeg"])
def test_blur_and_jpeg_change_a_share_of_the_crops(name):
    image, mask = noise(16, 16), np.zeros((16, 16), np.uint8)
    changed = sum(
        not np.array_equal(run(OPERATIONS[name], image, mask, number)[0], image)
        for number in range(200)
    )
    assert 30 < changed < 90


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


# Copy and paste


def paste_slowly(image, mask, donor, numbers):
    """The rule of copy_paste pixel by pixel: (image, mask)."""
    image, before = image.astype(float), mask
    mask = mask.copy()
    free = [number for number in range(1, 256) if number not in before]
    for number in sorted(set(numbers.flat) - {0}):
        if free and not (before[numbers == number] > 0).any():
            mask[numbers == number] = free.pop(0)
    pasted = (mask > 0) & (before == 0)
    ring, outer = ndimage.binary_dilation(pasted, BOX), ndimage.binary_dilation(pasted, BOX, 2)
    weight = np.where(before > 0, 0, (pasted * 1.0 + ring + outer) / 3)[..., None]
    return np.round(image * (1 - weight) + donor * weight), mask


def flips(image):
    return [image, image[::-1], image[:, ::-1], image[::-1, ::-1]]


def test_copy_paste_is_the_slow_rule_for_one_flip_of_the_next_example():
    used = set()
    for seed in range(25):
        images, masks = batch_of(4, seed=seed)
        changed, moved = run(copy_paste, images, masks, seed, share=1.0)
        for place in range(4):
            donor, numbers = images[(place + 1) % 4], masks[(place + 1) % 4]
            expected = [
                paste_slowly(images[place], masks[place], *pair)
                for pair in zip(flips(donor), flips(numbers))
            ]
            fits = [
                np.array_equal(changed[place], image) and np.array_equal(moved[place], mask)
                for image, mask in expected
            ]
            assert any(fits)
            if sum(fits) == 1:  # else nothing was pasted
                used.add(fits.index(True))
    assert used == {0, 1, 2, 3}


def test_copy_paste_keeps_what_is_there_and_gives_new_numbers():
    pasted = 0
    for seed in range(25):
        images, masks = batch_of(4, seed=seed)
        changed, moved = run(copy_paste, images, masks, seed, share=1.0)
        for place in range(4):
            there, new = masks[place] > 0, (moved[place] > 0) & (masks[place] == 0)
            assert np.array_equal(moved[place][there], masks[place][there])
            assert np.array_equal(changed[place][there], images[place][there])
            assert not set(moved[place][new]) & set(masks[place].flat)
            donor = {tuple(color) for color in images[(place + 1) % 4][masks[(place + 1) % 4] > 0]}
            assert all(tuple(color) in donor for color in changed[place][new])
            untouched = ~ndimage.binary_dilation(new, BOX, 2)
            assert np.array_equal(changed[place][untouched], images[place][untouched])
            pasted += new.any()
    assert pasted > 40


def test_copy_paste_blends_two_pixels_around_an_object():
    images = np.stack([np.full((15, 15, 3), 30, np.uint8), np.full((15, 15, 3), 90, np.uint8)])
    masks = np.zeros((2, 15, 15), np.uint8)
    masks[1, 7, 7] = 9
    changed, moved = run(copy_paste, images, masks, share=1.0)
    assert changed[0, 7, 3:12, 1].tolist() == [30, 30, 50, 70, 90, 70, 50, 30, 30] and moved[
        0, 7, 5:10
    ].tolist() == [0, 0, 1, 0, 0]
    assert np.array_equal(changed[1], images[1]) and np.array_equal(moved[1], masks[1])


def test_copy_paste_never_gives_a_number_twice_even_when_few_are_left():
    masks = np.zeros((2, 20, 20), np.uint8)
    masks[0, :9].flat[:180] = np.arange(1, 181)
    masks[0, 11:].flat[:72] = np.arange(181, 253)
    masks[1, 9:11] = np.arange(
        1, 21
    )  # twenty objects of two pixels in the middle rows, where a flip leaves them
    moved = run(copy_paste, noise(2, 20, 20), masks, share=1.0)[1]
    new = (moved[0] > 0) & (masks[0] == 0)
    assert (
        set(moved[0][new]) == {253, 254, 255} and new.sum() == 6
    )  # the other seventeen are left out
    assert np.array_equal(moved[0][~new], masks[0][~new])


def test_copy_paste_takes_a_share_and_leaves_a_batch_of_one():
    images, masks = batch_of(1, seed=3)
    for number in range(10):
        changed, moved = run(copy_paste, images, masks, number, share=1.0)
        assert np.array_equal(changed, images) and np.array_equal(moved, masks)
    images, masks = noise(100, 8, 8), np.zeros((100, 8, 8), np.uint8)
    masks[::2, 4, 4] = 1  # no flip moves a neighbor's pixel here
    masks[1::2, 1, 1] = 1
    changed = (run(copy_paste, images, masks)[1] != masks).any((1, 2)).sum()
    assert 30 < changed < 70
    assert np.array_equal(run(copy_paste, images, masks, share=0.0)[1], masks)


def test_every_number_of_a_draw_lies_in_its_stated_range():
    image, mask = np.full((4, 4, 3), 128, np.uint8), np.zeros((4, 4), np.uint8)
    values = np.array(
        [
            int(run(OPERATIONS["brightness"], image, mask, number)[0][0, 0, 0]) - 128
            for number in range(80)
        ]
    )
    low, high = augmentation.BRIGHTNESS
    assert low <= values.min() < 0.8 * low and 0.8 * high < values.max() <= high
    values = np.array(
        [int(run(OPERATIONS["gamma"], image, mask, number)[0][0, 0, 0]) for number in range(80)]
    )
    darkest, lightest = (255 * (128 / 255) ** end for end in augmentation.GAMMA[::-1])
    assert darkest - 1 <= values.min() < darkest + 5 and lightest - 5 < values.max() <= lightest + 1
