"""Train, tune, score and submit run-length-mask competitions.

What a notebook needs is reachable from here and loaded on first use: `kit.score_csv(...)`, `kit.pack(...)`, `kit.train(...)`.
"""

from __future__ import annotations

import importlib

__version__ = "0.1.0"

# name -> module that holds it
_NAMES = {
    "KitError": "kit.errors",
    "Competition": "kit.competition",
    "Masks": "kit.masks",
    "PRESETS": "kit.competition",
    "read_csv": "kit.rows",
    "format_csv": "kit.rows",
    "Cuts": "kit.objects",
    "find_objects": "kit.objects",
    "fit_rectangles": "kit.rectangles",
    "from_labels": "kit.dense",
    "from_masks": "kit.dense",
    "to_labels": "kit.dense",
    "to_masks": "kit.dense",
    "align": "kit.counts",
    "count": "kit.counts",
    "interval": "kit.bootstrap",
    "f2": "kit.score",
    "climb_ladder": "kit.ladder",
    "object_f2": "kit.score",
    "score_csv": "kit.score",
    "check_csv": "kit.submission",
    "write_csv": "kit.submission",
    "write_practice": "kit.practice",
    "run_demo": "kit.demo",
    "pack": "kit.packing",
    "repair": "kit.packing",
    "find_damage": "kit.records",
    "open_records": "kit.records",
    "find_scenes": "kit.scenes",
    "open_index": "kit.index",
    "batches": "kit.tf.batches",
    "unet": "kit.tf.unet",
    "make_loss": "kit.tf.losses",
    "ObjectF2": "kit.tf.holdout",
    "train": "kit.tf.training",
    "tune": "kit.tf.inference",
    "predict": "kit.tf.inference",
    "tune_folder": "kit.tuning",
    "predict_maps": "kit.prediction",
    "find_mistakes": "kit.mistakes",
    "report": "kit.reporting",
    "open_session": "kit.session",
    "check_settings": "kit.tf.training",
    "inspect_machine": "kit.machine",
}

__all__ = ["__version__", *_NAMES]


def __getattr__(name: str):
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    raise AttributeError(f"module 'kit' has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
