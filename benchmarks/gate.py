"""How well a trained network tells images with objects from those without, and what does better.

Run: python benchmarks/gate.py MODEL [MODEL...] [--records RECORDS]

MODEL are folders made by kit train, each on another fold; all images are pooled, each judged by the
model that held it out. One row per way to decide:

    presence      the presence output, if there is one
    peak          the largest value of the map
    STRIDE POOL   logistic regression on the encoder's features of that stride, pooled over whole
                  images (average, maximum, generalized mean), fitted to the training images
    stack         logistic regression on the presence output and on what the map says: the worth of
                  the best component, their sum, their number; fitted to the other splits of scenes

The columns: area under the ROC curve, with its 95% interval over scenes, and the share of images
with objects that is lost if 1%, 1.5%, 2%, 3%, 5% and 10% of the images without are let pass.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from scipy.stats import rankdata

from kit.masks import table
from kit.objects.forest import choose, rate
from kit.records import folds
from kit.tuning import search, tuning
from kit.tuning.calibration import logit
from kit.tuning.candidates import find_candidates
from kit.tuning.logistic import balance, fit_logistic

RIDGE = 1e-2
ALARMS = (0.01, 0.015, 0.02, 0.03, 0.05, 0.1)
POOLS = ("average", "maximum", "generalized mean")
DRAWS = 500  # of scenes, for the interval


def main(arguments: list[str]) -> None:
    if not arguments:
        print("needs trained models: python benchmarks/gate.py MODEL [MODEL...]")
        return
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="+")
    parser.add_argument("--records")
    options = parser.parse_args(arguments)
    rows: dict[str, list[np.ndarray]] = {}
    holds, scenes = [], []
    for model in options.models:
        there, scene, found = judge(Path(model), options.records)
        holds.append(there)
        scenes.append(folds.group(scene) + sum(map(len, scenes)))
        for name, values in found.items():
            rows.setdefault(name, []).append(values)
    there, groups = np.concatenate(holds), np.concatenate(scenes)
    print(f"{len(there)} images, {(~there).sum()} of them empty")
    print(f"{'':26} area under ROC             lost at", *(f"{share:6.1%}" for share in ALARMS))
    for name, parts in rows.items():
        said = np.concatenate(parts)
        low, high = bound(said, there, groups)
        lost = (f"{lose(said, there, share):6.3f}" for share in ALARMS)
        area = f"{measure_area(said, there):.4f} ({low:.4f} to {high:.4f})"
        print(f"{name:26} {area}          ", *lost)


def judge(model: Path, records) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """What each way says of the images that a model held out.

    Returns:
        Whether each image holds an object, bool (images,); its scene, int64 (images,); what each
        way says, float (images,) each, larger where an object is likelier.
    """
    from kit.models.folder import read_config
    from kit.records.index import open_index
    from kit.records.manifest import open_records
    from kit.tf.inference.holdout import open_holdout
    from kit.tf.inference.load import load_network

    config = read_config(model)
    source = open_records(records or config["records"])
    read, truth, scenes, presence = open_holdout([model], records)
    there = table.count_objects(truth) > 0
    rows = {} if presence is None else {"presence": logit(presence)}
    rows |= {
        "peak": np.array([float(read(place).max()) for place in range(len(truth))]),
    }
    others = open_index(source, [fold for fold in source.folds if fold != config["fold"]])
    run = make_pooling(load_network(model)[0])
    own = pool(run, open_index(source, [config["fold"]]))
    for name, values in pool(run, others).items():
        holds = table.count_objects(others.truth) > 0
        line = fit_logistic(values, holds.astype(float), RIDGE, balance(holds))
        rows[name] = own[name] @ line[:-1] + line[-1]
    rows["stack"] = stack(read, truth, scenes, rows.get("presence"))
    return there, scenes, rows


def make_pooling(network):
    """A function from images to their encoder's features, pooled, by stride and pool."""
    import tensorflow as tf

    encoder = network.get_layer("encoder")
    prepare = network.get_layer("prepare")

    @tf.function(reduce_retracing=True)
    def run(images):
        seen, found = prepare(images), {}
        for features in encoder(seen, training=False)[-3:]:
            values = tf.cast(features, tf.float32)
            stride = round(int(seen.shape[1]) / int(features.shape[1]))
            cubes = tf.reduce_mean(tf.maximum(values, 1e-6) ** 3, (1, 2)) ** (1 / 3)
            pools = tf.reduce_mean(values, (1, 2)), tf.reduce_max(values, (1, 2)), cubes
            found |= {f"{stride} {name}": each for name, each in zip(POOLS, pools)}
        return found

    return run


def pool(run, index) -> dict[str, np.ndarray]:
    """The pooled features of all images of an index, float32 (images, channels) each."""
    from kit.tf.data.batches import scan

    parts: dict[str, list[np.ndarray]] = {}
    for _, images, _ in scan(index, 2):
        for name, values in run(images).items():
            parts.setdefault(name, []).append(values.numpy())
    return {name: np.concatenate(values) for name, values in parts.items()}


def stack(read, truth, scenes: np.ndarray, presence: np.ndarray | None) -> np.ndarray:
    """Logits of the stack, (images,): each split of the scenes by what the others taught."""
    candidates, objects = find_candidates(read, truth), table.count_objects(truth)
    split, said = tuning.split_scenes(scenes, objects, 0), np.empty(len(truth))
    for number in range(split.max() + 1):
        rest = split != number
        worth = rate(candidates.measures, np.array(search.fit_worth(candidates, rest, True)))
        taken = choose(candidates.level, candidates.parent, worth - 0.05)
        image, best = candidates.image[taken], np.full(len(truth), 1e-3)
        np.maximum.at(best, image, worth[taken])
        total = np.bincount(image, worth[taken], minlength=len(truth))
        count = np.bincount(image, minlength=len(truth))
        known = [] if presence is None else [presence]
        known += [logit(best), np.log(total + 0.01), np.log1p(count)]
        inputs = np.stack(known, axis=1)
        holds = objects > 0
        line = fit_logistic(inputs[rest], holds[rest].astype(float), RIDGE, balance(holds[rest]))
        said[~rest] = inputs[~rest] @ line[:-1] + line[-1]
    return said


def measure_area(said: np.ndarray, holds: np.ndarray) -> float:
    """Area under the ROC curve, by ranks (Mann and Whitney 1947)."""
    number = int(holds.sum())
    total = rankdata(said)[holds].sum() - number * (number + 1) / 2
    return float(total / max(number * int((~holds).sum()), 1))


def lose(said: np.ndarray, holds: np.ndarray, share: float) -> float:
    """The share of images with objects below the level that `share` of the others exceed."""
    level = np.quantile(said[~holds], 1 - share, method="higher") if (~holds).any() else -np.inf
    return float((said[holds] <= level).mean())


def bound(said: np.ndarray, holds: np.ndarray, groups: np.ndarray) -> tuple[float, float]:
    """The 95% interval of the area, by drawing whole scenes again and again."""
    rng, members = (
        np.random.default_rng(0),
        [np.flatnonzero(groups == g) for g in np.unique(groups)],
    )
    areas = []
    for _ in range(DRAWS):
        drawn = rng.integers(0, len(members), len(members))
        places = np.concatenate([members[k] for k in drawn])
        areas.append(measure_area(said[places], holds[places]))
    low, high = np.quantile(areas, (0.025, 0.975))
    return float(low), float(high)


if __name__ == "__main__":
    main(sys.argv[1:])
