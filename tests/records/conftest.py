"""What the tests of records share."""

import numpy as np
import pytest

from kit.records.index import index_records
from kit.records.manifest import open_records

TRUTH = "train_ship_segmentations_v2.csv"


@pytest.fixture(scope="module")
def indexed(records):
    return index_records(open_records(records))


def same(a, b) -> bool:
    """Whether two indexes hold the same images, truth, scenes and folds."""
    return (
        a.truth == b.truth
        and np.array_equal(a.scenes, b.scenes)
        and np.array_equal(a.folds, b.folds)
    )
