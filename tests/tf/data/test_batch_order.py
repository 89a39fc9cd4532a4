"""The order of batches: the same for a seed, from any start, and with any number of threads."""

import numpy as np
import pytest
import tensorflow as tf

from kit.records.index import open_index, select
from kit.tf.data.augmentation import NAMES
from kit.tf.data.batches import batches, scan
from tests.tf.data.conftest import equal, take

STEPS = {"batch": 2, "steps": 3, "crop": 64, "seed": 4}


DRAWN = ("dihedral", "brightness", "copy_paste")  # the cheapest that draw for crops and for batches


@pytest.mark.parametrize(
    "choice",
    [{}, {"augment": DRAWN}, {"balance": True, "ship_share": 0.5, "augment": None}],
)
def test_a_start_gives_what_follows_as_if_it_had_run_from_the_beginning(pair, choice):
    every = take(batches(pair[0], **STEPS, **choice), 8)  # more than two epochs
    assert not equal(every[:3], every[3:6])
    for start in (1, 5):
        assert equal(
            take(batches(pair[0], **STEPS, start=start, **choice), 8 - start), every[start:]
        )


def test_a_start_far_away_is_there_at_once(pair):
    far = 10**12
    assert equal(
        take(batches(pair[0], **STEPS, start=far), 4)[1:],
        take(batches(pair[0], **STEPS, start=far + 1), 3),
    )


def test_blocks_of_drawn_numbers_leave_no_seam(pair):
    choice = {"batch": 100, "steps": 3, "crop": 8, "augment": None}
    assert equal(
        take(batches(pair[0], **choice), 4)[2:], take(batches(pair[0], start=2, **choice), 2)
    )  # blocks begin elsewhere


def test_the_same_seed_gives_the_same_batches_and_another_seed_others(records):
    choice = {"batch": 4, "crop": 64, "augment": DRAWN}
    first, again, other = (take(batches(records, seed=seed, **choice), 2) for seed in (1, 1, 2))
    assert equal(first, again) and not equal(first, other)
    alone = select(open_index(records), np.array([1]))
    one, two = (
        take(batches(alone, batch=2, crop=64, ship_share=0.0, augment=None, seed=seed), 2)
        for seed in (1, 2)
    )
    assert not equal(one, two)  # not only another order of images: other windows


def test_the_order_does_not_depend_on_the_number_of_threads(pair):
    options = tf.data.Options()
    options.threading.private_threadpool_size = 1
    every = batches(pair[0], **STEPS, augment=NAMES)
    assert equal(take(every, 3), take(every.with_options(options), 3))


def test_batches_have_no_end(pair):
    data = batches(select(pair[0], np.arange(3)), batch=8, crop=16, steps=1)
    assert len(take(data, 40)) == 40 and tf.data.experimental.cardinality(data) != 1


def operations(data) -> set[str]:
    """Every operation in a data set's graph and in the functions that it maps."""
    return {node.op for node in nodes(data)}


def nodes(data) -> list:
    graph = tf.compat.v1.GraphDef.FromString(
        tf.raw_ops.DatasetToGraphV2(input_dataset=data._variant_tensor).numpy()
    )
    return [
        *graph.node,
        *(node for function in graph.library.function for node in function.node_def),
    ]


def in_python(data) -> set[str]:
    return {name for name in operations(data) if "PyFunc" in name or name == "GeneratorDataset"}


def test_crops_made_by_several_threads_keep_their_order(pair):
    for data in (batches(pair[0], crop=64), scan(pair[0], 2)):
        parallel = [node for node in nodes(data) if node.op.startswith("ParallelMap")]
        assert parallel and {node.attr["deterministic"].s for node in parallel} == {b"true"}


def test_no_python_runs_for_a_batch(pair):
    for index in pair:
        for choice in ({"crop": 64, "augment": NAMES}, {"crop": None, "shrink": 2}):
            data = batches(index, **choice)
            found = operations(data)
            assert not in_python(data) and {"ScatterNd", "DecodePng", "RandomIndexShuffle"} <= found
            assert ("DecodeAndCropJpeg" in found) == (choice["crop"] is not None)
        assert not in_python(scan(index, 2))
    python = batches(
        pair[0],
        crop=64,
        augment=lambda image, mask, seed: tf.py_function(
            lambda *parts: parts, [image, mask], [tf.uint8] * 2
        ),
    )
    assert in_python(python)  # it would be seen
