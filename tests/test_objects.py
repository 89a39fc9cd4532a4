import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rlemasklib import RLEMask
from skimage.measure import label

from kit import dense, masks, objects
from kit.errors import KitError
from kit.objects import Cuts

maps = st.tuples(st.integers(0, 20), st.integers(0, 20)).flatmap(
    lambda shape: arrays(np.uint8, shape, elements=st.sampled_from([0, 99, 100, 101, 255]))
)


@given(maps, st.integers(1, 4), st.sampled_from([0.0, 0.395, 0.7]), st.sampled_from([4, 8]))
def test_components_and_cuts_are_those_of_scikit_image_and_a_plain_encoder(image, min_area, min_confidence, connectivity):
    found = objects.find_objects(["a"], [image], Cuts(100, min_area, min_confidence), connectivity=connectivity)
    labels = label(image >= 100, connectivity=connectivity // 4) if image.size else np.zeros(image.shape, int)
    everything = dense.from_labels(["a"], [labels])
    keep = [image[piece].astype(int).mean() >= 255 * min_confidence for piece in dense.to_masks(everything, 0)]
    wanted = masks.select_objects(everything, (masks.areas(everything) >= min_area) & np.array(keep, bool))
    assert found == wanted  # ids, shapes, order, every run
    means = [image[piece].mean() for piece in dense.to_masks(found, 0)]
    assert np.allclose(objects.mean_values(found, image), means)
    assert np.allclose(objects.mean_values(found, (image / 255).astype(np.float32)), means)


@given(arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 255)), st.integers(1, 255))
def test_floats_are_compared_as_the_uint8_that_they_become(image, threshold):
    wanted = objects.find_objects(["a"], [image], Cuts(threshold, 0, 0.5))
    for kind in (np.float16, np.float32, np.float64):
        values = (image / 255).astype(kind)
        cuts = Cuts(threshold, 0, 0.5)
        assert objects.find_objects(["a"], [values], cuts) == objects.find_objects(["a"], [objects.to_uint8(values)], cuts)
        assert kind == np.float16 or objects.find_objects(["a"], [values], cuts) == wanted


def test_the_smallest_float_of_a_threshold_is_exact():
    for threshold in range(1, 256):
        edge = objects.find_objects(["a"], [np.full((1, 1), 0.0, np.float32)], Cuts(threshold))
        assert len(edge.labels) == 0
        value = np.float32((threshold - 0.5) / 255)
        for step in (value, np.nextafter(value, np.float32(0)), np.nextafter(value, np.float32(1))):
            found = objects.find_objects(["a"], [np.full((1, 1), step, np.float32)], Cuts(threshold))
            assert len(found.labels) == (objects.to_uint8(step) >= threshold)


def test_many_maps_at_once_are_the_single_ones_in_a_row():
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (height, 30 - height), dtype=np.uint8) for height in (3, 12, 1, 29)]
    names = list("abcd")
    together = objects.find_objects(names, images, Cuts(200))
    assert together == masks.concatenate([objects.find_objects([name], [image], Cuts(200)) for name, image in zip(names, images)])
    assert objects.find_objects([], []) == masks.blank([], [])
    for ids in (names[:3], ["a"]):
        with pytest.raises(KitError, match=f"{len(ids)} ids for 4 maps"):
            objects.find_objects(ids, images)


def test_memory_order_and_slices_of_a_map_do_not_matter():
    image = np.random.default_rng(0).integers(0, 256, (40, 60), dtype=np.uint8)
    wanted = objects.find_objects(["a"], [image])
    assert objects.find_objects(["a"], [np.asfortranarray(image)]) == wanted
    assert objects.find_objects(["a"], [np.repeat(image, 2, axis=1)[:, ::2]]) == wanted


def test_components_on_noise_are_as_many_as_rlemasklib_finds():
    image = np.random.default_rng(0).random((768, 768), dtype=np.float32)
    for connectivity in (4, 8):
        found = objects.find_objects(["a"], [image], connectivity=connectivity)
        theirs = RLEMask.from_array(objects.to_uint8(image) >= 128).connected_components(connectivity=connectivity)
        assert len(found.labels) == len(theirs)
        assert sorted(masks.areas(found)) == sorted(int(part.area()) for part in theirs)


def test_value_equal_to_the_threshold_is_an_object_pixel():
    assert masks.areas(objects.find_objects(["a"], [np.array([[127, 128]], np.uint8)])).tolist() == [1]


def test_a_nan_is_background():
    assert len(objects.find_objects(["a"], [np.full((3, 3), np.nan, np.float32)]).labels) == 0


def test_probabilities_are_rounded_to_255ths():
    assert objects.to_uint8(np.array([0, 0.5, 1, 1.5, -1, 127.4 / 255])).tolist() == [0, 128, 255, 255, 0, 127]


@pytest.mark.parametrize("image", [np.zeros((2, 2), np.int64), np.zeros((2, 2, 1), np.uint8), np.zeros(3, np.float32)])
def test_what_is_no_map_is_said(image):
    with pytest.raises(KitError, match="a map is uint8 or float of shape"):
        objects.find_objects(["a"], [image])


def test_illegal_settings_are_said():
    image = np.zeros((2, 2), np.uint8)
    with pytest.raises(KitError, match="connectivity 6: choose 4 or 8"):
        objects.find_objects(["a"], [image], connectivity=6)
    with pytest.raises(KitError, match="threshold 0: choose a whole number from 1 to 255"):
        objects.find_objects(["a"], [image], Cuts(0))
    with pytest.raises(KitError, match=r"threshold 127\.5: choose a whole number"):
        objects.find_objects(["a"], [image], Cuts(127.5))  # type: ignore[arg-type]
    with pytest.raises(KitError, match=r"the map has shape \(2, 2\), its image \(3, 3\)"):
        objects.mean_values(masks.blank(["a"], (3, 3)), image)
