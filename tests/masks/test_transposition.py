"""Transposed runs against transposed images."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kit.masks import dense, transposition


@given(
    st.tuples(st.integers(1, 8), st.integers(1, 8)).flatmap(
        lambda shape: arrays(np.int32, shape, elements=st.integers(0, 3))
    )
)
def test_transposed_runs_are_the_runs_of_the_transposed_image(image):
    table = dense.from_labels(["a"], [image])
    height, width = (np.full(len(table.labels), side, np.int64) for side in image.shape)
    start, length, offsets = transposition.transpose(
        table.start, table.length, table.runs, height, width
    )
    for item in range(len(table.labels)):
        mine = slice(offsets[item], offsets[item + 1])
        flat = np.zeros(image.size, bool)
        for begin, size in zip(start[mine], length[mine]):
            flat[begin : begin + size] = True
        assert np.array_equal(flat.reshape(image.shape), dense.to_labels(table, 0) == item + 1)
        assert (np.diff(start[mine]) > length[mine][:-1]).all()  # no two runs that could be one
