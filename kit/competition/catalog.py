"""The competitions that the kit knows, by name, and those described in a JSON file."""

from pathlib import Path
from typing import Any

from ..errors import KitError
from ..system.files import read_json
from .conventions import AIRBUS, Competition, from_json


def _publish(name: str, **fields: Any) -> Competition:
    """A competition of which only `fields` are public and known here; the rest is not set."""
    files = ("train_images", "test_images", "truth_csv", "sample_csv", "kaggle", "score", "scenes")
    unset = {"height": None, "width": None, **dict.fromkeys(files, "")}
    return Competition(**{"name": name, **unset, **fields})


COMPETITIONS = {
    competition.name: competition
    for competition in (
        AIRBUS,
        _publish(
            "tgs-salt",
            kaggle="tgs-salt-identification-challenge",
            train_images="train/images/{id}.png",
            test_images="test/images/{id}.png",
            truth_csv="train.csv",
            sample_csv="sample_submission.csv",
            id_column="id",
            runs_column="rle_mask",
            row="image",
            height=101,
            width=101,
            score="object-jaccard",
        ),
        _publish(
            "dsb2018",
            kaggle="data-science-bowl-2018",
            train_images="stage1_train/{id}/images/{id}.png",
            test_images="stage1_test/{id}/images/{id}.png",
            truth_csv="stage1_train_labels.csv",
            sample_csv="stage1_sample_submission.csv",
            score="object-jaccard",
        ),
        _publish(
            "severstal",
            kaggle="severstal-steel-defect-detection",
            train_images="train_images/{id}",
            test_images="test_images/{id}",
            truth_csv="train.csv",
            sample_csv="sample_submission.csv",
            label_column="ClassId",
            label_separator="_",
            labels=("1", "2", "3", "4"),
            sample_id_column="ImageId_ClassId",
            row="image and label",
            absent_is_empty=True,
            height=256,
            width=1600,
            score="dice",
        ),
        _publish(
            "clouds",
            kaggle="understanding_cloud_organization",
            train_images="train_images/{id}",
            test_images="test_images/{id}",
            truth_csv="train.csv",
            sample_csv="sample_submission.csv",
            id_column="Image_Label",
            label_separator="_",
            labels=("Fish", "Flower", "Gravel", "Sugar"),
            row="image and label",
            height=1400,
            width=2100,
            sample_height=350,
            sample_width=525,
            score="dice",
        ),
        _publish(
            "siim-pneumothorax",
            kaggle="siim-acr-pneumothorax-segmentation",
            truth_csv="train-rle.csv",
            sample_csv="sample_submission.csv",
            sample_row="image",
            relative=True,
            empty="-1",
            height=1024,
            width=1024,
            score="dice",
        ),
        _publish(
            "contrails",
            kaggle="google-research-identify-contrails-reduce-global-warming",
            sample_csv="sample_submission.csv",
            id_column="record_id",
            runs_column="encoded_pixels",
            row="image",
            empty="-",
            height=256,
            width=256,
            score="global-dice",
        ),
        _publish(
            "hubmap-kidney",
            kaggle="hubmap-kidney-segmentation",
            train_images="train/{id}.tiff",
            test_images="test/{id}.tiff",
            truth_csv="train.csv",
            sample_csv="sample_submission.csv",
            id_column="id",
            runs_column="encoding",
            sample_runs_column="predicted",
            row="image",
            score="dice",
        ),
        _publish(
            "uw-madison",
            kaggle="uw-madison-gi-tract-image-segmentation",
            train_images="train/{case}/{case}_{day}/scans/slice_{slice}_{width}_{height}_{mm}.png",
            test_images="test/{case}/{case}_{day}/scans/slice_{slice}_{width}_{height}_{mm}.png",
            image_id="{case}_{day}_slice_{slice}",
            truth_csv="train.csv",
            sample_csv="sample_submission.csv",
            id_column="id",
            label_column="class",
            labels=("large_bowel", "small_bowel", "stomach"),
            runs_column="segmentation",
            sample_runs_column="predicted",
            row="image and label",
            order="across",
        ),
        _publish(
            "sartorius",
            kaggle="sartorius-cell-instance-segmentation",
            train_images="train/{id}.png",
            test_images="test/{id}.png",
            truth_csv="train.csv",
            sample_csv="sample_submission.csv",
            id_column="id",
            runs_column="annotation",
            sample_runs_column="predicted",
            order="across",
            height=520,
            width=704,
            score="object-jaccard",
        ),
    )
}


def find_competition(name: Competition | Path | str) -> Competition:
    """The competition of a name in COMPETITIONS, or the one in a JSON file.

    A `Competition` is returned as it is, so that functions take all three.

    Raises:
        KitError: if `name` is none of them.
    """
    if isinstance(name, Competition):
        return name
    if isinstance(name, str) and name in COMPETITIONS:
        return COMPETITIONS[name]
    if not isinstance(name, str | Path) or not str(name).endswith(".json"):
        raise KitError(
            f"competition {str(name)[:80]!r}: not one of {', '.join(COMPETITIONS)}, "
            "not a .json file and not a kit.Competition"
        )
    return from_json(read_json(Path(name), "the fields of a competition"))
