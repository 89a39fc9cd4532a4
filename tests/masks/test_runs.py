"""Kernels on runs against exact fractions."""

from kit.masks import runs


def test_hits_are_the_thresholds_strictly_below_the_iou():
    for union in range(1, 121):
        for shared in range(union + 1):
            assert runs.count_levels(shared, union) == sum(
                20 * shared > k * union for k in range(10, 20)
            )
