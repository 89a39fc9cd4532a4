import csv
import io

import pytest

from kit.errors import KitError
from kit.models.history import (
    COLUMNS,
    describe_epoch,
    name_weights,
    rank_epochs,
    read_history,
    tabulate,
)


def row(epoch, **values):
    return (
        dict.fromkeys(COLUMNS)
        | {"epoch": epoch, "step": 10 * epoch, "seconds": 1.5, "loss": 0.5}
        | values
    )


def test_the_best_epoch_has_the_largest_score_or_the_smallest_loss():
    history = [
        row(1, val_loss=0.3, val_object_f2=0.2),
        row(2, val_loss=0.1, val_object_f2=0.1),
        row(3, val_loss=0.2, val_object_f2=0.2),
    ]
    assert rank_epochs(history, "val_object_f2") == [3, 1, 2]  # of equals the later
    assert rank_epochs(history, "val_loss") == [2, 3, 1]
    assert rank_epochs(history, "epoch") == [3, 2, 1]


def test_without_a_figure_the_last_epoch_is_the_best():
    history = [row(1), row(2), row(3)]
    assert rank_epochs(history, "val_object_f2") == [3, 2, 1]
    assert rank_epochs([row(1), row(2, val_object_f2=0.1)], "val_object_f2")[0] == 2


def test_the_table_has_a_row_an_epoch_and_blanks_for_what_is_missing():
    (found,) = csv.DictReader(io.StringIO(tabulate([row(1, val_loss=1 / 3)])))
    assert (
        tuple(found) == COLUMNS and found["val_loss"] == str(1 / 3) and found["val_object_f2"] == ""
    )


def test_weights_are_named_by_epoch_and_loss():
    assert name_weights(row(7, val_loss=0.22418)) == "epoch-0007-loss-0.2242.weights.h5"
    assert name_weights(row(12)) == "epoch-0012-loss-0.5000.weights.h5"


def test_a_line_on_an_epoch_names_the_blank_score():
    line = describe_epoch(
        row(
            1,
            val_loss=0.3,
            val_pixel_iou=None,
            val_pixel_f2=0.25,
            val_object_f2=0.5,
            val_object_f2_blank=0.222,
        ),
        3,
    )
    assert (
        "epoch 1/3" in line
        and "pixel IoU -" in line
        and "object F2 0.500 (blank 0.222, ship images -)" in line
    )
    assert describe_epoch(row(2), 3).endswith("loss 0.500")


def test_a_table_is_read_as_it_was_written(tmp_path):
    assert read_history(tmp_path / "history.csv") == []
    history = [row(1, val_loss=1 / 3), row(2, val_object_f2=0.25)]
    (tmp_path / "history.csv").write_text(tabulate(history))
    assert read_history(tmp_path / "history.csv") == history


@pytest.mark.parametrize(
    "text",
    [
        "epoch,step\n1,2\n",
        ",".join(COLUMNS) + "\n" + ",".join(["one"] * len(COLUMNS)) + "\n",
        "\udcff",
    ],
)
def test_a_table_of_something_else_is_refused(tmp_path, text):
    (tmp_path / "history.csv").write_text(text, errors="surrogateescape")
    with pytest.raises(
        KitError,
        match="history.csv( row [12])?: (has no column|.*could not convert|not UTF-8 text)",
    ):
        read_history(tmp_path / "history.csv")
