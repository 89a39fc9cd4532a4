"""Sampling: which image each crop comes from.

The image is a function of the crop's number, so a training can start at any step and skip nothing.
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from ...errors import KitError

MOST = 15  # objects; balancing counts more objects as this many


@dataclass(frozen=True)
class Sampling:
    """Groups of images, and how many crops of an epoch come from each."""

    seed: int
    members: np.ndarray  # int64: images of all groups, one group after the other
    first: np.ndarray  # int64 (groups,): where the images of each group begin
    counts: np.ndarray  # int64 (groups,): number of images in each group
    bounds: np.ndarray  # int64 (groups + 1,): borders of the groups among the crops of an epoch
    around: np.ndarray  # bool (groups,): whether the crops lie around an object

    def draw(self, numbers: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Finds the images of crops.

        (seed, epoch) permutes the crops of an epoch. Each group passes through its images again and
        again, every time in another order. So after any number of whole epochs, the counts of how
        often each image of a group was shown differ by one at most.

        Args:
            numbers: int64 (n,), the numbers of the crops, from 0.

        Returns:
            The images, int64 (n,), and whether each crop lies around an object, bool (n,).
        """
        total = int(self.bounds[-1])
        epoch = numbers // total
        place = _permute(numbers % total, (epoch, -1), total, self.seed)
        group = tf.searchsorted(
            tf.constant(self.bounds[1:]), place, side="right", out_type=tf.int64
        )
        share = tf.gather(tf.constant(np.diff(self.bounds)), group)
        turn = epoch * share + place - tf.gather(tf.constant(self.bounds), group)
        count = tf.gather(tf.constant(self.counts), group)
        which = _permute(turn % count, (turn // count, group), count, self.seed)
        image = tf.gather(
            tf.constant(self.members), tf.gather(tf.constant(self.first), group) + which
        )
        return image, tf.gather(tf.constant(self.around), group)


def _permute(places, keys, count, seed: int):
    """Permutes `places` in range(count); every (seed, *keys) has its own permutation."""
    shape = tf.shape(places)
    seeds = tf.stack(
        [
            tf.fill(shape, tf.constant(seed, tf.int64)),
            *(tf.broadcast_to(tf.cast(key, tf.int64), shape) for key in keys),
        ],
        1,
    )
    last = tf.broadcast_to(tf.cast(count, tf.int64), shape) - 1
    # The wrapper in tf.random.experimental takes no vectors.
    return tf.raw_ops.RandomIndexShuffle(index=places, seed=seeds, max_index=last)


def plan_sampling(
    objects: np.ndarray,
    crops: int,
    *,
    ship_share: float,
    empty_share: float | None = None,
    balance: bool = False,
    seed: int = 0,
) -> Sampling:
    """Plans how the crops of an epoch are drawn.

    Args:
        objects: int (images,), number of objects in each image.
        crops: crops per epoch.
        ship_share: share of the crops that lie around an object drawn at random.
        empty_share: share of the crops from images without objects. The other crops come from
            images with objects, or, if this is None, from all images.
        balance: draw each object count (0 to 14, 15 and more) equally often.
        seed: seed of the order.

    Raises:
        KitError: if the shares add up to more than one, or a share has no image.
    """
    objects, everything = np.asarray(objects), np.arange(len(objects))
    full, empty = np.flatnonzero(objects > 0), np.flatnonzero(objects == 0)
    if min(ship_share, empty_share or 0) < 0 or ship_share + (empty_share or 0) > 1 + 1e-9:
        raise KitError(
            f"--ship-share {ship_share:g} and --empty-share {empty_share or 0:g}: "
            "one is less than 0, or they are together more than 1"
        )
    rest = 1 - ship_share - (empty_share or 0)
    asked = [(full, ship_share, True, f"--ship-share {ship_share:g}: no image holds an object")]
    if empty_share is None:
        asked.append((everything, rest, False, "no image to draw crops from"))
    else:
        flag = f"--empty-share {empty_share:g}"
        asked.append((empty, empty_share, False, f"{flag}: every image holds an object"))
        asked.append((full, rest, False, f"{flag}: no image holds an object"))
    groups: list[tuple[np.ndarray, float, bool]] = []
    for images, share, around, problem in asked:
        if share > 1e-9:
            if not len(images):
                raise KitError(problem)
            counts = np.minimum(objects[images], MOST) if balance else np.zeros(len(images))
            kinds = np.unique(counts)
            groups += [(images[counts == kind], share / len(kinds), around) for kind in kinds]
    sizes = np.array([len(images) for images, _, _ in groups], np.int64)
    bounds = np.round(crops * np.cumsum([0.0, *(share for _, share, _ in groups)])).astype(np.int64)
    first = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    members = np.concatenate([images for images, _, _ in groups]).astype(np.int64)
    return Sampling(
        seed, members, first, sizes, bounds, np.array([around for _, _, around in groups])
    )
