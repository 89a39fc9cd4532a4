import numpy as np

from kit.masks import dense, table
from kit.scoring.mistakes import find_mistakes, name_kinds


def draw(*boxes, side=40):
    """A label image with a rectangle (top, left, bottom, right) an object."""
    image = np.zeros((side, side), int)
    for number, (top, left, bottom, right) in enumerate(boxes, 1):
        image[top:bottom, left:right] = number
    return image


CASES = {  # image: its true and its predicted boxes, and what is wrong
    "right": ([(0, 0, 10, 10)], [(0, 0, 10, 9)], []),
    "alarm": ([], [(0, 0, 4, 4), (8, 8, 12, 12)], ["alarm"]),
    "missed": (
        [(0, 0, 10, 10), (20, 20, 30, 30)],
        [(0, 0, 10, 10), (35, 0, 39, 4), (35, 9, 39, 14)],
        ["missed"],
    ),
    "merged": ([(0, 0, 10, 5), (0, 5, 10, 10)], [(0, 0, 10, 10)], ["merged"]),
    "split": ([(0, 0, 10, 10)], [(0, 0, 4, 10), (6, 0, 10, 10)], ["split"]),
    "grazed": (
        [(0, 0, 10, 5), (0, 5, 10, 10)],
        [(0, 0, 10, 6)],
        [],
    ),  # holds a fifth of the second: not merged, not missed
    "nothing": ([(5, 5, 9, 9)], [], ["missed"]),
    "empty": ([], [], []),
}


def test_each_kind_of_mistake_is_told_apart():
    truth, prediction = (
        dense.from_labels(CASES, [draw(*case[side]) for case in CASES.values()]) for side in (0, 1)
    )
    found = find_mistakes(truth, prediction)
    assert dict(zip(CASES, name_kinds(truth, found))) == {
        name: kinds for name, (_, _, kinds) in CASES.items()
    }
    number = dict(
        zip(
            CASES,
            zip(
                found.alarms.tolist(),
                found.missed.tolist(),
                found.merged.tolist(),
                found.split.tolist(),
            ),
        )
    )
    assert (
        number["alarm"] == (2, 0, 0, 0)
        and number["missed"] == (2, 1, 0, 0)
        and number["nothing"] == (0, 1, 0, 0)
    )
    assert number["merged"] == (0, 0, 1, 0) and number["split"] == (0, 0, 0, 1)
    iou = np.split(found.iou, truth.objects[1:-1])
    assert [part.round(3).tolist() for part in iou] == [
        [0.9],
        [],
        [1, 0],
        [0.5, 0.5],
        [0.4],
        [0.833, 0.1],
        [0],
        [],
    ]


def test_no_image_no_mistake():
    nothing = table.blank([], [])
    assert len(find_mistakes(nothing, nothing).missed) == 0
