import numpy as np
import pytest

from kit.encoders import ENCODERS
from kit.tf.network.ends import Prepare
from tests.tf.network.conftest import noise


@pytest.mark.parametrize(
    "encoder",
    [name for name, encoder in ENCODERS.items() if encoder.family == "segmentation-models"],
)
def test_values_are_what_the_encoders_weights_expect(encoder):
    import segmentation_models as sm

    image = noise(1, 32, 32)
    expected = sm.get_preprocessing(encoder)(image.astype(np.float32))
    assert np.allclose(
        Prepare(ENCODERS[encoder].mean, ENCODERS[encoder].deviation)(image), expected, atol=1e-5
    )
