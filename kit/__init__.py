"""Train, tune, score and submit run-length-mask competitions.

Notebooks find everything here: `kit.score_csv(...)`, `kit.pack(...)`, `kit.train(...)`. Each name
is loaded on first use.
"""

import importlib
import warnings
from collections.abc import Callable
from typing import Any

from .errors import KitError, naming_extra

__version__ = "0.1.0"

# Public name -> the module that defines it.
_NAMES = {
    "KitError": "kit.errors",
    "Competition": "kit.competition.conventions",
    "Masks": "kit.masks.table",
    "COMPETITIONS": "kit.competition.catalog",
    "PRESETS": "kit.presets",
    "read_csv": "kit.competition.csv_masks",
    "format_csv": "kit.competition.csv_text",
    "Cuts": "kit.cuts",
    "find_objects": "kit.objects.extraction",
    "fit_rectangles": "kit.objects.rectangles",
    "from_labels": "kit.masks.dense",
    "from_masks": "kit.masks.dense",
    "to_labels": "kit.masks.dense",
    "to_masks": "kit.masks.dense",
    "align": "kit.scoring.counts",
    "count": "kit.scoring.counts",
    "interval": "kit.scoring.bootstrap",
    "f2": "kit.scoring.scores",
    "climb_ladder": "kit.scoring.ladder",
    "object_f2": "kit.scoring.scores",
    "score_csv": "kit.scoring.csv_score",
    "check_csv": "kit.submission.csv_file",
    "write_csv": "kit.submission.csv_file",
    "write_practice": "kit.practice.folder",
    "run_demo": "kit.demo",
    "pack": "kit.packing.packing",
    "repair": "kit.packing.repair",
    "check_records": "kit.records.manifest",
    "open_records": "kit.records.manifest",
    "find_scenes": "kit.packing.scenes",
    "open_index": "kit.records.index",
    "batches": "kit.tf.data.batches",
    "unet": "kit.tf.network.unet",
    "encoder": "kit.tf.network.encoder",
    "make_loss": "kit.tf.network.losses",
    "ObjectF2": "kit.tf.training.holdout",
    "load_model": "kit.tf.inference.load",
    "train": "kit.tf.training.training",
    "tune": "kit.tf.inference.inference",
    "predict": "kit.tf.inference.inference",
    "tune_maps": "kit.tuning.map_folder",
    "predict_maps": "kit.submission.map_folder",
    "find_mistakes": "kit.scoring.mistakes",
    "report": "kit.pages.report",
    "open_session": "kit.machine.session",
    "check_settings": "kit.tf.training.training",
    "check_machine": "kit.machine.checks",
    "list_encoders": "kit.machine.encoders",
}

# Former name -> new name. Former names still work in this version, with a warning.
_RENAMED = {
    "find_damage": "check_records",
    "inspect_machine": "check_machine",
    "tune_folder": "tune_maps",
}

__all__ = ["__version__", *_NAMES]


def __getattr__(name: str) -> Any:
    if name in _RENAMED:
        warnings.warn(
            f"kit.{name} is now kit.{_RENAMED[name]}; the next version drops the old name",
            DeprecationWarning,
            stacklevel=2,
        )
        name = _RENAMED[name]
    if name not in _NAMES:
        raise AttributeError(f"module 'kit' has no attribute {name!r}")
    try:
        with naming_extra():
            return _load(name)
    except (ImportError, KitError) as error:
        return _stand_in(name, error)


def _load(name: str) -> Any:
    return getattr(importlib.import_module(_NAMES[name]), name)


def _stand_in(name: str, error: Exception) -> Callable[..., Any]:
    """What a name is while its module cannot be loaded: a call says why, or works by then.

    So help, completion and `from kit import *` work without TensorFlow.
    """

    @naming_extra()
    def call(*arguments: Any, **options: Any) -> Any:
        return _load(name)(*arguments, **options)

    call.__name__ = call.__qualname__ = name
    call.__module__ = __name__
    call.__doc__ = f"Cannot be used here: {error}."
    return call


def __dir__() -> list[str]:
    return sorted(__all__)
