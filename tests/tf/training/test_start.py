import keras
import pytest

from kit.errors import KitError
from kit.settings import TrainSettings
from kit.tf.training.start import build_optimizer, find_encoder_layer
from tests.tf.training.conftest import small_network

CHOSEN = TrainSettings(encoder_rate=0.5, freeze_encoder=3)


def test_the_encoder_of_ones_own_network_is_the_layer_of_that_name():
    inputs = keras.Input((8, 8, 3))
    encoder = keras.Sequential([keras.layers.Conv2D(2, 1)], name="encoder")
    network = keras.Model(inputs, keras.layers.Conv2D(1, 1)(encoder(inputs)))
    assert find_encoder_layer(TrainSettings(), network) is None
    assert find_encoder_layer(CHOSEN, network) is encoder
    optimizer = build_optimizer(CHOSEN, network, encoder)
    assert [optimizer.in_encoder(weight) for weight in network.weights] == [True] * 2 + [False] * 2
    assert (optimizer.encoder_rate, optimizer.freezes) == (0.5, True)
    only = keras.Model(inputs, encoder(inputs))
    with pytest.raises(KitError, match="--freeze-encoder: your network has no weights besides"):
        find_encoder_layer(CHOSEN, only)


@pytest.mark.parametrize("option", ["encoder_rate", "freeze_encoder"])
def test_an_own_network_without_encoder_has_none_to_freeze_or_slow_down(option):
    chosen, spelled = TrainSettings(**{option: getattr(CHOSEN, option)}), option.replace("_", "-")
    with pytest.raises(KitError, match=f'--{spelled}: your network has no layer "encoder"; give'):
        find_encoder_layer(chosen, small_network())
