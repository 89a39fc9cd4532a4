"""What a process does that kills itself at a certain place, for tests/forks.py."""

import os

from kit.tf.inference.holdout_maps import compute_maps
from kit.tf.inference.inference import predict
from tests.deaths import Death, kill, plan_death
from tests.tf.detectors import make_detector


def compute_six_maps(model: str) -> None:
    """Dies when the sixth map is in its place, and half a line in presence.csv."""
    seen, former = [], os.replace

    def replace(source, target):
        former(source, target)
        if str(target).endswith(".png"):
            seen.append(target)
            if len(seen) == 6:
                with open(os.path.join(model, "maps", "presence.csv"), "a") as file:
                    file.write(os.path.basename(target)[:3])
                kill()

    os.replace = replace
    compute_maps(model, network=make_detector())


def predict_one_part(model: str, source: str, out: str, when: str) -> None:
    """Dies when the first part file is written but not yet in its place ("before"), or is there."""
    plan_death(Death("replace", when == "after", "part-"))
    predict(model, source, out, networks=make_detector())
