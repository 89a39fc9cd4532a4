"""What kit.unet and segmentation-models have in common."""

import keras
import numpy as np
import pytest
import segmentation_models as sm

from kit.encoders import ENCODERS
from kit.tf.network.ends import Prepare
from kit.tf.network.losses import Dice
from kit.tf.network.unet import unet
from tests.tf.network.conftest import NARROW, noise


@pytest.mark.parametrize(
    "encoder",
    [name for name, encoder in ENCODERS.items() if encoder.family == "segmentation-models"],
)
def test_values_are_what_the_encoders_weights_expect(encoder):
    image = noise(1, 32, 32)
    expected = sm.get_preprocessing(encoder)(image.astype(np.float32))
    assert np.allclose(
        Prepare(ENCODERS[encoder].mean, ENCODERS[encoder].deviation)(image), expected, atol=1e-5
    )


def test_a_unet_is_the_librarys(tmp_path):
    """Weights of segmentation_models.Unet give the same map in ours."""
    keras.utils.set_random_seed(0)
    theirs = sm.Unet("resnet18", encoder_weights=None, decoder_filters=NARROW)
    rng = np.random.default_rng(0)
    for variable in theirs.weights:
        if len(variable.shape) == 1:  # what starts as zeros or ones
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    theirs.get_layer("bn_data").moving_variance.assign([60.0**2] * 3)
    ours = unet("resnet18", filters=NARROW)
    given = {layer.name: layer.get_weights() for layer in theirs.layers if layer.weights}
    given["logits"] = given.pop("final_conv")
    encoder, decoder = (ours.get_layer(name) for name in ("encoder", "decoder"))
    for layer in (*encoder.layers, *decoder.layers, ours.get_layer("logits")):
        if layer.weights:
            name = layer.name.replace("_norm", "_bn") if layer in decoder.layers else layer.name
            layer.set_weights(given.pop(name))
    assert not given
    images = noise(2, 64, 64)
    expected = theirs(images.astype(np.float32), training=False)[..., 0]
    assert np.ptp(expected) > 0.01
    assert np.allclose(ours(images, training=False), expected, atol=1e-5)


def test_the_librarys_dice_loss_and_f2_train_our_unet(shallow):
    keras.utils.set_random_seed(0)
    network, images = unet("plain"), noise(4, 32, 32)
    truth = (np.random.default_rng(1).random((4, 32, 32)) < 0.2).astype(np.float32)
    network.compile("sgd", loss=sm.losses.DiceLoss(), metrics=[sm.metrics.FScore(beta=2)])
    history = network.fit(images, truth, batch_size=2, epochs=2, verbose=0).history
    values = np.array(list(history.values()))
    assert len(history) == 2 and values.shape == (2, 2)
    assert ((values > 0) & (values < 1)).all()
    maps = network(images, training=False)
    smooth = sm.losses.DiceLoss(per_image=True, smooth=1.0)  # ours
    assert float(smooth(truth, maps)) == pytest.approx(float(Dice()(truth, maps)), abs=1e-6)
    found = (maps.numpy() > 0.5) * 1.0
    hits, alarms, missed = (
        (a * b).sum() for a, b in ((truth, found), (1 - truth, found), (truth, 1 - found))
    )
    score = sm.metrics.FScore(beta=2, threshold=0.5)(truth, maps)
    assert float(score) == pytest.approx(5 * hits / (5 * hits + 4 * missed + alarms), abs=1e-4)
