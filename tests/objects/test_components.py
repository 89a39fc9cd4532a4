import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rlemasklib import RLEMask
from skimage.measure import label

from kit.errors import KitError
from kit.masks import dense, table
from kit.objects import components

maps = st.tuples(st.integers(0, 20), st.integers(0, 20)).flatmap(
    lambda shape: arrays(np.uint8, shape, elements=st.sampled_from([0, 99, 100, 101, 255]))
)


@given(maps, st.sampled_from([4, 8]))
def test_components_are_those_of_scikit_image_and_a_plain_encoder(image, connectivity):
    found = components.find_components(["a"], [image], 100, connectivity=connectivity)
    labels = (
        label(image >= 100, connectivity=connectivity // 4)
        if image.size
        else np.zeros(image.shape, int)
    )
    assert found == dense.from_labels(["a"], [labels])  # ids, shapes, order, every run
    pieces = dense.to_masks(found, 0)
    for values in (image, (image / 255).astype(np.float32)):
        assert np.allclose(
            components.average_values(found, values), [image[piece].mean() for piece in pieces]
        )


@given(
    arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 255)),
    st.integers(1, 255),
)
def test_floats_are_compared_as_the_uint8_that_they_become(image, threshold):
    wanted = components.find_components(["a"], [image], threshold)
    for kind in (np.float16, np.float32, np.float64):
        values = (image / 255).astype(kind)
        found = components.find_components(["a"], [values], threshold)
        assert found == components.find_components(["a"], [components.to_uint8(values)], threshold)
        assert kind == np.float16 or found == wanted
        means = [
            components.average_values(found, each) for each in (values, components.to_uint8(values))
        ]
        assert np.array_equal(*means)


def test_the_smallest_float_of_a_threshold_is_exact():
    for threshold in range(1, 256):
        edge = components.find_components(["a"], [np.full((1, 1), 0.0, np.float32)], threshold)
        assert len(edge.labels) == 0
        value = np.float32((threshold - 0.5) / 255)
        for step in (value, np.nextafter(value, np.float32(0)), np.nextafter(value, np.float32(1))):
            found = components.find_components(
                ["a"], [np.full((1, 1), step, np.float32)], threshold
            )
            assert len(found.labels) == (components.to_uint8(step) >= threshold)


def test_many_maps_at_once_are_the_single_ones_in_a_row():
    rng = np.random.default_rng(0)
    images = [
        rng.integers(0, 256, (height, 30 - height), dtype=np.uint8) for height in (3, 12, 1, 29)
    ]
    names = list("abcd")
    together = components.find_components(names, images, 200)
    assert together == table.concatenate(
        [components.find_components([name], [image], 200) for name, image in zip(names, images)]
    )
    assert components.find_components([], []) == table.blank([], [])
    for ids in (names[:3], ["a"]):
        with pytest.raises(KitError, match=f"{len(ids)} ids for 4 maps"):
            components.find_components(ids, images)


def test_memory_order_and_slices_of_a_map_do_not_matter():
    image = np.random.default_rng(0).integers(0, 256, (40, 60), dtype=np.uint8)
    wanted = components.find_components(["a"], [image])
    assert components.find_components(["a"], [np.asfortranarray(image)]) == wanted
    assert components.find_components(["a"], [np.repeat(image, 2, axis=1)[:, ::2]]) == wanted


def test_components_on_noise_are_as_many_as_rlemasklib_finds():
    image = np.random.default_rng(0).random((768, 192), dtype=np.float32)
    for connectivity in (4, 8):
        found = components.find_components(["a"], [image], connectivity=connectivity)
        theirs = RLEMask.from_array(components.to_uint8(image) >= 128).connected_components(
            connectivity=connectivity
        )
        assert len(found.labels) == len(theirs)
        assert sorted(table.areas(found)) == sorted(int(part.area()) for part in theirs)


def test_value_equal_to_the_threshold_is_an_object_pixel():
    assert table.areas(
        components.find_components(["a"], [np.array([[127, 128]], np.uint8)])
    ).tolist() == [1]


def test_illegal_settings_are_said():
    image = np.zeros((2, 2), np.uint8)
    with pytest.raises(KitError, match="connectivity 6: choose 4 or 8"):
        components.find_components(["a"], [image], connectivity=6)
    with pytest.raises(KitError, match="threshold 0: choose a whole number from 1 to 255"):
        components.find_components(["a"], [image], 0)
    with pytest.raises(KitError, match=r"threshold 127\.5: choose a whole number"):
        components.find_components(["a"], [image], 127.5)  # type: ignore[arg-type]
    with pytest.raises(KitError, match=r"a: the map has shape \(2, 2\), expected \(3, 3\)"):
        components.average_values(table.blank(["a"], (3, 3)), image)
