"""The road on a few real images and a few steps."""

import json

import pytest

from kit.competition import csv_masks
from kit.masks import table as masks
from kit.submission import csv_file

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def few(airbus, tmp_path):
    """A competition folder with links to 40 real training and 4 real test images, and the rows."""
    out = tmp_path / "competition"
    table = csv_masks.read_csv(airbus / "train_ship_segmentations_v2.csv")
    table = masks.select(table, range(40))
    for folder in ("train_v2", "test_v2"):
        (out / folder).mkdir(parents=True)
    for name in table.ids:
        (out / "train_v2" / name).symlink_to(airbus / "train_v2" / name)
    csv_file.write_csv(table, out / "train_ship_segmentations_v2.csv")
    lines = (airbus / "sample_submission_v2.csv").read_text().splitlines()[:5]
    (out / "sample_submission_v2.csv").write_text("\n".join(lines) + "\n")
    for line in lines[1:]:
        name = line.split(",")[0]
        (out / "test_v2" / name).symlink_to(airbus / "test_v2" / name)
    return out


def blank_share(few, records) -> float:
    """Share of images without a ship in fold 0, from the CSV and folds.csv alone."""
    truth = csv_masks.read_csv(few / "train_ship_segmentations_v2.csv")
    fold = dict(
        line.split(",")[::2] for line in (records / "folds.csv").read_text().splitlines()[1:]
    )
    held = [
        count for name, count in zip(truth.ids, masks.count_objects(truth)) if fold[name] == "0"
    ]
    return sum(count == 0 for count in held) / len(held)


def test_real_images_become_a_checked_submission(few, shallow, tmp_path):
    from kit.packing.packing import pack
    from kit.tf.inference.inference import predict, tune
    from kit.tf.training.training import train

    manifest = pack(few, tmp_path / "records", folds=4)
    assert manifest["skipped"] == [] and sum(shard["count"] for shard in manifest["shards"]) == 40
    (row,) = train(
        tmp_path / "records",
        tmp_path / "model",
        epochs=1,
        steps=3,
        batch=2,
        crop=64,
        encoder="plain",
    )
    assert row["step"] == 3 and row["val_object_f2_blank"] == pytest.approx(
        blank_share(few, tmp_path / "records")
    )
    tune(tmp_path / "model")
    assert json.loads((tmp_path / "model" / "tuning.json").read_text())["empty_share"] == 0.765
    predict(tmp_path / "model", few, tmp_path / "out.csv")
    assert csv_file.check_csv(tmp_path / "out.csv", few / "sample_submission_v2.csv")[0] == []
