import numpy as np

from kit.tf.network.unet import unet
from tests.tf.network.conftest import noise


def test_slim_is_small_and_sees_a_whole_ship():
    network = unet("slim", filters=(96, 48, 32, 16, 8), output=2)
    assert (
        network.count_params()
        < unet("resnet18", filters=(96, 48, 32, 16, 8), output=2).count_params() / 3
    )
    side = 448
    image = noise(1, side, side)
    other = image.copy()
    other[0, side // 2, side // 2] ^= 255
    change = (
        np.abs(network(other, training=False).numpy() - network(image, training=False).numpy())[0]
        > 0
    )
    rows, columns = np.nonzero(change)
    for places in (rows, columns):  # ships are up to some 400 px long
        assert places.min() < side // 2 - 200 and places.max() > side // 2 + 200
