"""Presets: settings of `kit train` that work well together, by name."""

from typing import Any

from .errors import KitError

# The base of the table in benchmarks/points.md, with the settings that helped networks of any size.
_ROAD: dict[str, Any] = {
    "loss": ("dice", "balanced"),
    "pixel_weight": 10.0,
    "presence": True,
    "optimizer": "muon",
    "learning_rate": 2e-3,
}
# U-Net34 on 256 px crops around ships, then on whole images, as published solutions went. Its dense
# convolutions suit a GPU in float16, where depthwise ones are slow. Not measured: needs a GPU.
_T4 = _ROAD | {
    "encoder": "resnet34",
    "encoder_weights": "imagenet",
    "mixed": "auto",  # float16: a T4 has tensor cores
    "momentum": 0.99,  # 40,000 steps are enough for this slow average
    # So many, since each ship is seen about twenty times.
    "augment": ("dihedral", "scale", "brightness", "contrast", "gamma"),
    "batch": 32,
    "epochs": 10,  # the whole holdout is scored after each
    "steps": 4000,
    "then": ("kaggle-whole", "gate"),
}


class Presets(dict[str, dict[str, Any]]):
    """Presets by name. An unknown name raises a KitError that lists the known ones."""

    def __missing__(self, name: str) -> dict[str, Any]:
        known = ", ".join(self)
        raise KitError(
            f"preset {name!r}: choose one of {known}; competitions are in kit.COMPETITIONS"
        )


GATE = "gate"  # the last stage: the presence head fitted to whole images
# What --then adds before it: stages by name, each with the settings that differ from the training.
STAGES: dict[str, dict[str, Any]] = {
    # Whole images, half of them without a ship, at a lower rate: the network meets what is rare.
    "cpu-whole": {
        "crop": None,
        "ship_share": 0.5,
        "empty_share": 0.5,
        "batch": 2,
        "epochs": 1,
        "steps": 400,
        "learning_rate": 2e-4,
    },
}
STAGES["kaggle-whole"] = STAGES["cpu-whole"] | {
    "batch": 4,
    "epochs": 4,
    "steps": 4000,
    "learning_rate": 4e-4,
}

# What --preset sets; an option on the command line overrides it.
PRESETS = Presets(
    {
        # About an hour on two cores with AVX2 (0.30 to 0.33 s per step on an AMD EPYC 7003).
        # It reaches a pixel IoU of 0.49, see benchmarks/points.md.
        "cpu-hour": _ROAD
        | {
            "encoder": "slim",
            "output": 2,
            "filters": (64, 32, 24, 16, 8),
            "mixed": "auto",
            "crop": 160,
            "batch": 10,  # as many pixels as seven crops of 192 px
            "learning_rate": 5e-3,
            "epochs": 3,
            "steps": 3500,
            "best_by": "epoch",  # earlier epochs had a higher learning rate
        },
        # Minutes on two cores, for practice images: the network sees them at half size. The last
        # weights count as the best, so only the cuts are chosen on the holdout.
        "practice": {
            "encoder": "efficientnetlite0",
            "encoder_weights": "imagenet",
            "decoder": "slim",
            "filters": (64, 32, 24, 16, 8),
            "scale": 2,
            "presence": True,
            "epochs": 2,
            "steps": 160,
            "learning_rate": 2e-3,
            "best_by": "epoch",
            "then": (GATE,),
        },
        "kaggle-t4": _T4,
        # Twice the crops in the same time; the learning rate grows with the root of the batch.
        "kaggle-t4x2": _T4 | {"batch": 64, "learning_rate": 2.8e-3},
    }
)
