import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.competition import csv_masks
from kit.errors import KitError
from kit.masks import dense
from kit.masks import table as masks
from kit.objects import components, rectangles
from kit.scoring.counts import count


def draw(length, width, angle, row, column, shape=(160, 150)) -> np.ndarray:
    """Pixels whose centers lie in a rotated rectangle."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    along = (x - column) * np.cos(angle) + (y - row) * np.sin(angle)
    across = -(x - column) * np.sin(angle) + (y - row) * np.cos(angle)
    return (abs(along) <= length / 2) & (abs(across) <= width / 2)


def soft_iou(mask: np.ndarray, values: np.ndarray) -> float:
    return np.minimum(mask, values).sum() / np.maximum(mask, values).sum()


def sample(number: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    for _ in range(number):
        length = rng.uniform(6, 70)
        yield (
            length,
            max(length / rng.uniform(2, 6), 2.5),
            rng.uniform(0, np.pi),
            rng.uniform(40, 110),
            rng.uniform(40, 110),
        )


def iou(a, b) -> float:
    return (a & b).sum() / (a | b).sum()


def test_masks_drawn_as_rectangles_come_back():
    found = []
    for parameters in sample(200):
        mask = draw(*parameters)
        table = dense.from_masks(["a"], [mask[None]])
        back, (fit,) = rectangles.fit_rectangles(table, [(255 * mask).astype(np.uint8)], min_fit=0)
        drawn = dense.to_masks(back, 0)[0]
        found.append(iou(drawn, mask))
        assert fit[5] == pytest.approx(found[-1])  # on a map of 0 and 255 the soft IoU is the IoU
        assert (
            iou(draw(fit[2], fit[3], fit[4], fit[0], fit[1]), drawn) > 0.99
        )  # the numbers mean what they say
    assert np.mean(found) > 0.99


def test_a_blurred_noisy_map_gives_the_rectangle_below_it():
    from scipy.ndimage import gaussian_filter

    rng, gained = np.random.default_rng(0), []
    for parameters in sample(60, seed=1):
        mask = draw(*parameters)
        if mask.sum() < 80:
            continue
        image = components.to_uint8(
            gaussian_filter(mask.astype(np.float32), 2) + rng.normal(0, 0.15, mask.shape)
        )
        table = components.find_components(["a"], [image])
        table = masks.select_objects(table, masks.areas(table) == masks.areas(table).max())
        back, _ = rectangles.fit_rectangles(table, [image], min_fit=0)
        gained.append(
            iou(dense.to_masks(back, 0)[0], mask) - iou(dense.to_masks(table, 0)[0], mask)
        )
    assert np.mean(gained) > 0.01


def test_a_rectangle_has_the_outline_of_its_threshold():
    """Of a map whose objects end at 204, as after a loss that gives object pixels more weight."""
    from scipy.ndimage import distance_transform_edt

    gained = []
    for parameters in sample(40, seed=4):
        mask = draw(*parameters)
        outside = np.where(mask, 0.5 - distance_transform_edt(mask), distance_transform_edt(~mask))
        image = components.to_uint8(1 / (1 + np.exp(outside - 0.25 - np.log(4))))
        table = components.find_components(["a"], [image], 204)
        if len(table.labels) != 1:
            continue
        found = [
            rectangles.fit_rectangles(table, [image], min_fit=0, threshold=threshold)[0]
            for threshold in (128, 204, np.array([204]))
        ]
        assert np.array_equal(found[1].start, found[2].start)
        plain, right = (iou(dense.to_masks(one, 0)[0], mask) for one in found[:2])
        gained.append(right - plain)
    assert len(gained) > 30 and np.mean(gained) > 0.1


def test_no_rectangle_nearby_is_better():
    rng = np.random.default_rng(0)
    for parameters in sample(20, seed=2):
        mask = draw(*parameters)
        values = np.clip(mask * 0.8 + rng.random(mask.shape) * 0.1, 0, 1).astype(np.float32)
        table = dense.from_masks(["a"], [mask[None]])
        _, (fit,) = rectangles.fit_rectangles(table, [values])
        top, left, bottom, right = masks.boxes(table)[0]
        margin = 3 + max(bottom - top, right - left) // 8
        window = (
            slice(max(top - margin, 0), bottom + margin),
            slice(max(left - margin, 0), right + margin),
        )
        best = soft_iou(
            draw(fit[2], fit[3], fit[4], fit[0], fit[1])[window],
            np.round(values * 255)[window] / 255,
        )
        assert fit[5] == pytest.approx(best, abs=1e-3)
        for _ in range(50):
            other = fit[:5] + rng.normal(0, 1, 5) * (0.7, 0.7, 1, 1, 0.03)
            assert (
                soft_iou(
                    draw(other[2], other[3], other[4], other[0], other[1])[window], values[window]
                )
                < best + 0.01
            )


def test_a_fit_that_is_not_good_enough_leaves_the_object():
    ring = draw(40, 40, 0.3, 80, 80) & ~draw(30, 30, 0.3, 80, 80)
    table = dense.from_masks(["a"], [ring[None]])
    image = (255 * ring).astype(np.uint8)
    back, (fit,) = rectangles.fit_rectangles(table, [image], min_fit=0.7)
    assert back == table and fit[5] < 0.7
    assert rectangles.fit_rectangles(table, [image], min_fit=fit[5] + 1e-6)[0] == table
    assert rectangles.fit_rectangles(table, [image], min_fit=fit[5] - 1e-6)[0] != table
    assert rectangles.fit_rectangles(table, [image])[0] == table  # by default a ring stays a ring


def test_a_map_of_another_shape_or_kind_is_said():
    table = dense.from_masks(["a"], [draw(40, 10, 0.3, 80, 80)[None]])
    with pytest.raises(KitError, match="the map has shape"):
        rectangles.fit_rectangles(table, [np.zeros((4, 4), np.uint8)])
    with pytest.raises(KitError, match="the map is int64, expected uint8, or float"):
        rectangles.fit_rectangles(table, [np.zeros((160, 150), np.int64)])


maps = st.integers(0, 2**32 - 1).map(
    lambda seed: np.kron(
        np.random.default_rng(seed).integers(0, 256, (9, 11), dtype=np.uint8),
        np.ones((4, 3), np.uint8),
    )
)


@settings(max_examples=60)
@given(maps, st.sampled_from([0.0, 0.5, 0.8]))
def test_rectangles_stay_in_the_image_and_never_overlap(image, min_fit):
    table = components.find_components(["a"], [image], 140)
    back, found = rectangles.fit_rectangles(table, [image], min_fit=min_fit)
    count(back, back)  # raises where two objects overlap
    assert len(back.labels) == len(table.labels) == len(found) and (masks.areas(back) > 0).all()
    assert ((back.start >= 0) & (back.start + back.length <= image.size)).all()
    kept = found[:, 5] < min_fit
    assert masks.select_objects(back, kept) == masks.select_objects(table, kept)


def test_several_images_and_kinds_of_maps():
    images = [draw(30, 9, 0.5, 50, 60), np.zeros((20, 30), bool), draw(30, 9, 2.5, 0, 3)]
    names = list("abc")
    table = dense.from_masks(names, [image[None] for image in images])
    wide, found = rectangles.fit_rectangles(
        table, [(255 * image).astype(np.uint8) for image in images]
    )
    assert (
        wide.ids.tolist() == names
        and len(found) == 2
        and masks.count_objects(wide).tolist() == [1, 0, 1]
    )
    for kind in (np.float16, np.float32):
        assert rectangles.fit_rectangles(table, [image.astype(kind) for image in images])[0] == wide


def test_real_truth_masks_come_back(airbus):
    table = csv_masks.read_csv(airbus / "train_ship_segmentations_v2.csv")
    table = masks.select(table, range(300))
    images = (
        (255 * (dense.to_labels(table, image) > 0)).astype(np.uint8) for image in range(len(table))
    )
    back, _ = rectangles.fit_rectangles(table, images)
    counts = count(table, back)
    assert (counts.truth_hits == 10).mean() > 0.9  # IoU above 0.95 at nine of ten
    assert (
        counts.pixels[:, 0].sum() / (counts.pixels[:, 1:].sum() - counts.pixels[:, 0].sum()) > 0.97
    )
