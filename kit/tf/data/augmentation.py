"""Augmentation: training crops changed at random inside tf.data, image and mask alike, every draw a function of a seed.

An operation is `operation(image, mask, seed) -> (image, mask)`: uint8 image (h, w, 3); uint8 mask (h, w), 0 background, any other
value the number of an object; seed an integer tensor (2,). Shapes (static ones too) and dtypes are kept; pixels of a mask are moved,
never averaged, so that numbers survive. `copy_paste` takes a batch. Equal seeds give equal bytes.
"""

import math
from collections.abc import Callable, Iterable

import tensorflow as tf

from ...errors import KitError

# Ranges, drawn from evenly; factors and exponents evenly in their logarithm, so that as many crops get less as get more.
BRIGHTNESS = (
    -30.0,
    30.0,
)  # gray levels added; the mean gray of half of 324 training images lies between 41 and 88
CONTRAST = (0.75, 1.33)  # factor of the distance from the crop's mean gray
GAMMA = (0.75, 1.33)  # exponent of the gray value over 255
BLUR = (0.3, 1.0)  # sigma, px; a wider one erases ships of a few px that the mask still shows
BLUR_SHARE = 0.3  # of the crops
JPEG = (
    50,
    95,
)  # quality, both ends included; of 324 training images 294 were written at 75, the others at 95
JPEG_SHARE = 0.3  # of the crops
SCALE = (0.8, 1.25)  # factor about the center: ships of another size or ground resolution
ROTATE = (-10.0, 10.0)  # degrees about the center; `dihedral` has the quarter turns
WARP_SHARE = 0.5  # of the crops, for `scale` and for `rotate`: the others keep the sharp outlines that interpolation softens
PASTE_SHARE = 0.5  # of the examples of a batch
_BLUR_RADIUS = 3  # px: three times the largest sigma


def dihedral(image, mask, seed):
    """One of the eight flips and quarter turns; an oblong image gets one of the four that keep its shape."""
    draws = tf.random.stateless_uniform([3], seed, 0, 2, tf.int32) > 0
    square = tf.equal(tf.shape(mask)[0], tf.shape(mask)[1])
    both = (image, mask)
    both = tf.cond(
        draws[2] & square,
        lambda: (tf.transpose(image, [1, 0, 2]), tf.transpose(mask)),
        lambda: both,
    )
    rows = tf.range(tf.shape(mask)[0])[::-1]
    both = tf.cond(
        draws[0],
        lambda now=both: tuple(tf.gather(part, rows) for part in now),
        lambda now=both: now,
    )  # a tenth of a reverse
    both = tf.cond(
        draws[1],
        lambda now=both: tuple(tf.reverse(part, [1]) for part in now),
        lambda now=both: now,
    )
    return _shaped_as(image, both[0]), _shaped_as(mask, both[1])


def brightness(image, mask, seed, shift=BRIGHTNESS):
    """Some gray levels added to every pixel."""
    return _look_up(image, _grays() + _between(seed, shift)), mask


def contrast(image, mask, seed, factor=CONTRAST):
    """Gray values moved away from the crop's mean gray, or toward it."""
    total = tf.reduce_sum(
        tf.cast(image, tf.int64)
    )  # integers: a sum of floats would depend on the number of threads
    mean = tf.cast(total / tf.size(image, tf.int64), tf.float32)
    return _look_up(image, mean + _factor_between(seed, factor) * (_grays() - mean)), mask


def gamma(image, mask, seed, exponent=GAMMA):
    """Gray values raised to a power: black and white stay, the middle gets darker or lighter."""
    return _look_up(image, 255 * (_grays() / 255) ** _factor_between(seed, exponent)), mask


def blur(image, mask, seed, sigma=BLUR, share=BLUR_SHARE):
    """A Gaussian blur of a share of the crops, the border pixels repeated beyond it; the mask stays as sharp as it was."""
    seeds = tf.random.split(seed, 2)
    width = 2 * _BLUR_RADIUS + 1

    def blurred():
        offset = tf.range(-_BLUR_RADIUS, _BLUR_RADIUS + 1, dtype=tf.float32)
        weight = tf.nn.softmax(-((offset / _between(seeds[1], sigma)) ** 2) / 2)
        weight = tf.tile(weight[:, None], [1, 3])  # the same for three channels
        wide = image
        for axis in (
            0,
            1,
        ):  # gathered: half the time of tf.pad, and a crop may be narrower than the radius
            side = tf.shape(image)[axis]
            wide = tf.gather(
                wide,
                tf.clip_by_value(tf.range(-_BLUR_RADIUS, side + _BLUR_RADIUS), 0, side - 1),
                axis=axis,
            )
        down = tf.nn.depthwise_conv2d(
            tf.cast(wide, tf.float32)[None], tf.reshape(weight, [width, 1, 3, 1]), [1] * 4, "VALID"
        )
        across = tf.nn.depthwise_conv2d(
            down, tf.reshape(weight, [1, width, 3, 1]), [1] * 4, "VALID"
        )
        return _to_gray(across[0]), mask

    return _on_a_share(image, mask, seeds[0], share, blurred)


def jpeg(image, mask, seed, quality=JPEG, share=JPEG_SHARE):
    """Encoded as a JPEG of a drawn quality and decoded again, on a share of the crops."""
    seeds = tf.random.split(seed, 2)

    def recoded():
        drawn = tf.random.stateless_uniform([], seeds[1], quality[0], quality[1] + 1, tf.int32)
        return tf.image.adjust_jpeg_quality(image, drawn), mask

    return _on_a_share(image, mask, seeds[0], share, recoded)


def scale(image, mask, seed, factor=SCALE, share=WARP_SHARE):
    """Larger or smaller about the center, a share of the crops; what a smaller one leaves free shows its mirror image, objects too."""
    seeds = tf.random.split(seed, 2)
    return _on_a_share(
        image,
        mask,
        seeds[0],
        share,
        lambda: _warp(image, mask, 1 / _factor_between(seeds[1], factor), 0.0),
    )


def rotate(image, mask, seed, degrees=ROTATE, share=WARP_SHARE):
    """Turned a little clockwise about the center, a share of the crops; the free corners show the mirror image, objects too."""
    seeds = tf.random.split(seed, 2)

    def turned():
        angle = _between(seeds[1], degrees) * (math.pi / 180)
        return _warp(image, mask, tf.cos(angle), -tf.sin(angle))

    return _on_a_share(image, mask, seeds[0], share, turned)


def copy_paste(images, masks, seed, share=PASTE_SHARE):
    """Objects of the next example of the batch pasted into a share of the examples: uint8 (b, h, w, 3) and (b, h, w) again.

    The donor is flipped as a whole, at random: what its border cuts off stays at the border. An object that would cover a pixel of one
    already there is left out whole, so no object hides another (in a mask with one number for all, that leaves out all). The others get
    the lowest free numbers; those beyond 255 are left out. Two px of the donor around an object are blended in at 2/3 and 1/3, except
    over objects already there, whose pixels never change. The examples are read before any is pasted into; a batch of one stays.
    """
    seeds, count = tf.random.split(seed, 2), tf.shape(images)[0]
    chosen = (tf.random.stateless_uniform([count], seeds[0]) < share) & (count > 1)
    donors, numbers = _flip_each(tf.roll(images, -1, 0), tf.roll(masks, -1, 0), seeds[1])
    pasted = tf.gather(
        _renumbering(masks, numbers, chosen), tf.cast(numbers, tf.int32), batch_dims=1
    )
    near = _grow(tf.cast(pasted > 0, tf.uint8))
    thirds = tf.cast(pasted > 0, tf.uint8) + near + _grow(near)
    weight = tf.cast(tf.where(masks > 0, tf.zeros_like(thirds), thirds), tf.float32)[..., None] / 3
    below = tf.cast(images, tf.float32)
    mixed = _to_gray(below + weight * (tf.cast(donors, tf.float32) - below))
    return _shaped_as(images, mixed), _shaped_as(
        masks, tf.maximum(masks, pasted)
    )  # they never meet: the larger is the one there


# In the order in which they are applied: what moves pixels, then colors, then what a camera and a file do to the result.
OPERATIONS: dict[str, Callable] = {
    "dihedral": dihedral,
    "scale": scale,
    "rotate": rotate,
    "brightness": brightness,
    "contrast": contrast,
    "gamma": gamma,
    "blur": blur,
    "jpeg": jpeg,
}
NAMES = (*OPERATIONS, "copy_paste")


def augment(names: Iterable[str]) -> Callable:
    """A function (image, mask, seed) -> (image, mask) of the named operations, in the order of OPERATIONS, whatever that of the names.

    Every operation draws from its own part of the seed: naming another one does not change its draws. `copy_paste` is left out, it needs
    a batch. Raises KitError for a name that is not in NAMES.
    """
    wanted = set(names)
    if unknown := sorted(wanted.difference(NAMES)):
        raise KitError(
            f"no augmentation is called {', '.join(unknown)}; there are {', '.join(NAMES)}"
        )

    def apply(image, mask, seed):
        seeds = tf.random.split(seed, len(OPERATIONS))
        for place, (name, operation) in enumerate(OPERATIONS.items()):
            if name in wanted:
                image, mask = operation(image, mask, seeds[place])
        return image, mask

    return apply


def _between(seed, ends):
    return tf.random.stateless_uniform([], seed, ends[0], ends[1])


def _factor_between(seed, ends):
    return tf.exp(_between(seed, (math.log(ends[0]), math.log(ends[1]))))


def _on_a_share(image, mask, seed, share, change):
    """change() for a share of the seeds, else image and mask as they are; only what is drawn is computed."""
    drawn = tf.random.stateless_uniform([], seed) < share
    changed = tf.cond(drawn, change, lambda: (image, mask))
    return _shaped_as(image, changed[0]), _shaped_as(mask, changed[1])


def _shaped_as(model, tensor):
    tensor.set_shape(model.shape)
    return tensor


def _grays():
    return tf.range(256, dtype=tf.float32)


def _to_gray(values):
    return tf.cast(
        tf.round(tf.clip_by_value(values, 0, 255)), tf.uint8
    )  # unclipped, a cast wraps around in an array's last few values


def _look_up(image, table):
    return tf.gather(_to_gray(table), tf.cast(image, tf.int32))


def _warp(image, mask, a, b):
    """Output pixel (x, y) shows the input at (a x - b y, b x + a y), both counted from the center."""
    height, width = tf.shape(mask)[0], tf.shape(mask)[1]
    x, y = tf.cast(width - 1, tf.float32) / 2, tf.cast(height - 1, tf.float32) / 2
    transform = tf.stack([a, -b, x - a * x + b * y, b, a, y - b * x - a * y, 0.0, 0.0])[None]

    def project(pixels, interpolation):
        return tf.raw_ops.ImageProjectiveTransformV3(
            images=pixels[None],
            transforms=transform,
            output_shape=tf.stack([height, width]),
            fill_value=0.0,
            interpolation=interpolation,
            fill_mode="REFLECT",
        )[0]

    moved = _to_gray(
        project(tf.cast(image, tf.float32), "BILINEAR")
    )  # on uint8 the kernel cuts fractions off: half a level darker
    return moved, project(mask[..., None], "NEAREST")[..., 0]


def _flip_each(images, masks, seed):
    """Every example upside down or not, and left to right or not."""
    count = tf.shape(images)[0]
    flips = tf.random.stateless_uniform([2, count], seed, 0, 2, tf.int32)
    for axis, flip in ((1, flips[0]), (2, flips[1])):
        which = (
            tf.range(count) + count * flip
        )  # whole examples are gathered: a third of the time of tf.where
        images = tf.gather(tf.concat([images, tf.reverse(images, [axis])], 0), which)
        masks = tf.gather(tf.concat([masks, tf.reverse(masks, [axis])], 0), which)
    return images, masks


def _renumbering(masks, numbers, chosen):
    """uint8 (b, 256): the number that an object of the donor gets, 0 where it is not pasted."""
    every = tf.range(256)
    taken = _occurring(masks) | (every == 0)
    covering = _occurring(tf.where(masks > 0, numbers, tf.zeros_like(numbers)))
    pasted = _occurring(numbers) & ~covering & (every > 0) & chosen[:, None]
    free = tf.sort(
        every + 256 * tf.cast(taken, tf.int32)
    )  # the free numbers, ascending; then those taken, made 256 or more
    given = tf.gather(free, tf.cumsum(tf.cast(pasted, tf.int32), 1, exclusive=True), batch_dims=1)
    return tf.cast(tf.where(pasted & (given < 256), given, 0), tf.uint8)


def _occurring(masks):
    """bool (b, 256): which numbers a mask holds."""
    flat = tf.reshape(tf.cast(masks, tf.int32), [tf.shape(masks)[0], -1])
    return tf.math.bincount(flat, axis=-1, minlength=256, maxlength=256, binary_output=True) > 0


def _grow(masks):
    """The largest value among a pixel and its eight neighbors; slices took half the time of a max-pooling of floats."""
    rows = tf.pad(masks, [[0, 0], [1, 1], [0, 0]])
    rows = tf.maximum(tf.maximum(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:])
    wide = tf.pad(rows, [[0, 0], [0, 0], [1, 1]])
    return tf.maximum(tf.maximum(wide[:, :, :-2], wide[:, :, 1:-1]), wide[:, :, 2:])
