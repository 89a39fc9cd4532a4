"""Known ways to get run-length encoding and object F2 wrong: each must be caught.

Each was seen in public code or is one slip away from it.

Right ones pass `verify_encoder` and `verify_scorer`, as the kit's own do.
"""

import numpy as np
import pytest
from skimage.measure import label

from kit.competition import csv_text
from kit.masks import dense
from kit.scoring import summary
from kit.scoring.counts import count
from tests.oracles import encode_by_hand, f2_by_hand


def make_masks():
    rng = np.random.default_rng(0)
    for shape in ((1, 1), (1, 6), (6, 1), (4, 7), (5, 3)):
        size = shape[0] * shape[1]
        for place in {0, size - 1, size - 2, size // 2} & set(range(size)):
            flat = np.zeros(size, bool)
            flat[place] = True
            yield flat.reshape(shape[::-1]).T
        yield np.ones(shape, bool)
        yield np.zeros(shape, bool)
        for _ in range(20):
            yield rng.random(shape) < 0.5


def verify_encoder(encode) -> None:
    """encode(mask (height, width) bool) -> text."""
    for mask in make_masks():
        assert encode(mask) == encode_by_hand(mask), mask


def make_pairs():
    rng = np.random.default_rng(0)
    empty = np.zeros((1, 40), int)
    for k in range(10, 20):  # ties at exactly k/20
        truth, prediction = empty.copy(), empty.copy()
        truth[0, :20], prediction[0, :k] = 1, 1
        yield truth, prediction
    one, three = empty.copy(), empty.copy()
    one[0, :4] = three[0, :4] = 1
    three[0, 10], three[0, 20] = 2, 3
    touching = np.array([[1, 1, 2, 2], [1, 1, 2, 2]])
    yield from (
        (one, three),
        (three, one),
        (empty, empty),
        (empty, one),
        (one, empty),
        (touching, touching),
        (touching > 0, touching > 0),
    )
    broken = np.array([[1, 0, 1, 1, 0, 2]])  # one object may be several pieces
    yield broken, broken
    for _ in range(100):
        yield tuple(rng.integers(0, 4, (2, 4, 5)))


def verify_scorer(f2) -> None:
    """f2(list of (truth, prediction) label images) -> mean object F2 over images."""
    pairs = [(np.asarray(a, int), np.asarray(b, int)) for a, b in make_pairs()]
    for pair in pairs:
        assert f2([pair]) == pytest.approx(float(f2_by_hand(*pair)), abs=1e-12), pair
    assert f2(pairs) == pytest.approx(
        float(np.mean([float(f2_by_hand(*pair)) for pair in pairs])), abs=1e-9
    )


def kit_encode(mask):
    text = csv_text.format_csv(dense.from_masks(["a"], [mask[None]])).decode()
    return text.splitlines()[1].partition(",")[2]


def kit_f2(pairs):
    names = [str(place) for place in range(len(pairs))]
    return summary.summarize(
        count(*(dense.from_labels(names, [pair[side] for pair in pairs]) for side in (0, 1)))
    )["f2"]


def encode_from(flat, edges, one_based=1) -> str:
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return " ".join(f"{start + one_based} {end - start}" for start, end in zip(starts, ends))


def loses_a_first_pixel(mask):
    flat = mask.T.ravel().astype(int)
    return encode_from(flat, np.concatenate([[0], np.diff(flat), [-flat[-1]]]))


def loses_a_last_pixel(mask):
    flat = mask.T.ravel().astype(int)
    flat[-1] = 0  # "so that the last run ends"
    return encode_from(flat, np.diff(flat, prepend=0, append=0))


def shifts_a_last_run(mask):
    flat = mask.T.ravel().astype(int)
    text = encode_by_hand(mask).split()
    if len(flat) > 1 and flat[-2] and not flat[-1]:
        text[-2] = str(int(text[-2]) + 1)
    return " ".join(text)


def goes_across(mask):
    return encode_by_hand(mask.T)


def counts_from_zero(mask):
    flat = mask.T.ravel().astype(int)
    return encode_from(flat, np.diff(flat, prepend=0, append=0), one_based=0)


def writes_ends(mask):
    flat = mask.T.ravel().astype(int)
    edges = np.diff(flat, prepend=0, append=0)
    return " ".join(
        f"{start + 1} {end}"
        for start, end in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1))
    )


def breaks_runs_at_columns(mask):
    numbers = []
    for column in range(mask.shape[1]):
        text = encode_by_hand(mask[:, column : column + 1]).split()
        numbers += [
            str(int(n) + (column * mask.shape[0] if place % 2 == 0 else 0))
            for place, n in enumerate(text)
        ]
    return " ".join(numbers)


ENCODERS = [
    loses_a_first_pixel,
    loses_a_last_pixel,
    shifts_a_last_run,
    goes_across,
    counts_from_zero,
    writes_ends,
    breaks_runs_at_columns,
]


def make_scorer(
    hit=lambda shared, union, k: 20 * shared > k * union,
    value=lambda tp, fp, fn: 5 * tp / (5 * tp + 4 * fn + fp),
    relabel=False,
    empty=1.0,
    false_alarm=0.0,
    pooled=False,
    skip_empty=False,
):
    """A plain scorer with one thing changed."""

    def f2(pairs):
        values, totals = [], np.zeros((10, 3))
        for truth, prediction in pairs:
            if relabel:
                truth = label(truth > 0, connectivity=1)
            a, b = ([image == v for v in np.unique(image) if v] for image in (truth, prediction))
            if skip_empty and not a:
                continue
            counts = []
            for k in range(10, 20):
                tp = sum(any(hit((x & y).sum(), (x | y).sum(), k) for y in b) for x in a)
                counts.append((tp, len(b) - tp, len(a) - tp))
            totals += counts
            values.append(
                empty
                if not a and not b
                else false_alarm
                if not a
                else np.mean([value(*row) for row in counts])
            )
        if pooled:
            return float(np.mean([value(*row) if sum(row) else 1.0 for row in totals]))
        return float(np.mean(values)) if values else 0.0

    return f2


SCORERS = {
    "FN and FP swapped": make_scorer(value=lambda tp, fp, fn: 5 * tp / (5 * tp + fn + 4 * fp)),
    "IoU at least the threshold": make_scorer(
        hit=lambda shared, union, k: 20 * shared >= k * union
    ),
    "float32 IoU": make_scorer(
        hit=lambda shared, union, k: float(np.float32(shared / union)) > k / 20
    ),
    "thresholds of np.arange": make_scorer(
        hit=lambda shared, union, k: shared / union >= np.arange(0.5, 1, 0.05)[k - 10]
    ),
    "nine thresholds": make_scorer(hit=lambda shared, union, k: k < 19 and 20 * shared > k * union),
    "ships relabeled from their union": make_scorer(relabel=True),
    "nothing in both is nothing": make_scorer(empty=0.0),
    "a false alarm on an empty image is free": make_scorer(false_alarm=1.0),
    "counts pooled over images": make_scorer(pooled=True),
    "empty images left out": make_scorer(skip_empty=True),
    "F1": make_scorer(value=lambda tp, fp, fn: 2 * tp / (2 * tp + fn + fp)),
    "TP/(TP+FP+FN)": make_scorer(value=lambda tp, fp, fn: tp / (tp + fn + fp)),
    "Dice in place of IoU": make_scorer(
        hit=lambda shared, union, k: 40 * shared > k * (union + shared)
    ),
}


def test_the_kit_passes():
    verify_encoder(kit_encode)
    verify_scorer(kit_f2)
    verify_scorer(make_scorer())  # with nothing changed


@pytest.mark.parametrize("mutant", ENCODERS, ids=lambda mutant: mutant.__name__)
def test_every_wrong_encoder_is_caught(mutant):
    with pytest.raises(AssertionError):
        verify_encoder(mutant)


@pytest.mark.parametrize("mutant", SCORERS.values(), ids=SCORERS)
def test_every_wrong_scorer_is_caught(mutant):
    with pytest.raises(AssertionError):
        verify_scorer(mutant)
