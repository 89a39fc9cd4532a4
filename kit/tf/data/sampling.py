"""Which image each crop comes from: a function of the crop's number, so that a training starts at any step and skips nothing."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from ...errors import KitError

MOST = 15  # objects; more count as this many where object counts are balanced


@dataclass(frozen=True)
class Sampling:
    """Groups of images and how many crops of an epoch each gives; the arrays of the groups stand one after the other."""

    seed: int
    members: np.ndarray  # int64: images of all groups
    first: np.ndarray  # int64 (groups,): where the images of each begin
    counts: np.ndarray  # int64 (groups,): images of each
    bounds: np.ndarray  # int64 (groups + 1,): crops of an epoch, group by group
    around: np.ndarray  # bool (groups,): the crop lies around an object

    def draw(self, numbers: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Crops by number, int64 (n,) from 0, to images, int64 (n,), and whether each crop lies around an object, bool (n,).

        An epoch's crops are permuted by (seed, epoch). Each group goes through its images again and again, every time in another order,
        so after any number of whole epochs each was shown as often as any other of the group, or once more.
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
    """The images of `places` under permutations of range(count), one for each seed and keys."""
    shape = tf.shape(places)
    seeds = tf.stack(
        [
            tf.fill(shape, tf.constant(seed, tf.int64)),
            *(tf.broadcast_to(tf.cast(key, tf.int64), shape) for key in keys),
        ],
        1,
    )
    last = tf.broadcast_to(tf.cast(count, tf.int64), shape) - 1
    return tf.raw_ops.RandomIndexShuffle(
        index=places, seed=seeds, max_index=last
    )  # tf.random.experimental's wrapper takes no vectors


def plan_sampling(
    objects: np.ndarray,
    crops: int,
    *,
    ship_share: float,
    empty_share: float | None = None,
    balance: bool = False,
    seed: int = 0,
) -> Sampling:
    """How an epoch of `crops` crops is drawn from images with `objects` objects each, int (images,).

    ship_share: share of crops around an object drawn at random; empty_share: share of crops from images without one, None for whatever
    all images hold, of which the other crops are then drawn; balance: every object count (0 to 14, 15 and more) is drawn equally often.
    Raises KitError for shares that add up to more than one, or where there is no image for a share.
    """
    objects, everything = np.asarray(objects), np.arange(len(objects))
    full, empty = np.flatnonzero(objects > 0), np.flatnonzero(objects == 0)
    if min(ship_share, empty_share or 0) < 0 or ship_share + (empty_share or 0) > 1 + 1e-9:
        raise KitError(
            f"--ship-share {ship_share:g} and --empty-share {empty_share or 0:g}: less than 0, or together more than 1"
        )
    rest = 1 - ship_share - (empty_share or 0)
    groups = [(full, ship_share, True, f"--ship-share {ship_share:g}: no image holds an object")]
    if empty_share is None:
        groups.append((everything, rest, False, "no image"))
    else:
        groups.append(
            (
                empty,
                empty_share,
                False,
                f"--empty-share {empty_share:g}: every image holds an object",
            )
        )
        groups.append(
            (full, rest, False, f"--empty-share {empty_share:g}: no image holds an object")
        )
    parts: list[tuple[np.ndarray, float, bool]] = []
    for images, share, around, problem in groups:
        if share > 1e-9:
            if not len(images):
                raise KitError(problem)
            counts = np.minimum(objects[images], MOST) if balance else np.zeros(len(images))
            kinds = np.unique(counts)
            parts += [(images[counts == kind], share / len(kinds), around) for kind in kinds]
    sizes = np.array([len(images) for images, _, _ in parts], np.int64)
    bounds = np.round(crops * np.cumsum([0.0, *(share for _, share, _ in parts)])).astype(np.int64)
    first = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    members = np.concatenate([images for images, _, _ in parts]).astype(np.int64)
    return Sampling(
        seed, members, first, sizes, bounds, np.array([around for _, _, around in parts])
    )
