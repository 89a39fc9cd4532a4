"""What the tests of pages share: a model with every kind of mistake, and the page about it."""

import numpy as np
import pytest
from PIL import Image

from kit.cuts import from_json
from kit.masks import dense
from kit.models.evaluation import Evaluation
from kit.pages.model import make_model_page
from kit.records.index import Index
from kit.settings import TrainSettings, TuneSettings
from kit.tuning import tuning
from kit.tuning.tuning import Tuning
from tests.scoring.test_mistakes import CASES, draw

SCRIPT = "<script>document.title='taken'</script>.jpg"
SIDE = 200


def make_evaluation(folder, name="first", **changes) -> Evaluation:
    """A model on the images of CASES, each twice; `changes` replaces predicted boxes by case."""
    names, truth, prediction, paths = [], [], [], []
    rng = np.random.default_rng(0)
    for turn in range(2):
        for case, (real, found, _) in CASES.items():
            names.append(SCRIPT if (turn, case) == (1, "empty") else f"{case}{turn}.jpg")
            truth.append(draw(*real, side=SIDE))
            prediction.append(draw(*changes.get(case, found), side=SIDE))
            paths.append(folder / f"{case}{turn}.jpg")
            pixels = rng.integers(0, 60, (SIDE, SIDE, 3)) + 150 * (truth[-1] > 0)[..., None]
            Image.fromarray(pixels.astype(np.uint8)).save(paths[-1])
    real, found = dense.from_labels(names, truth), dense.from_labels(names, prediction)
    scenes, count = np.arange(len(names)) % 8, len(names)
    index = Index(
        "records", real, scenes, np.zeros(count, int), np.array(paths, object), np.full(count, -1)
    )
    tuned = tuning.choose_cuts(
        lambda k: ((prediction[k] > 0) * 200).astype(np.uint8),
        real,
        scenes,
        None,
        TuneSettings(empty_share=0.25),
    )
    config = {
        **vars(TrainSettings(fold=0)),
        "records": "/data/records",
        "records_sha256": "0" * 64,
        "own": {},
    }
    history = [
        {
            "epoch": k,
            "step": k,
            "seconds": 1,
            "learning_rate": 0.1 / k,
            "loss": 1 / k,
            "val_loss": 2 / k,
            "val_pixel_iou": 0.1 * k,
        }
        | {
            "val_pixel_f2": 0.2 * k,
            "val_object_f2": 0.1 * k,
            "val_object_f2_ships": None,
            "val_object_f2_empty": 0.5,
            "val_object_f2_blank": 0.25,
        }
        for k in (1, 2, 3)
    ]
    about = Tuning(tuned.fields, found, tuned.surface, tuned.point, tuned.cuts)
    settings = TuneSettings(empty_share=0.25)
    return Evaluation(
        name,
        config,
        "python 3.11\n",
        history,
        index,
        found,
        found,
        from_json(tuned.fields),
        about,
        settings,
    )


@pytest.fixture(scope="session")
def evaluation(tmp_path_factory):
    return make_evaluation(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="session")
def page(evaluation, tmp_path_factory):
    return make_model_page(evaluation).save(tmp_path_factory.mktemp("page") / "report.html")


def names_shown(browser) -> list[str]:
    return browser.execute_script(
        "return [...document.querySelectorAll('.card')]"
        ".filter(c => c.offsetParent).map(c => c.dataset.name)"
    )
