"""Kernels on runs against sets of pixels."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kit.masks import dense, runs


def test_hits_are_the_thresholds_strictly_below_the_iou():
    for union in range(1, 121):
        for shared in range(union + 1):
            assert runs.count_levels(shared, union) == sum(
                20 * shared > k * union for k in range(10, 20)
            )


@given(
    st.tuples(st.integers(1, 8), st.integers(1, 8)).flatmap(
        lambda shape: arrays(np.int32, shape, elements=st.integers(0, 3))
    )
)
def test_transposed_runs_are_the_runs_of_the_transposed_image(image):
    table = dense.from_labels(["a"], [image])
    height, width = (np.full(len(table.labels), side, np.int64) for side in image.shape)
    start, length, offsets = runs.transpose(table.start, table.length, table.runs, height, width)
    for item in range(len(table.labels)):
        mine = slice(offsets[item], offsets[item + 1])
        flat = np.zeros(image.size, bool)
        for begin, size in zip(start[mine], length[mine]):
            flat[begin : begin + size] = True
        assert np.array_equal(flat.reshape(image.shape), dense.to_labels(table, 0) == item + 1)
        assert (np.diff(start[mine]) > length[mine][:-1]).all()  # no two runs that could be one
