import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.measure import label

from kit import masks, objects
from kit.objects import Cuts

maps = arrays(np.uint8, st.tuples(st.integers(1, 8), st.integers(1, 8)), elements=st.sampled_from([0, 99, 100, 101, 255]))


@given(maps, st.integers(1, 4), st.sampled_from([0.0, 0.395, 0.7]))
def test_components_and_cuts_agree_with_a_plain_loop(image, min_area, min_confidence):
    found = objects.find_objects(["a"], [image], Cuts(100, min_area, min_confidence))
    labels = label(image >= 100, connectivity=1)
    pieces = [labels == value for value in range(1, labels.max() + 1)]
    wanted = [piece for piece in pieces if piece.sum() >= min_area and image[piece].astype(int).mean() >= 255 * min_confidence]
    dense = masks.decode(found, 0)
    ours = [dense == value for value in range(1, len(found.labels) + 1)]
    assert sorted(piece.tobytes() for piece in ours) == sorted(piece.tobytes() for piece in wanted)
    assert np.allclose(objects.mean_values(found, image), [image[piece].mean() for piece in ours])


def test_value_equal_to_the_threshold_is_an_object_pixel():
    assert masks.areas(objects.find_objects(["a"], [np.array([[127, 128]], np.uint8)])).tolist() == [1]


def test_probabilities_are_rounded_to_255ths():
    assert objects.to_uint8(np.array([0, 0.5, 1, 1.5, -1, 127.4 / 255])).tolist() == [0, 128, 255, 255, 0, 127]
