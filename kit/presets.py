"""Presets: settings of `kit train` that go well together, by name."""

from .errors import KitError

_ROAD = {  # the base of the table in benchmarks/points.md, and what it found good whatever the network's size
    "loss": ("dice", "balanced"),
    "pixel_weight": 10.0,
    "presence": True,
    "optimizer": "muon",
    "learning_rate": 2e-3,
}
# U-Net34 on 256 px crops around ships, as published solutions began. Not measured: no GPU was at hand.
_T4 = _ROAD | {
    "encoder": "resnet34",
    "mixed": "auto",  # float16: a T4 has tensor cores
    "momentum": 0.99,  # 40,000 steps are enough for it
    "augment": (
        "dihedral",
        "scale",
        "brightness",
        "contrast",
        "gamma",
    ),  # each ship is seen some twenty times
    "batch": 32,
    "epochs": 10,  # the whole holdout is scored after each
    "steps": 4000,
}


class Presets(dict[str, dict]):
    """Presets by name; an unknown name raises KitError with those that there are."""

    def __missing__(self, name):
        raise KitError(
            f"preset {name!r}: choose one of {', '.join(self)}; competitions are in kit.COMPETITIONS"
        )


# What --preset sets; an option given beside it wins.
PRESETS = Presets(
    {
        # About an hour on two cores with AVX2 (a step: 0.30 to 0.33 s on an AMD EPYC 7003): pixel IoU 0.49, benchmarks/points.md.
        "cpu-hour": _ROAD
        | {
            "encoder": "slim",
            "output": 2,
            "decoder": (64, 32, 24, 16, 8),
            "mixed": "auto",
            "crop": 160,
            "batch": 10,  # as many pixels as seven of 192
            "learning_rate": 5e-3,
            "epochs": 3,
            "steps": 3500,
            "best_by": "epoch",  # an earlier epoch is one at a higher learning rate
        },
        "kaggle-t4": _T4,
        # Twice the crops in the time; the rate grows with the root of the batch.
        "kaggle-t4x2": _T4 | {"batch": 64, "learning_rate": 2.8e-3},
        # After either, with --start-from: whole images, as many without a ship as with one, at a lower rate. Not measured either.
        "kaggle-full": _T4
        | {
            "crop": None,
            "ship_share": 0.5,
            "empty_share": 0.5,
            "batch": 4,
            "epochs": 4,
            "learning_rate": 4e-4,
        },
    }
)
