import math
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from kit.encoders import ENCODERS
from kit.errors import KitError
from kit.tf.network.encoder import FAMILIES
from kit.tf.network.outputs import take_map
from kit.tf.network.precision import read_precision
from kit.tf.network.unet import unet
from kit.tf.network.weights import load_weights
from tests.tf.network.conftest import NARROW, layers, noise


def step(network: keras.Model, images: np.ndarray, truth: np.ndarray) -> float:
    """One step of gradient descent; returns the error before it.

    It is the mean squared error against the truth's mean in each cell of the map.
    """
    # A step of any length would take EfficientNetV2 M to values of 3,000,000, beyond float16.
    optimizer = keras.optimizers.SGD(0.1, global_clipnorm=1.0)
    if read_precision(network) == "float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=2.0**13)
    optimizer.build(network.trainable_variables)

    with tf.GradientTape() as tape:
        maps = network(images, training=True)
        cell = truth.shape[1] // maps.shape[1]
        loss = tf.reduce_mean(
            (maps - tf.nn.avg_pool2d(truth[..., None], cell, cell, "VALID")[..., 0]) ** 2
        )
        scaled = optimizer.scale_loss(loss)
    optimizer.apply(tape.gradient(scaled, network.trainable_variables), network.trainable_variables)
    return float(loss)


def check_encoder(encoder: str, folder: Path, output: int = 2, mixed: str | None = None) -> None:
    """Builds a network, takes a step, saves its weights and restores them in another one."""
    keras.utils.set_random_seed(0)
    network = unet(encoder, filters=NARROW, output=output, mixed=mixed)
    before, images = network.get_weights(), noise(1, 64, 64)
    loss = step(network, images, np.zeros((1, 64, 64), np.float32))
    assert 0 < loss < 1
    stepped = network.get_weights()
    changed = [not np.array_equal(old, new) for old, new in zip(before, stepped)]
    # A bias before a batch norm gets no gradient, nor does a block that stochastic depth drops: in
    # EfficientNetV2 M one in ten.
    assert np.mean(changed) > 0.8 and all(np.isfinite(array).all() for array in stepped)
    kept = [(layer, getattr(layer, "activation", None)) for layer in layers(network)]
    known = [type(layer) for layer, _ in kept] + [active for _, active in kept if callable(active)]
    assert {item.__module__.split(".")[0] for item in known} <= {"keras", "kit"}
    assert not layers(network, keras.layers.Lambda)  # no file of a whole model may hold it
    network.save_weights(folder / "a.weights.h5")
    other = unet(encoder, filters=NARROW, output=output, mixed=mixed)
    load_weights(other, folder / "a.weights.h5", encoder)
    pairs = zip(stepped, other.get_weights(), strict=True)
    assert all(np.array_equal(saved, restored) for saved, restored in pairs)
    found = other(images, training=False).numpy()
    assert found.shape == (1, 64, 64) and found.dtype == np.float32
    assert found.min() >= 0 and found.max() <= 1


QUICK = ("resnet18", "mobilenet", "plain", "slim")
SLOWER = ("efficientnetlite0", "efficientnetv2-b0")


@pytest.mark.parametrize(
    "encoder, output",
    [(encoder, 2) for encoder in QUICK + SLOWER] + [(encoder, 1) for encoder in QUICK],
)
def test_an_encoder_of_each_kind_is_built_stepped_saved_and_restored(encoder, output, tmp_path):
    check_encoder(encoder, tmp_path, output)


def test_a_modern_encoder_is_built_stepped_saved_and_restored_in_float16(tiny_convnext, tmp_path):
    check_encoder(tiny_convnext, tmp_path, mixed="float16")


@pytest.mark.prove("every encoder, twice: five minutes")
@pytest.mark.parametrize("mixed", [None, "float16"])
@pytest.mark.parametrize("encoder", ENCODERS)
def test_every_encoder_is_built_stepped_saved_and_restored(encoder, mixed, tmp_path):
    check_encoder(encoder, tmp_path, mixed=mixed)


@pytest.mark.prove("an image of 768 px through a network of each family: half a minute")
@pytest.mark.parametrize("family", FAMILIES)
def test_a_network_of_each_family_takes_a_whole_image(family):
    encoder = next(name for name, known in ENCODERS.items() if known.family == family)
    maps = unet(encoder)(noise(1, 768, 768), training=False).numpy()
    assert maps.shape == (1, 768, 768) and np.isfinite(maps).all()


@pytest.fixture(
    params=[(1, 1), (2, 1), (1, 2), (2, 2)], ids=["whole", "half", "shrunk", "shrunk-half"]
)
def sized(shallow, request) -> tuple[keras.Model, int]:
    """A network of (output, scale) and the factor by which its map is smaller than the image."""
    output, scale = request.param
    return unet("plain", output=output, scale=scale), output * scale


@pytest.mark.parametrize("shape", [(1, 1), (5, 70), (33, 31), (64, 64)])
def test_any_size_comes_back_at_full_size_and_in_training_at_the_networks(sized, shape):
    network, factor = sized
    assert network(noise(1, *shape), training=False).shape == (1, *shape)
    assert network(noise(1, *shape)).shape == (1, *shape)
    for maps in (
        network(noise(2, *shape), training=True),
        tf.function(network)(noise(2, *shape), training=True),
    ):
        assert (
            maps.shape == (2, *(math.ceil(side / factor) for side in shape))
            and maps.dtype == tf.float32
        )


def trace(network: keras.Model) -> dict:
    """What a network returns in a graph for a batch of known shape, by `training`."""
    seen = {}

    @tf.function(input_signature=[tf.TensorSpec((8, 64, 64, 3), tf.uint8)])
    def run(images):
        for training in (False, True):
            seen[training] = network(images, training=training)
        return tf.constant(0)

    run.get_concrete_function()
    return seen


def test_static_shapes_stay_static(sized):
    network, factor = sized
    seen = trace(network)
    assert seen[False].shape == (8, 64, 64) and seen[True].shape == (8, 64 // factor, 64 // factor)


@pytest.mark.parametrize("encoder", ["resnet18", "plain"])
def test_static_shapes_stay_static_with_presence(shallow, encoder):
    for found in trace(unet(encoder, filters=NARROW, presence=True)).values():
        assert found["map"].shape == (8, 64, 64) and found["presence"].shape == (8,)


def test_half_size_head_leaves_out_the_last_decoder_stage():
    whole, half = unet("resnet18", filters=NARROW), unet("resnet18", filters=NARROW, output=2)
    assert half.count_params() < whole.count_params()
    assert any("decoder_stage4" in layer.name for layer in layers(whole))
    assert not any("decoder_stage4" in layer.name for layer in layers(half))
    assert unet("plain", output=2).count_params() < unet("plain").count_params()


@pytest.mark.parametrize("encoder", ["resnet18", "plain"])
def test_presence_comes_from_the_last_features_but_one(encoder):
    keras.utils.set_random_seed(0)
    network = unet(encoder, filters=NARROW, presence=True)
    with tf.GradientTape() as tape:
        result = network(noise(2, 64, 96), training=True)
        loss = tf.reduce_sum(result["presence"])
    assert result["map"].shape == (2, 64, 96)
    probability = result["presence"].numpy()
    assert probability.shape == (2,) and probability.dtype == np.float32
    assert (probability > 0).all() and (probability < 1).all() and probability[0] != probability[1]
    gradients = tape.gradient(loss, [variable.value for variable in network.trainable_variables])
    deeper = ("decoder", "up", "logits", "down4", "middle", "bn1")
    deeper += ("stage4_unit1_conv", "stage4_unit1_sc", "stage4_unit1_bn2", "stage4_unit2")
    reached = {True: 0, False: 0}
    for variable, gradient in zip(network.trainable_variables, gradients):
        used = gradient is not None and bool(tf.reduce_any(gradient != 0))
        beyond = any(part.startswith(deeper) for part in variable.path.split("/"))
        reached[used] += 1
        assert not (beyond and used), variable.path
        assert beyond or gradient is not None, variable.path
    assert min(reached.values()) > 5
    dense = network.get_layer("presence_dense").kernel
    assert dense.shape == (256 if encoder == "resnet18" else 128, 1)  # the maximum of each channel


def test_whole_and_half_size_fit_by_keras_own_loop(shallow):
    network = unet("plain", output=2, presence=True)
    network.compile("adam", {"map": "binary_crossentropy", "presence": "binary_crossentropy"})
    truth = {"map": np.zeros((4, 32, 32), np.float32), "presence": np.zeros((4,), np.float32)}
    full = {"map": np.zeros((4, 64, 64), np.float32), "presence": np.zeros((4,), np.float32)}
    history = network.fit(
        noise(4, 64, 64), truth, batch_size=2, validation_data=(noise(4, 64, 64), full), verbose=0
    ).history
    assert np.isfinite(history["loss"]).all() and np.isfinite(history["val_loss"]).all()
    assert network.predict(noise(3, 64, 64), batch_size=2, verbose=0)["map"].shape == (3, 64, 64)


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_several_classes_have_a_map_each_and_fit_by_keras_own_loop(shallow, activation):
    network = unet("plain", classes=3, activation=activation, output=2, scale=2)
    whole, coarse = network(noise(2, 33, 70)), network(noise(2, 33, 70), training=True)
    assert whole.shape == (2, 33, 70, 3) and coarse.shape == (2, 9, 18, 3)
    assert whole.dtype == tf.float32 and np.min(whole) > 0 and np.max(whole) < 1
    for maps in (whole, coarse):
        sums = np.sum(maps, axis=3)
        assert np.allclose(sums, 1, atol=1e-5) == (activation == "softmax")
    with pytest.raises(KitError, match=r"shape \(2, 33, 70, 3\); give probabilities"):
        take_map(whole)


def test_several_classes_fit_by_keras_own_loop_with_its_own_loss(shallow):
    network = unet("plain", classes=3, activation="softmax", output=2)
    network.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    labels = np.int32([0, 1, 2])
    images = np.uint8(labels * 100)[:, None, None, None] + np.zeros((3, 32, 32, 3), np.uint8)
    truth = labels[:, None, None] + np.zeros((3, 16, 16), np.int32)
    history = network.fit(images, truth, batch_size=3, epochs=3, verbose=0).history["loss"]
    assert history[2] < history[1] < history[0]


def test_a_frozen_encoder_stays_as_it_is_while_the_decoder_learns():
    network = unet("slim", filters=NARROW)
    network.get_layer("encoder").trainable = False
    encoder, decoder = (network.get_layer(name) for name in ("encoder", "decoder"))
    norms = layers(encoder, keras.layers.BatchNormalization)
    assert len(norms) > 10 and not encoder.trainable_variables
    kept, free = encoder.get_weights(), decoder.get_weights()
    inputs = np.random.default_rng(0).normal(size=(2, 64, 64, 3)).astype(np.float32)
    for seen, known in zip(encoder(inputs, training=True), encoder(inputs, training=False)):
        assert np.array_equal(seen, known)  # batch norms do not take the batch's statistics
    step(network, noise(2, 64, 64), np.zeros((2, 64, 64), np.float32))
    assert all(map(np.array_equal, kept, encoder.get_weights()))
    assert not any(map(np.array_equal, free, decoder.get_weights()))


def test_batch_norms_forget_fast_enough_for_short_trainings():
    norms = layers(unet("resnet18", filters=NARROW), keras.layers.BatchNormalization)
    assert (
        len(norms) > 20
        and {norm.momentum for norm in norms} == {0.9}
        and not any(norm.synchronized for norm in norms)
    )
    norms = layers(
        unet("mobilenetv2", filters=NARROW, momentum=0.7, synchronized=True),
        keras.layers.BatchNormalization,
    )
    assert (
        len(norms) > 50
        and {norm.momentum for norm in norms} == {0.7}
        and all(norm.synchronized for norm in norms)
    )


@pytest.mark.parametrize(
    ("encoder", "side", "mixed"),
    [
        ("resnet34", 256, "float16"),  # at 64 px its values would not leave float16
        ("plain", 768, "float16"),
        ("slim", 768, "float16"),
        ("resnet18", 64, "bfloat16"),
    ],
)
def test_mixed_precision_ends_in_float32_at_full_size(shallow, encoder, side, mixed):
    keras.utils.set_random_seed(0)
    kept = keras.config.dtype_policy()
    network = unet(encoder, filters=NARROW, presence=True, mixed=mixed)
    assert keras.config.dtype_policy() == kept
    assert {
        layer.compute_dtype
        for layer in layers(network, keras.layers.Conv2D)
        if layer.name != "logits"
    } == {mixed}
    heads = ("logits", "map", "presence_pooled", "presence_dense", "presence")
    assert {network.get_layer(name).compute_dtype for name in heads} == {"float32"}
    assert {variable.dtype for variable in network.trainable_variables} == {"float32"}
    image = np.full((1, side, side, 3), 255, np.uint8)
    for training in (False, True):
        result = network(image, training=training)
        assert result["map"].shape == (1, side, side)
        for output in result.values():
            assert output.dtype == tf.float32 and np.isfinite(output).all()


def test_mixed_precision_is_left_again_when_building_fails(tmp_path):
    kept = keras.config.dtype_policy()
    (tmp_path / "encoder.h5").write_bytes(b"no HDF5")
    with pytest.raises(KitError, match=r"encoder\.h5"):
        unet("resnet18", filters=NARROW, mixed="float16", weights=str(tmp_path / "encoder.h5"))
    assert keras.config.dtype_policy() == kept and keras.layers.Dense(1).compute_dtype == "float32"


def test_mixed_and_full_precision_share_weights(shallow, tmp_path):
    network = unet("plain", mixed="float16")
    network.save_weights(tmp_path / "a.weights.h5")
    other = unet("plain")
    load_weights(other, tmp_path / "a.weights.h5", "plain")
    image = noise(1, 64, 64)
    assert np.allclose(other(image, training=False), network(image, training=False), atol=0.01)


def test_what_is_no_choice_is_refused(tmp_path):
    (tmp_path / "encoder.h5").touch()
    with pytest.raises(KitError, match="plain takes no weights"):
        unet("plain", weights=str(tmp_path / "encoder.h5"))
    with pytest.raises(KitError, match="slim takes no weights"):
        unet("slim", weights=str(tmp_path / "encoder.h5"))
    with pytest.raises(KitError, match="mixed True: choose among auto, float16, bfloat16"):
        unet("slim", mixed=True)
    with pytest.raises(KitError, match="resnet9.*choose one of resnet18"):
        unet("resnet9")
    with pytest.raises(KitError, match="output 3"):
        unet("plain", output=3)
    with pytest.raises(KitError, match="output True"):
        unet("plain", output=True)
    with pytest.raises(KitError, match="scale 0: give a whole number of at least 1"):
        unet("plain", scale=0)
    with pytest.raises(KitError, match="decoder 'unet': .*go together"):
        unet("plain", decoder="unet")
    with pytest.raises(KitError, match="decoder 'unet3': choose one of unet, slim, unet"):
        unet("slim", decoder="unet3")
    with pytest.raises(KitError, match="activation 'relu': choose sigmoid, or softmax"):
        unet("slim", activation="relu")
    with pytest.raises(KitError, match="activation 'softmax': .* for several classes"):
        unet("slim", activation="softmax")


@pytest.mark.parametrize("classes", [0, -1, 1.0, True, None, "3", (3,)])
def test_a_number_of_classes_that_is_none_is_refused(classes):
    with pytest.raises(KitError, match="^classes .*: give a whole number of at least 1$"):
        unet("slim", classes=classes)
