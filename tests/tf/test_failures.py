import pytest
import tensorflow as tf

from kit.errors import KitError
from kit.tf.failures import explained


def test_memory_that_is_not_enough_is_one_line_with_the_way_out():
    @explained
    def compute():
        raise tf.errors.ResourceExhaustedError(
            None, None, "OOM when allocating\ntensor with shape [8,256]"
        )

    with pytest.raises(KitError, match="--batch") as error:
        compute()
    assert "\n" not in str(error.value)


def test_results_and_other_errors_pass_through():
    assert explained(max)(1, 2) == 2
    with pytest.raises(ZeroDivisionError):
        explained(divmod)(1, 0)
