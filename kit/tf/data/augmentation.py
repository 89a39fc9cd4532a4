"""Augmentation: training crops changed at random in tf.data, image and mask alike.

An operation is `operation(image, mask, seed) -> (image, mask)`:

- image: uint8 (h, w, 3)
- mask: uint8 (h, w), 0 is background, any other value is the number of an object
- seed: integer tensor (2,), which decides every draw: equal seeds give equal bytes

Operations keep shapes (static ones too) and dtypes. They move a mask's pixels and never average
them, so that object numbers survive. `kit.tf.data.pasting` works on a whole batch.
"""

import math
from collections.abc import Callable, Iterable

import tensorflow as tf

from ...errors import KitError

# Draws are uniform in these ranges. Those of factors and exponents are uniform in the logarithm, so
# that as many crops get less as get more.
# Gray levels added. The mean gray of half of 324 training images lies between 41 and 88.
BRIGHTNESS = (-30.0, 30.0)
CONTRAST = (0.75, 1.33)  # factor of the distance from the crop's mean gray
GAMMA = (0.75, 1.33)  # exponent of the gray value over 255
BLUR = (0.3, 1.0)  # sigma, px; a wider one erases ships of a few px that the mask still shows
BLUR_SHARE = 0.3  # of the crops
JPEG = (50, 95)  # quality, both ends included; 294 of 324 training images have 75, the others 95
JPEG_SHARE = 0.3  # of the crops
SCALE = (0.8, 1.25)  # factor about the center: ships of another size or ground resolution
ROTATE = (-10.0, 10.0)  # degrees about the center; `dihedral` has the quarter turns
# Share of the crops that `scale` and `rotate` change. The others keep the sharp outlines that
# interpolation softens.
WARP_SHARE = 0.5
_BLUR_RADIUS = 3  # px: three times the largest sigma


def dihedral(image, mask, seed):
    """Applies one of the eight flips and quarter turns at random.

    An oblong image gets one of the four that keep its shape.
    """
    draws = tf.random.stateless_uniform([3], seed, 0, 2, tf.int32) > 0
    square = tf.equal(tf.shape(mask)[0], tf.shape(mask)[1])
    both = (image, mask)
    both = tf.cond(
        draws[2] & square,
        lambda: (tf.transpose(image, [1, 0, 2]), tf.transpose(mask)),
        lambda: both,
    )
    rows = tf.range(tf.shape(mask)[0])[::-1]
    both = tf.cond(  # gathered rows take a tenth of the time of tf.reverse
        draws[0],
        lambda now=both: tuple(tf.gather(pixels, rows) for pixels in now),
        lambda now=both: now,
    )
    both = tf.cond(
        draws[1],
        lambda now=both: tuple(tf.reverse(pixels, [1]) for pixels in now),
        lambda now=both: now,
    )
    return keep_shape(image, both[0]), keep_shape(mask, both[1])


def brightness(image, mask, seed, shift=BRIGHTNESS):
    """Adds the same number of gray levels to every pixel.

    Args:
        image, mask, seed: see the module's docstring.
        shift: lowest and highest number of gray levels.
    """
    return _look_up(image, _grays() + _between(seed, shift)), mask


def contrast(image, mask, seed, factor=CONTRAST):
    """Moves gray values away from the crop's mean gray or toward it.

    Args:
        image, mask, seed: see the module's docstring.
        factor: lowest and highest factor of the distance from the mean.
    """
    # Integers: a sum of floats would depend on the number of threads.
    total = tf.reduce_sum(tf.cast(image, tf.int64))
    mean = tf.cast(total / tf.size(image, tf.int64), tf.float32)
    return _look_up(image, mean + _factor_between(seed, factor) * (_grays() - mean)), mask


def gamma(image, mask, seed, exponent=GAMMA):
    """Raises gray values to a power: black and white stay, the middle gets darker or lighter.

    Args:
        image, mask, seed: see the module's docstring.
        exponent: lowest and highest exponent of the gray value over 255.
    """
    return _look_up(image, 255 * (_grays() / 255) ** _factor_between(seed, exponent)), mask


def blur(image, mask, seed, sigma=BLUR, share=BLUR_SHARE):
    """Blurs a share of the crops with a Gaussian; the mask stays sharp.

    Beyond the border of the crop its border pixels repeat.

    Args:
        image, mask, seed: see the module's docstring.
        sigma: smallest and largest standard deviation in px.
        share: share of the crops that are blurred.
    """
    seeds = tf.random.split(seed, 2)
    width = 2 * _BLUR_RADIUS + 1

    def blurred():
        offset = tf.range(-_BLUR_RADIUS, _BLUR_RADIUS + 1, dtype=tf.float32)
        weight = tf.nn.softmax(-((offset / _between(seeds[1], sigma)) ** 2) / 2)
        weight = tf.tile(weight[:, None], [1, 3])  # the same for three channels
        wide = image
        # Gathering takes half the time of tf.pad, and a crop may be narrower than the radius.
        for axis in (0, 1):
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
        return to_gray(across[0]), mask

    return _on_a_share(image, mask, seeds[0], share, blurred)


def jpeg(image, mask, seed, quality=JPEG, share=JPEG_SHARE):
    """Encodes a share of the crops as JPEG of a random quality and decodes them again.

    Args:
        image, mask, seed: see the module's docstring.
        quality: lowest and highest quality, both included.
        share: share of the crops that are encoded.
    """
    seeds = tf.random.split(seed, 2)

    def recoded():
        drawn = tf.random.stateless_uniform([], seeds[1], quality[0], quality[1] + 1, tf.int32)
        return tf.image.adjust_jpeg_quality(image, drawn), mask

    return _on_a_share(image, mask, seeds[0], share, recoded)


def scale(image, mask, seed, factor=SCALE, share=WARP_SHARE):
    """Enlarges or shrinks a share of the crops about the center.

    The border that a shrunk crop leaves free shows its mirror image, objects too.

    Args:
        image, mask, seed: see the module's docstring.
        factor: smallest and largest factor.
        share: share of the crops that are scaled.
    """
    seeds = tf.random.split(seed, 2)
    return _on_a_share(
        image,
        mask,
        seeds[0],
        share,
        lambda: _warp(image, mask, 1 / _factor_between(seeds[1], factor), 0.0),
    )


def rotate(image, mask, seed, degrees=ROTATE, share=WARP_SHARE):
    """Turns a share of the crops a little about the center, clockwise if the angle is positive.

    The free corners show the mirror image, objects too.

    Args:
        image, mask, seed: see the module's docstring.
        degrees: smallest and largest angle.
        share: share of the crops that are turned.
    """
    seeds = tf.random.split(seed, 2)

    def turned():
        angle = _between(seeds[1], degrees) * (math.pi / 180)
        return _warp(image, mask, tf.cos(angle), -tf.sin(angle))

    return _on_a_share(image, mask, seeds[0], share, turned)


# In the order of application: what moves pixels, then colors, then what a camera and a file do to
# the result.
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
NAMES = (*OPERATIONS, "copy_paste")  # the last one is in `kit.tf.data.pasting`


def augment(names: Iterable[str]) -> Callable:
    """Combines operations into one function (image, mask, seed) -> (image, mask).

    They run in the order of OPERATIONS, whatever the order of `names`. Each draws from its own
    slice of the seed, so another name does not change its draws. The function leaves out
    `copy_paste`, which needs a batch.

    Raises:
        KitError: if a name is not in NAMES.
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
    """Returns change() for a share of the seeds, else (image, mask); only one is computed."""
    drawn = tf.random.stateless_uniform([], seed) < share
    changed = tf.cond(drawn, change, lambda: (image, mask))
    return keep_shape(image, changed[0]), keep_shape(mask, changed[1])


def keep_shape(model, tensor):
    """Gives a tensor the static shape of another one, and returns it."""
    tensor.set_shape(model.shape)
    return tensor


def _grays():
    return tf.range(256, dtype=tf.float32)


def to_gray(values):
    """Rounds floats to uint8; values below 0 and above 255 become black and white."""
    # Without the clip, the cast wraps around in the last few values of an array.
    return tf.cast(tf.round(tf.clip_by_value(values, 0, 255)), tf.uint8)


def _look_up(image, table):
    return tf.gather(to_gray(table), tf.cast(image, tf.int32))


def _warp(image, mask, a, b):
    """Shows at (x, y) the input at (a x - b y, b x + a y), both counted from the center."""
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

    # On uint8 the kernel cuts fractions off, so images would get half a level darker.
    moved = to_gray(project(tf.cast(image, tf.float32), "BILINEAR"))
    return moved, project(mask[..., None], "NEAREST")[..., 0]
