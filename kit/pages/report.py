"""The report: one HTML page on a model, on several compared, or on the data."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import KitError, naming_extra
from ..plots.charts import COLORS
from ..records.manifest import is_records, open_records
from ..system.files import check_target
from .comparison import make_comparison_page
from .data import make_data_page
from .html import Page
from .model import make_model_page

MOST = len(COLORS)  # models on one page


@naming_extra()
def report(
    places: Path | str | Sequence[Path | str],
    out: Path | str | None = None,
    *,
    records: Path | str | None = None,
    networks: Any = None,
) -> Page:
    """The page on a model folder, on several compared, or on records.

    Args:
        places: the path of one folder, or several paths.
        out: the file to write the page to; None: none.
        records: where the models' records are now; None: where they were in training.
        networks: your own networks, as for `kit.tune`.

    Raises:
        KitError: if a folder is neither a model nor records, models have no holdout image in
            common, or `out` cannot be written.
    """
    given = [places] if isinstance(places, str | os.PathLike) else places
    folders = [Path(place) for place in given]
    if len(folders) > MOST:
        raise KitError(f"{len(folders)} models: a page compares at most {MOST}; compare fewer")
    if len(folders) == 1 and is_records(folders[0]):
        if records is not None:
            raise KitError(
                f"--records {records}: is only for models, and {folders[0]} is a folder of "
                "records; leave it out"
            )
        _check(out)
        made = make_data_page(open_records(folders[0]))
    else:
        from ..models.folder import read_config
        from ..tf.inference.evaluation import evaluate
        from ..tf.inference.load import pair_models

        pairs = pair_models(folders, networks)
        for folder in folders:
            read_config(folder)
        _check(out)
        evaluations = [
            evaluate(folder, records=records, network=network) for folder, network in pairs
        ]
        made = (
            make_model_page(evaluations[0])
            if len(evaluations) == 1
            else make_comparison_page(evaluations)
        )
    if out is not None:
        made.save(out)
    return made


def _check(out: Path | str | None) -> None:
    """Checks that the page can be written, before any time is spent."""
    if out is not None:
        check_target(Path(out))
