"""The whole road on a practice competition: scenes, records, training, tuning, a checked submission, a score and a picture."""

import importlib.util
import re
import shutil
import time
from pathlib import Path

import numpy as np
from PIL import Image

from .competition.conventions import AIRBUS, image_path
from .errors import KitError
from .masks import table
from .masks.table import Masks
from .packing import packing
from .pages import report as reporting
from .plots import contact_sheet
from .practice.folder import EASY, write_practice
from .records.index import open_index
from .scoring import scores
from .scoring.counts import count
from .settings import PracticeSettings
from .submission import csv_file
from .system.files import write_json
from .tuning import tuning_file

MADE = (
    "competition",
    "records",
    "model",
    "submission.csv",
    "submission.json",
    "contact-sheet.png",
    "road.png",
    "summary.json",
)

# Sized for two CPU cores and six minutes: the network sees the tiles at half size. The last epoch's weights are taken as the best, so that
# nothing but the cuts is chosen on the holdout.
PRACTICE = EASY
PACK: dict = {"folds": 5}
TRAIN: dict = {
    "scale": 2,
    "epochs": 2,
    "steps": 160,
    "learning_rate": 3e-3,
    "best_by": "epoch",
    "presence": True,
}


def run_demo(out="demo", *, seed: int = 0) -> dict:
    """Runs the whole road in the folder `out` and returns summary.json's fields.

    Each split of the holdout is scored with cuts that were tuned on its other scenes; the submission's are tuned on all of it. A folder
    that an earlier demo made is replaced, any other that is not empty raises KitError.
    """
    begun = time.monotonic()
    for name in (
        "tensorflow",
        "tensorflow_datasets",
        "segmentation_models",
        "sklearn",
    ):  # before anything is removed
        if importlib.util.find_spec(name) is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    from .tf.inference import inference
    from .tf.training import training

    PracticeSettings(seed=seed, **PRACTICE)  # refuses a bad seed
    out = Path(out)
    _clear(out)

    def say(number, text):
        print(f"\n[{number}/5] {text}", flush=True)

    competition, packed, model = out / "competition", out / "records", out / "model"
    easy = f"{PRACTICE['empty_share']:.0%} of them empty, ships around {PRACTICE['ship_area']:.0f} px, little land"
    say(
        1,
        f"an easy practice competition: {PRACTICE['images']} training tiles of synthetic scenes, {easy}",
    )
    write_practice(competition, seed=seed, **PRACTICE)
    say(2, "records, in folds of whole scenes")
    print(packing.pack(competition, packed, seed=seed, **PACK)["overview"])
    say(3, "a U-Net, trained on all folds but fold 0")
    if len(training.train(packed, model, seed=seed, **TRAIN)) < TRAIN["epochs"]:
        raise KitError("stopped in its training; run the same command again")
    say(4, "threshold and cuts, tuned on the maps of fold 0")
    tuned = inference.tune(model, empty_share=PRACTICE["empty_share"], seed=seed)
    print(tuning_file.describe_tuning(tuned.fields))
    say(
        5,
        "the submission, and the score on the holdout, each split by cuts that the tuner chose without it",
    )
    inference.predict(model, competition, out / "submission.csv")
    problems, report = csv_file.check_csv(out / "submission.csv", competition / AIRBUS.sample_csv)
    print(report)
    truth, prediction = open_index(packed, [0]).truth, tuned.prediction
    counts = count(truth, prediction)
    summary = scores.summarize(counts)
    result = {
        "images": summary["images"],
        "ships": summary["ships"],
        "ship_images": int((counts.ships > 0).sum()),
        **{name: summary[name] for name in ("f2", "f2_ships", "f2_empty", "f2_blank")},
    }
    draw_pictures(competition, truth, prediction, out)
    reporting.report(model, model / "report.html")
    result["minutes"] = round((time.monotonic() - begun) / 60, 2)
    write_json(out / "summary.json", result)
    print("\n" + describe_result(result, out))
    if problems:
        raise KitError(f"{out / 'submission.csv'}: does not pass its own check; please report this")
    return result


def _clear(out: Path) -> None:
    if not out.exists():
        out.mkdir(parents=True)
        return
    if not out.is_dir():
        raise KitError(f"{out}: is a file; give another folder with --out")
    found = {item.name for item in out.iterdir()}
    if not found:
        return
    cut_off = {name for name in found if re.fullmatch(r"\.competition\.[0-9]+\.tmp", name)}
    if found - set(MADE) - cut_off or not (
        cut_off or (out / "competition" / "practice.json").is_file()
    ):
        raise KitError(
            f"{out}: is not empty and holds more than an earlier demo; give another folder with --out"
        )
    for name in [
        *reversed(MADE),
        *cut_off,
    ]:  # the competition, by which an earlier demo is known, goes last
        path = out / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def draw_pictures(competition: Path, truth: Masks, prediction: Masks, out: Path) -> None:
    """contact-sheet.png: five ship tiles from the best to the worst by F2 and the empty tile with the lowest; road.png: the best of those
    tiles with several ships, as tile, truth, prediction and rows of a CSV."""
    values, ships = scores.f2(count(truth, prediction)), table.count_objects(truth)
    ranked = np.flatnonzero(ships)[np.argsort(-values[ships > 0], kind="stable")]
    empty = np.flatnonzero(ships == 0)[np.argsort(values[ships == 0], kind="stable")][:1]
    chosen = np.concatenate([ranked[np.linspace(0, len(ranked) - 1, 5).round().astype(int)], empty])
    images = [
        np.array(Image.open(image_path(competition, AIRBUS.train_images, name)))
        for name in truth.ids[chosen]
    ]
    notes = [f"F2 {values[place]:.2f}" + ("" if ships[place] else " (no ship)") for place in chosen]
    contact_sheet.draw_contact_sheet(
        images,
        table.select(truth, chosen),
        table.select(prediction, chosen),
        notes,
        out / "contact-sheet.png",
    )
    best = [next((place for place in ranked if 2 <= ships[place] <= 4), ranked[0])]
    image = np.array(Image.open(image_path(competition, AIRBUS.train_images, truth.ids[best[0]])))
    contact_sheet.draw_road(
        image, table.select(truth, best), table.select(prediction, best), out / "road.png"
    )


def describe_result(result: dict, out: Path) -> str:
    """The closing table."""
    return "\n".join(
        [
            f"the holdout: {result['images']} tiles, {result['ship_images']} with {result['ships']} ships",
            f"  object F2           {result['f2']:.3f}",
            f"  blank submission    {result['f2_blank']:.3f}",
            f"  F2 on ship tiles    {result['f2_ships']:.3f}",
            f"  F2 on empty tiles   {result['f2_empty']:.3f}",
            f"in {result['minutes']:.1f} minutes; look at {out / 'model' / 'report.html'} and {out / 'contact-sheet.png'}",
        ]
    )
