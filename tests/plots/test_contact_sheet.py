import numpy as np
from PIL import Image

from kit.masks import dense
from kit.masks import table as masks
from kit.plots import contact_sheet, style


def sides():
    truth, prediction = np.zeros((300, 300), int), np.zeros((300, 300), int)
    truth[100:110, 100:140], truth[0:5, 0:8] = 1, 2
    prediction[100:110, 100:120], prediction[200:210, 200:210] = 1, 2
    return dense.from_labels(["a.jpg"], [truth]), dense.from_labels(["a.jpg"], [prediction])


def test_best_iou_of_each_truth_object():
    assert contact_sheet.best_ious(*sides(), 0).tolist() == [
        0,
        0.5,
    ]  # objects by first pixel, column by column
    truth, _ = sides()
    assert contact_sheet.best_ious(truth, masks.blank(["a.jpg"], (300, 300)), 0).tolist() == [0, 0]


def test_the_window_holds_every_object_and_stays_inside():
    truth, prediction = sides()
    for table in (truth, prediction):
        top, left, size = contact_sheet.frame_objects(table, 0)
        assert 0 <= top <= 300 - size and 0 <= left <= 300 - size
        for box in masks.boxes(table):
            assert (
                top <= box[0] and left <= box[1] and box[2] <= top + size and box[3] <= left + size
            )
    assert contact_sheet.frame_objects(masks.blank(["a"], (300, 300)), 0) == (0, 0, 300)


def test_pictures_are_drawn_with_both_outlines(tmp_path):
    truth, prediction = sides()
    image = np.zeros((300, 300, 3), np.uint8)
    nothing = masks.blank(["<b>$x_$.jpg"], (300, 300))
    table = masks.concatenate([truth, nothing])
    other = masks.concatenate([prediction, nothing])
    contact_sheet.draw_contact_sheet(
        [image, image], table, other, ["F2 0.5", "F2 1"], tmp_path / "sheet.png"
    )
    contact_sheet.draw_road(image, truth, prediction, tmp_path / "road.png")
    contact_sheet.draw_contact_sheet([image], table, other, [""], tmp_path / "a.png")
    contact_sheet.draw_contact_sheet([image], table, other, [""], tmp_path / "b.png", "F2 $0.8")
    plain, headed = (np.array(Image.open(tmp_path / f"{name}.png").convert("L")) for name in "ab")
    assert not np.array_equal(plain[:30], headed[:30])  # a line more
    for path in tmp_path.iterdir():
        pixels = np.array(Image.open(path).convert("RGB")).reshape(-1, 3).astype(int)
        for color in (style.TRUTH, style.PREDICTION):
            wanted = [int(color[place : place + 2], 16) for place in (1, 3, 5)]
            assert (abs(pixels - wanted).sum(axis=1) < 30).sum() > 20, (path, color)
