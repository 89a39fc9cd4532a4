"""Recipes: settings of `kit train` that go well together, by name."""

from __future__ import annotations

# What --preset sets; an option given beside it wins. Why each value is what it is: benchmarks/points.md.
RECIPES: dict[str, dict] = {
    # About an hour on two cores with AVX512_BF16, on some 800 images of 768 px.
    "cpu-hour": {
        "encoder": "slim",
        "output": 2,
        "decoder": (96, 48, 32, 16, 8),
        "loss": ("dice", "balanced"),
        "pixel_weight": 10.0,
        "presence": True,
        "mixed": "bfloat16",
        "epochs": 3,
        "steps": 2900,
        "best_by": "epoch",
    },
}
