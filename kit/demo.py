"""The whole road on a practice competition, from scenes to a checked submission and a score."""

import importlib.util
import re
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .competition.conventions import AIRBUS, image_path
from .errors import KitError, naming_extra
from .masks import table
from .masks.table import Masks
from .packing import packing
from .pages import report as reporting
from .plots import contact_sheet
from .practice.folder import EASY, write_practice
from .records.index import open_index
from .scoring import scores
from .scoring.counts import count
from .scoring.summary import summarize
from .settings import PracticeSettings, choose_training
from .submission import csv_file
from .system.files import explain, write_json
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
NEEDED = ("tensorflow", "tensorflow_datasets", "segmentation_models", "sklearn")

PRACTICE = EASY
PACK: dict[str, Any] = {"folds": 5}
TRAIN: dict[str, Any] = {"preset": "practice"}


@naming_extra()
def run_demo(out: Path | str = "demo", *, seed: int = 0) -> dict[str, Any]:
    """Runs the whole road in the folder `out`.

    Each split of the holdout is scored with cuts that were tuned on its other scenes; the
    submission's cuts are tuned on all of it. A folder that an earlier demo made is replaced.

    Returns:
        The fields of summary.json.

    Raises:
        KitError: if `out` holds something that no demo made.
    """
    begun = time.monotonic()
    for name in NEEDED:  # before anything is removed
        if importlib.util.find_spec(name) is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    from .tf.inference import inference
    from .tf.training import training

    PracticeSettings(seed=seed, **PRACTICE)  # refuses a bad seed
    out = Path(out)
    _clear(out)
    competition, packed, model = out / "competition", out / "records", out / "model"
    empty, area = PRACTICE["empty_share"], PRACTICE["ship_area"]
    _say(
        1, f"an easy practice competition: {PRACTICE['images']} training tiles of synthetic scenes"
    )
    print(f"{empty:.0%} of them empty, ships around {area:.0f} px, little land")
    write_practice(competition, seed=seed, **PRACTICE)
    _say(2, "records, in folds of whole scenes")
    print(packing.pack(competition, packed, seed=seed, **PACK)["overview"])
    _say(3, "a U-Net, trained on all folds but fold 0")
    chosen = choose_training(**TRAIN)
    rows = training.train(packed, model, seed=seed, **TRAIN)
    if len(rows) < chosen.epochs + len(chosen.then):
        raise KitError("the training was stopped; run the same command again")
    _say(4, "threshold and cuts, tuned on the maps of fold 0")
    tuned = inference.tune(model, empty_share=empty, seed=seed)
    print(tuning_file.describe_tuning(tuned.fields))
    _say(
        5,
        "the submission, and the score on the holdout, whose cuts never saw the scenes they score",
    )
    inference.predict(model, competition, out / "submission.csv")
    problems, report = csv_file.check_csv(out / "submission.csv", competition / AIRBUS.sample_csv)
    print(report)
    truth, prediction = open_index(packed, [0]).truth, tuned.prediction
    counts = count(truth, prediction)
    figures = summarize(counts)
    names = ("images", "ships", "f2", "f2_ships", "f2_empty", "f2_blank")
    result = {name: figures[name] for name in names}
    result["ship_images"] = int((counts.ships > 0).sum())
    draw_pictures(competition, truth, prediction, out)
    reporting.report(model, model / "report.html")
    result["minutes"] = round((time.monotonic() - begun) / 60, 2)
    write_json(out / "summary.json", result)
    print("\n" + describe_result(result, out))
    if problems:
        raise KitError(f"{out / 'submission.csv'}: does not pass its own check; please report this")
    return result


def _say(number: int, text: str) -> None:
    print(f"\n[{number}/5] {text}", flush=True)


def _clear(out: Path) -> None:
    if not out.exists():
        try:
            out.mkdir(parents=True)
        except OSError as error:
            raise KitError(explain(error, out)) from None
        return
    if not out.is_dir():
        raise KitError(f"{out}: is a file; give another folder with --out")
    found = {item.name for item in out.iterdir()}
    if not found:
        return
    cut_off = {name for name in found if re.fullmatch(r"\.competition\.[0-9]+\.tmp", name)}
    ours = cut_off or (out / "competition" / "practice.json").is_file()
    if found - set(MADE) - cut_off or not ours:
        words = "is not empty and holds more than an earlier demo"
        raise KitError(f"{out}: {words}; give another folder with --out")
    # The competition, by which an earlier demo is known, goes last.
    for name in [*reversed(MADE), *cut_off]:
        path = out / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def draw_pictures(competition: Path, truth: Masks, prediction: Masks, out: Path) -> None:
    """Draws contact-sheet.png and road.png.

    The sheet says what the prediction and the blank submission score. It shows five ship tiles from
    the best to the worst by F2, and the empty tile with the lowest. The road is the best tile with
    two to four ships: as tile, truth, prediction and rows of a CSV.

    Args:
        competition: the folder with the images.
        truth: masks of the holdout.
        prediction: masks of the same images.
        out: the folder of both pictures.
    """
    values, ships = scores.f2(count(truth, prediction)), table.count_objects(truth)
    ranked = np.flatnonzero(ships)[np.argsort(-values[ships > 0], kind="stable")]
    empty = np.flatnonzero(ships == 0)[np.argsort(values[ships == 0], kind="stable")][:1]
    spread = np.linspace(0, len(ranked) - 1, 5).round().astype(int)
    best = next((place for place in ranked if 2 <= ships[place] <= 4), ranked[0])
    chosen = np.concatenate([ranked[spread], empty, [best]])
    paths = [image_path(competition, AIRBUS.train_images, name) for name in truth.ids[chosen]]
    *images, image = [np.array(Image.open(path)) for path in paths]
    notes = [f"F2 {values[k]:.2f}" + ("" if ships[k] else " (no ship)") for k in chosen[:-1]]
    real, found = (table.select(side, chosen[:-1]) for side in (truth, prediction))
    head = f"object F2 {values.mean():.3f}, blank submission {(ships == 0).mean():.3f}"
    contact_sheet.draw_contact_sheet(images, real, found, notes, out / "contact-sheet.png", head)
    real, found = (table.select(side, [best]) for side in (truth, prediction))
    contact_sheet.draw_road(image, real, found, out / "road.png")


def describe_result(result: dict[str, Any], out: Path) -> str:
    """The closing lines."""
    images, ships = result["ship_images"], result["ships"]
    pictures = f"{out / 'model' / 'report.html'} and {out / 'contact-sheet.png'}"
    return "\n".join(
        [
            f"the holdout: {result['images']} tiles, {images} with {ships} ships",
            f"  object F2           {result['f2']:.3f}",
            f"  blank submission    {result['f2_blank']:.3f}",
            f"  F2 on ship tiles    {result['f2_ships']:.3f}",
            f"  F2 on empty tiles   {result['f2_empty']:.3f}",
            f"in {result['minutes']:.1f} minutes; look at {pictures}",
        ]
    )
