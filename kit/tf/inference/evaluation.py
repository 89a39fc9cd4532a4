"""A model folder's evaluation on its holdout: maps, cuts and the history of its training."""

import dataclasses
from pathlib import Path

from ... import cuts as cutting
from ...competition import conventions
from ...cuts import Cuts
from ...errors import KitError
from ...models.evaluation import Evaluation
from ...models.folder import read_config
from ...models.history import read_history
from ...records.index import open_index
from ...records.manifest import open_records
from ...settings import TuneSettings
from ...tuning import tuning
from ...tuning.tuning_file import read_tuning
from ..environment import computing
from ..failures import explained
from .holdout import open_holdout


@explained
@computing()
def evaluate(model, *, records=None, network=None) -> Evaluation:
    """Evaluates a model folder on the fold that it held out, and computes maps that are missing.

    With a tuning.json, cuts are chosen again by its settings: each fifth of the scenes gets cuts
    chosen on the other four. Cuts that were tuned for several models together are applied as they
    are. Without a tuning.json, threshold 128 and no cuts are used. Prints one line unless a new
    choice confirms tuning.json.

    Args:
        model: the model folder.
        records: folder of the records; None: where training found them.
        network: your own network, if the training had one.

    Raises:
        KitError: if no fold was held out, or if the competition's rows are not objects.
    """
    folder = Path(model)
    config = read_config(folder)
    tuning.check_competition(conventions.from_json(config["competition"]))
    if config["fold"] is None:
        raise KitError(
            f"{folder}: was trained on all folds (--fold none), so no holdout is left to evaluate; "
            "train with --fold 0"
        )
    written, known, words, settings = folder / "tuning.json", None, "", TuneSettings()
    if written.exists():
        saved = read_tuning(written)
        known, settings = saved.cuts, saved.settings
        names = [model["name"] for model in saved.models]
        if len(names) > 1:
            words = (
                f"{written} was chosen for {' and '.join(names)} together; its cuts are applied "
                "as they are, to images that were used to choose them"
            )
    holdout = open_holdout(
        [folder], records, networks=network, tta=settings.tta, scale=settings.scale
    )
    index = open_index(
        open_records(records if records is not None else config["records"]), [config["fold"]]
    )
    tuned = None
    if known is None or words:
        each = [known or Cuts()] * len(index)
        prediction = tuning.find_each(holdout.read, holdout.truth, holdout.presence, each)
    else:
        tuned = tuning.choose_cuts(*holdout, settings)
        each, prediction = tuned.cuts, tuned.prediction
        if known != cutting.from_json(tuned.fields):
            words = (
                f"{written} holds other cuts, perhaps of earlier weights; "
                f"this report chooses them anew, and kit tune {folder} saves them"
            )
    if known is None:
        words = (
            f"{folder} is not tuned, so threshold 128 and no cuts; "
            f"kit tune {folder} chooses better ones"
        )
    if words:
        print(f"kit report: {words}")
    gated = [cuts.blank or cuts.min_presence > 0 for cuts in each]
    opened = [dataclasses.replace(cuts, blank=False, min_presence=0.0) for cuts in each]
    environment = folder / "environment.txt"
    return Evaluation(
        name=folder.resolve().name,
        config=config,
        environment=environment.read_text(encoding="utf-8", errors="replace")
        if environment.is_file()
        else "",
        history=read_history(folder / "history.csv"),
        index=index,
        prediction=prediction,
        ungated=tuning.find_each(holdout.read, holdout.truth, None, opened)
        if any(gated)
        else prediction,
        cuts=known if tuned is None else cutting.from_json(tuned.fields),
        tuning=tuned,
        settings=settings,
        note=words,
    )
