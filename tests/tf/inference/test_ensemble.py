import numpy as np
import pytest
import tensorflow as tf

from kit.errors import KitError
from kit.objects import map_files
from kit.objects.maps import to_uint8
from kit.tf.failures import explained
from kit.tf.inference.ensemble import average_presence, collect, forward, make_mapper, quantize
from kit.tf.inference.views import VIEWS_BY_TTA, turn, turn_back
from kit.tf.network.outputs import take_map
from tests.tf.detectors import make_detector

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (3, 64, 96, 3), np.uint8)


@pytest.fixture(scope="module")
def network():
    return make_detector()


def darkness(images):
    """A network of no cost: the map is a pixel's darkness, the presence that of the first pixel."""
    return {
        "map": 1 - tf.cast(images[..., 0], tf.float32) / 255,
        "presence": tf.cast(images[:, 0, 0, 0], tf.float32) / 255,
    }


class Own:
    """A function that is called as a network is."""

    def __init__(self, function):
        self.function = function

    def __call__(self, images, training):
        assert not training
        return self.function(images)


def test_quantizing_is_that_of_the_maps():
    ties = (np.arange(0, 255, dtype=np.float32) + np.float32(0.5)) / np.float32(255)
    near = np.concatenate(
        [ties, np.nextafter(ties, np.float32(0)), np.nextafter(ties, np.float32(1))]
    )
    values = np.concatenate(
        [
            near,
            RNG.random(10_000, np.float32),
            np.float32([-1, -0.0, 0, 1, 1 + 1e-6, 7, np.inf, -np.inf]),
        ]
    )
    for step in (quantize, tf.function(quantize)):
        assert np.array_equal(step(values), to_uint8(values))
        assert np.array_equal(step(values.astype(np.float16)), to_uint8(values.astype(np.float16)))


def test_one_view_is_the_network_itself(network):
    found = forward(network)(tf.constant(IMAGES))
    image, presence = collect([make_mapper(network)(IMAGES)])
    assert image.dtype == np.uint8 and np.array_equal(image, to_uint8(take_map(found)))
    assert presence.dtype == np.float32 and np.array_equal(presence, found["presence"])


@pytest.mark.parametrize("tta", VIEWS_BY_TTA)
def test_views_are_averaged_before_they_are_rounded(network, tta):
    images, run = tf.constant(IMAGES), forward(network)
    views = [(run(turn(images, view)), view) for view in VIEWS_BY_TTA[tta]]
    expected = np.sum(
        [turn_back(take_map(found), view) for found, view in views], axis=0, dtype=np.float32
    ) / np.float32(tta)
    image, presence = collect([make_mapper(network, tta)(IMAGES)])
    assert np.array_equal(image, to_uint8(expected))
    assert np.allclose(
        presence, np.mean([found["presence"] for found, _ in views], axis=0), atol=1e-6
    )
    assert (
        len({np.asarray(turn_back(take_map(found), view)).tobytes() for found, view in views})
        == tta
    )


def test_eight_views_of_a_turned_image_give_the_turned_map(network):
    find = make_mapper(network, 8)
    straight = find(IMAGES)[0]
    for view in VIEWS_BY_TTA[8]:
        turned = turn_back(find(turn(IMAGES, view))[0], view).numpy().astype(int)
        assert np.abs(turned - straight.numpy()).max() <= 1  # summed in another order


@pytest.mark.parametrize("scale", [2, 3, 5])
def test_a_scale_shrinks_by_areas_and_enlarges_the_map(scale):
    image, presence = collect([make_mapper(Own(darkness), 4, scale)(IMAGES)])
    assert image.shape == IMAGES.shape[:3] and presence.shape == (3,)
    small = tf.round(tf.image.resize(IMAGES, (-(-64 // scale), -(-96 // scale)), "area"))
    expected = tf.image.resize(1 - small[..., :1] / 255, (64, 96))[..., 0]
    assert np.abs(image - 255 * expected.numpy()).max() <= 0.51
    flat = np.full((1, 70, 51, 3), 55, np.uint8)
    assert np.array_equal(
        collect([make_mapper(Own(darkness), 8, scale)(flat)])[0], np.full((1, 70, 51), 200)
    )


def test_a_mapper_compiles_its_network_once():
    traces = []

    def count(images):
        traces.append(images.shape)
        return darkness(images)

    find = make_mapper(Own(count), 8)
    for size in (64, 64, 96, 128, 160):
        find(RNG.integers(0, 256, (2, size, size, 3), np.uint8))
    find(IMAGES[:1, :, :64])
    assert len(traces) <= 3


@pytest.mark.parametrize("tta", [1, 4])
def test_a_map_that_is_no_number_is_an_error_not_an_empty_map(tta):
    network = Own(lambda images: tf.cast(images[..., :1], tf.float32) / 0.0)
    with pytest.raises(tf.errors.InvalidArgumentError, match="network output map holds NaN"):
        make_mapper(network, tta)(IMAGES * 0)


@pytest.mark.parametrize("tta", [1, 4])
@pytest.mark.parametrize("output", ["map", "presence"])
def test_an_output_that_is_no_probability_is_an_error(tta, output):
    def give(images):
        found = darkness(images)
        return found | {output: 30 * found[output] - 12}

    @explained
    def find():
        return make_mapper(Own(give), tta)(IMAGES)

    told = rf"network output {output} goes from -[\d.]+ to [\d.]+, expected .*; give probabilities"
    with pytest.raises(KitError, match=told):
        find()


def test_several_networks_are_averaged_as_integers():
    one, other = (
        Own(darkness),
        Own(lambda images: tf.cast(images[..., 1], tf.float32)[..., None] / 255),
    )  # without presence, a channel more
    found = [make_mapper(part)(IMAGES) for part in (one, other)]
    image, presence = collect(found)
    assert np.array_equal(image, map_files.average([255 - IMAGES[..., 0], IMAGES[..., 1]]))
    assert np.array_equal(presence, found[0][1]) and collect(found[1:])[1] is None


def test_presence_is_averaged_over_those_that_have_it():
    a, b = RNG.random((2, 1000), np.float32)
    mean = average_presence([a, None, b])
    odds = np.sqrt(a.astype(float) / (1 - a) * b / (1 - b))
    assert mean.dtype == np.float32 and np.allclose(mean, odds / (1 + odds), atol=1e-6)
    assert (
        average_presence([np.float32([0.99, 0, 1]), np.float32([0.999, 0, 1])])[0] > 0.996
    )  # not 0.9945: sure networks stay sure
    assert np.array_equal(average_presence([a]), a) and average_presence([None, None]) is None
