import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from kit.encoders import DECODERS
from kit.errors import KitError
from kit.tf.network.decoders import DECODER_BUILDERS
from kit.tf.network.unet import unet
from tests.tf.network.conftest import NARROW, layers, noise

CHANNELS = {2: 64, 4: 64, 8: 128, 16: 256, 32: 512}  # of resnet34's features, by stride
NEW = ("unet++", "fpn")


@pytest.fixture
def thin(monkeypatch) -> None:
    """The slim encoder with few filters."""
    monkeypatch.setattr("kit.tf.network.slim.FILTERS", (4, 4, 8, 8, 8))


def decode(name: str, channels: dict, filters: tuple[int, ...], output: int = 1) -> keras.Model:
    """A decoder and a head with one map, for features of an image of 64 px."""
    seen = {
        stride: keras.Input((64 // stride, 64 // stride, count))
        for stride, count in channels.items()
    }
    decoder = DECODER_BUILDERS[name]
    head = keras.layers.Conv2D(1, decoder.head, padding="same")
    return keras.Model(list(seen.values()), head(decoder.build(seen, filters, output)))


def test_every_decoder_has_a_builder():
    assert sorted(DECODERS) == sorted(DECODER_BUILDERS)


@pytest.mark.parametrize(
    ("name", "channels", "filters", "count"),
    [
        # Trainable parameters of decoder and head in segmentation_models.pytorch 0.6.0, built with
        # the encoder resnet34 and its default filters, one class; the last with tu-convnext_tiny.
        ("unet", CHANNELS, (256, 128, 64, 32, 16), 3_151_697),
        ("unet++", CHANNELS, (256, 128, 64, 32, 16), 4_793_937),
        ("fpn", CHANNELS, (256, 128), 1_870_721),
        ("unet", {4: 96, 8: 192, 16: 384, 32: 768}, (256, 128, 64, 32, 16), 4_110_161),
    ],
)
def test_parameters_are_those_of_segmentation_models_pytorch(name, channels, filters, count):
    trained = decode(name, channels, filters).trainable_weights
    assert sum(math.prod(weight.shape) for weight in trained) == count


def test_a_node_of_unet_plus_plus_sees_the_one_below_and_all_before_it():
    """Zhou 2018, formula 1: x(i, j) = H(x(i, 0), ..., x(i, j - 1), x(i + 1, j - 1) doubled)."""
    network = decode("unet++", CHANNELS, NARROW)
    below = [network.inputs[4]]
    for stage, features in enumerate(network.inputs[3::-1]):
        nodes = [features]
        for number, values in enumerate(below, 1):
            name = f"decoder_stage{stage}" + f"_node{number}" * (number < len(below))
            up, join = (network.get_layer(f"{name}_{part}") for part in ("up", "concat"))
            assert up.input is values
            assert [id(each) for each in join.input] == [id(each) for each in (up.output, *nodes)]
            nodes.append(network.get_layer(f"{name}b_relu").output)
        below = nodes
        assert [each.shape[-1] for each in nodes] == [
            *[features.shape[-1]] * (stage + 1),
            NARROW[stage],
        ]
    assert network.get_layer("decoder_stage4_up").input is below[-1]


def test_a_level_of_fpn_is_the_one_below_doubled_plus_the_encoders_features():
    network = decode("fpn", CHANNELS, (16, 8))
    summed = []
    level = network.get_layer("decoder_level32_lateral").output
    for stride, doublings in ((32, 3), (16, 2), (8, 1), (4, 0)):
        name = f"decoder_level{stride}"
        if stride < 32:
            up, lateral, added = (
                network.get_layer(f"{name}_{part}") for part in ("up", "lateral", "add")
            )
            assert up.input is level and up.interpolation == "nearest"
            assert [id(each) for each in added.input] == [id(up.output), id(lateral.output)]
            level = added.output
        assert network.get_layer(f"{name}_part0_conv").input is level
        parts = [each for each in network.layers if each.name.startswith(f"{name}_part")]
        ups = [each for each in parts if isinstance(each, keras.layers.UpSampling2D)]
        assert len(ups) == doublings and {each.interpolation for each in ups} <= {"bilinear"}
        assert sum(isinstance(each, keras.layers.Conv2D) for each in parts) == max(doublings, 1)
        summed.append(parts[-1].output)
    assert [id(each) for each in network.get_layer("decoder_sum").input] == list(map(id, summed))


@pytest.mark.parametrize("name", [name for name in DECODERS if name != "plain"])
@pytest.mark.parametrize("lacking", [2, 8])
def test_where_the_encoder_lacks_a_stride_nothing_is_added(name, lacking):
    channels = {stride: 8 for stride in CHANNELS if stride != lacking}
    network = decode(name, channels, NARROW)
    assert network.output.shape == ((None, 16, 16, 1) if name == "fpn" else (None, 64, 64, 1))
    joined = {
        each.output.shape[1]
        for each in network.layers
        if isinstance(each, keras.layers.Concatenate | keras.layers.Add)
    } - {64 // 4 if name == "fpn" else None}
    strides = {16, 8} if name == "fpn" else {16, 8, 4, 2}
    assert joined == {64 // stride for stride in strides - {lacking}}


@pytest.mark.parametrize("output", [1, 2])
@pytest.mark.parametrize("decoder", [name for name in DECODERS if name != "plain"])
def test_maps_and_presence_of_any_size_in_half_precision(thin, decoder, output):
    network = unet(
        "slim", decoder=decoder, filters=NARROW, output=output, presence=True, mixed="float16"
    )
    for training in (False, True):
        size = (math.ceil(33 / output), math.ceil(70 / output)) if training else (33, 70)
        found = network(noise(2, 33, 70), training=training)
        assert found["map"].shape == (2, *size) and found["presence"].shape == (2,)
        for values in found.values():
            assert values.dtype == tf.float32 and np.isfinite(values).all()
    heads = {"logits", "enlarged"} if decoder == "fpn" else {"logits"}
    assert {network.get_layer(name).compute_dtype for name in heads} == {"float32"}
    inside = {each.compute_dtype for each in layers(network, keras.layers.UpSampling2D)}
    assert inside == ({"float16", "float32"} if decoder == "fpn" else {"float16"})


@pytest.mark.parametrize("decoder", NEW)
def test_static_shapes_stay_static(thin, decoder):
    network = unet("slim", decoder=decoder, filters=NARROW, output=2)
    run = tf.function(lambda images: network(images, training=True))
    traced = run.get_concrete_function(tf.TensorSpec((8, 64, 96, 3), tf.uint8))
    assert traced.structured_outputs.shape == (8, 32, 48)


def test_logits_of_fpn_are_enlarged_bilinearly(thin):
    network = unet("slim", decoder="fpn", filters=NARROW)
    ends = [network.get_layer(name).output for name in ("logits", "enlarged")]
    small, large = keras.Model(network.input, ends)(noise(1, 64, 64))
    assert small.shape == (1, 16, 16, 1)
    assert np.allclose(large, tf.image.resize(small, (64, 64), "bilinear"), atol=1e-6)


@pytest.mark.parametrize("decoder", NEW)
def test_a_few_steps_lower_the_loss(thin, decoder):
    keras.utils.set_random_seed(0)
    network = unet("slim", decoder=decoder, filters=NARROW)
    images, truth = noise(2, 64, 64), np.zeros((2, 64, 64), np.float32)
    images[:, 16:48, 16:48], truth[:, 16:48, 16:48] = 255, 1
    variables, losses = network.trainable_variables, []
    for _ in range(4):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((network(images, training=True) - truth) ** 2)
        gradients = tape.gradient(loss, [variable.value for variable in variables])
        assert all(gradient is not None for gradient in gradients)  # no weight is left aside
        for variable, gradient in zip(variables, gradients):
            variable.assign_sub(gradient)
        losses.append(float(loss))
    assert losses[-1] < 0.8 * losses[0], losses


@pytest.mark.parametrize("decoder", NEW)
def test_a_seed_gives_the_same_weights_and_a_file_gives_them_back(thin, decoder, tmp_path):
    networks = []
    for _ in range(2):
        keras.utils.set_random_seed(1)
        networks.append(unet("slim", decoder=decoder, filters=NARROW))
    network, other = networks
    kept = network.get_weights()
    assert all(map(np.array_equal, kept, other.get_weights()))
    other.set_weights([0 * each for each in kept])
    network.save_weights(tmp_path / "a.weights.h5")
    other.load_weights(tmp_path / "a.weights.h5")
    assert all(map(np.array_equal, kept, other.get_weights()))


def test_a_whole_model_is_a_file_although_fpn_leaves_features_aside(thin, tmp_path):
    network = unet("slim", decoder="fpn", filters=NARROW)
    network.save(tmp_path / "a.keras")
    restored = keras.models.load_model(tmp_path / "a.keras")
    assert np.array_equal(restored(noise(1, 64, 64)), network(noise(1, 64, 64)))


@pytest.mark.parametrize(
    ("decoder", "output", "filters", "wanted"),
    [
        ("unet", 1, (16, 8, 8, 8), 5),
        ("unet++", 2, (16, 8, 8), 4),
        ("slim", 2, (), 4),
        ("fpn", 1, (16,), 2),
        ("fpn", 1, 16, 2),
        ("unet", 1, None, 5),
        ("unet", 1, (16, 8, 8, 8, 0), 5),
        ("unet", 1, (16, 8, 8, 8, 4.0), 5),
        ("unet", 1, "16,8,8,8,4", 5),
    ],
)
def test_filters_that_do_not_do_are_refused(decoder, output, filters, wanted):
    with pytest.raises(KitError, match=f"^filters .*: the decoder .* takes {wanted} whole numbers"):
        unet("slim", decoder=decoder, output=output, filters=filters)
