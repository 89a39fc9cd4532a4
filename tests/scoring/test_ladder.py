"""The oracle ladder: what each rung mends, and what it leaves as it is."""

import numpy as np
import pytest

from kit.errors import KitError
from kit.masks.dense import from_labels
from kit.scoring.ladder import RUNGS, climb_ladder
from kit.scoring.scores import f2


def values(real, found):
    """F2 of the images by rung; real, found: label images."""
    ids = [str(k) for k in range(len(real))]
    return {
        rung: f2(counts).tolist()
        for rung, counts in climb_ladder(from_labels(ids, real), from_labels(ids, found)).items()
    }


def image(*boxes):
    labels = np.zeros((40, 40), int)
    for number, (top, bottom, left, right) in enumerate(boxes, 1):
        labels[top:bottom, left:right] = number
    return labels


def test_a_false_alarm_on_an_empty_image_is_the_gates():
    found = values([image()], [image((0, 5, 0, 5))])
    assert [found[rung] for rung in RUNGS] == [[0.0], [1.0], [1.0], [1.0], [1.0]]


def test_a_shifted_outline_is_the_outlines():
    found = values([image((10, 20, 10, 20))], [image((10, 20, 15, 25))])
    assert [found[rung] for rung in RUNGS] == [[0.0], [0.0], [1.0], [1.0], [1.0]]


def test_two_ships_in_one_component_are_the_splittings():
    # With perfect outlines the component is both ships, 100 and 25 px: it hits the larger one with
    # IoU 0.8, at 6 of 10 thresholds.
    found = values([image((0, 10, 0, 10), (0, 5, 10, 15))], [image((0, 10, 0, 15))])
    # 100 of 150 px: a hit at 0.50, 0.55, 0.60 and 0.65
    assert found["gate"] == pytest.approx([4 * 5 / 9 / 10])
    assert found["outlines"] == pytest.approx([6 * 5 / 9 / 10])
    assert found["splitting"] == found["alarms"] == [1.0]


def test_a_ship_in_two_pieces_is_the_splittings():
    # Each pixel of the ship goes to the nearer piece. The left piece ends at column 8 and the other
    # begins at 16, so the left one gets 12 of the ship's 20 columns.
    found = values([image((0, 10, 0, 20))], [image((0, 10, 0, 8), (0, 10, 16, 20))])
    assert found["gate"] == [0.0]
    assert found["outlines"] == pytest.approx([2 * 5 / 6 / 10])  # 0.6: at 0.50 and 0.55
    assert found["splitting"] == [1.0]


def test_a_false_alarm_beside_a_ship_is_the_alarms():
    found = values([image((0, 10, 0, 10))], [image((0, 10, 0, 10), (20, 25, 20, 25))])
    assert [found[rung] for rung in RUNGS] == [pytest.approx([5 / 6])] * 4 + [[1.0]]


def test_one_pixel_is_a_touch():
    # The prediction has IoU 100/110 with its own ship, and covers both where it grazes the other.
    found = values([image((0, 10, 0, 10), (0, 10, 10, 20))], [image((0, 10, 0, 11))])
    assert [found[rung] for rung in RUNGS] == [[pytest.approx(0.9 * 5 / 9)]] * 2 + [
        [0.0],
        [1.0],
        [1.0],
    ]


def test_a_missed_ship_stays_missed():
    found = values(
        [image((0, 10, 0, 10), (20, 30, 20, 30)), image((0, 5, 0, 5))],
        [image((0, 10, 0, 10)), image()],
    )
    assert all(found[rung] == [pytest.approx(5 / 9), 0.0] for rung in RUNGS)


def test_a_perfect_prediction_stays_perfect():
    real = [image((0, 10, 0, 10), (0, 10, 10, 20)), image()]
    assert all(found == [1.0, 1.0] for found in values(real, real).values())


def test_other_images_are_an_error():
    with pytest.raises(KitError, match="differ in their images"):
        climb_ladder(from_labels(["a"], [image()]), from_labels(["b"], [image()]))
