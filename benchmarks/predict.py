"""Predicting and tuning against their peers, in one run, on the same images, from a warm cache; see train.py for what rates, ratios and CPU
milliseconds are. Run: make bench; one part: python benchmarks/predict.py forward|free|tuning|memory

Images: the real ones where they lie beside the project, else a practice competition's; where more are needed, under several names.
"""

import io
import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter, label
from train import SIDE, alternate, compare, prepare, spend

from kit.competition.conventions import AIRBUS
from kit.masks import dense, table
from kit.objects.map_files import read_map, write_map
from kit.records.index import open_index
from kit.settings import TuneSettings
from kit.submission.parts import PART_SIZE
from kit.system.processes import count_cores
from kit.tuning import tuning

FILES = 100  # JPEGs, all test images first; more images are hard links to them
SHIPS = 81_723 / 192_556  # an image, in the competition's truth
CELL = 32  # px: the network of no cost looks at one pixel of each such square
FEW, MANY = (
    1_500,
    15_606,
)  # images whose predictions' memory is compared; the competition's test set has so many


def quietly(work, *arguments, **options):
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        return work(*arguments, **options)


def take_files(folder: Path, place: Path) -> None:
    """Copies of FILES whole JPEGs of a competition folder, between which and other names there can be hard links."""
    found = [path for part in ("test_v2", "train_v2") for path in sorted((place / part).iterdir())]
    whole = (data for data in map(Path.read_bytes, found) if data.endswith(b"\xff\xd9"))
    folder.mkdir()
    for number, data in enumerate(islice(whole, FILES)):
        (folder / f"{number:03d}.jpg").write_bytes(data)


def list_files(folder: Path) -> list[Path]:
    return sorted((folder / "files").iterdir())


def make_competition(folder: Path, images: int) -> Path:
    """A competition folder of so many test images, and nothing else."""
    out, files = folder / f"of-{images}", list_files(folder)
    if not out.exists():
        (out / "test_v2").mkdir(parents=True)
        names = [f"{number:05d}.jpg" for number in range(images)]
        for number, name in enumerate(names):
            os.link(files[number % len(files)], out / "test_v2" / name)
        (out / AIRBUS.sample_csv).write_text(
            "".join(
                f"{line}\n"
                for line in ("ImageId,EncodedPixels", *(f"{name},1 2" for name in names))
            )
        )
    return out


def race(
    folder: Path, model: Path, few: int, peer, rounds: int, make_network=lambda: None
) -> tuple[dict[str, np.ndarray], table.Masks]:
    """Seconds and CPU seconds an image, (rounds, 2), of kit predict ("road") and of `peer`; and the masks of the last prediction.

    The road's are the difference between predicting three times `few` images and `few`, an image: weights are loaded and the network is
    compiled in both, and so is what is paid at their begin and end.
    """
    from kit.tf.inference.inference import predict

    found = []

    def run(images):
        place = make_competition(folder, images)
        found[:] = [
            quietly(predict, model, place, folder / "submission.csv", networks=make_network())
        ]

    works = {images: partial(spend, partial(run, images), 1) for images in (few, 3 * few)}
    seen = alternate({**works, "peer": peer}, rounds)
    return {"road": (seen[3 * few] - seen[few]) / (2 * few), "peer": seen["peer"]}, found[0]


def pass_forward(find, pixels, images: int) -> None:
    """So many images, always the same batch, to uint8 maps in NumPy's memory."""
    from kit.tf.inference.ensemble import collect

    for _ in range(images // len(pixels)):
        collect([find(pixels)])


def decode_batch(folder: Path):
    """The first images as one batch of the size that kit predict takes."""
    import tensorflow as tf

    from kit.tf.inference.ensemble import choose_batch

    return tf.stack(
        [
            tf.io.decode_jpeg(path.read_bytes(), channels=3)
            for path in list_files(folder)[: choose_batch(True)]
        ]
    )


def bench_forward(folder: Path, place: Path, records: Path) -> None:
    """From JPEG to CSV by a network that had thirty steps on small crops."""
    from kit.tf.inference.ensemble import make_mapper
    from kit.tf.inference.load import load_model
    from kit.tf.training.training import train

    model = folder / "model"
    quietly(train, records, model, fold=None, epochs=1, steps=30, crop=128)
    find, pixels = make_mapper(load_model(model)[0]), decode_batch(folder)
    few = 8 * len(pixels)
    seen, found = race(
        folder, model, few, lambda: spend(lambda: pass_forward(find, pixels, 2 * few), 2 * few), 3
    )
    print(
        f"resnet18, batches of {len(pixels)}, {3 * few} test images, {len(found.labels) / len(found):.1f} objects found an image"
    )
    compare("JPEG to CSV", seen["road"], seen["peer"], "forward on a batch in memory", 0.93)


def make_cheap(level: float = 0.0):
    """A network of no cost, whose map holds the squares of CELL px in whose first pixel green is above a level (0 to 255)."""
    import keras

    images = keras.Input((None, None, 3), dtype="uint8")
    green = keras.layers.Rescaling(1 / 25)(images[:, ::CELL, ::CELL, 1:2])
    start = {
        "kernel_initializer": "ones",
        "bias_initializer": keras.initializers.Constant(-level / 25),
    }
    return keras.Model(
        images,
        keras.layers.UpSampling2D(CELL)(
            keras.layers.Conv2D(1, 1, activation="sigmoid", **start)(green)
        ),
    )


def train_cheap(folder: Path, records: Path) -> Path:
    """The model folder of a network of no cost that finds about SHIPS objects an image."""
    import tensorflow as tf

    from kit.tf.training.training import train

    small = [
        tf.io.decode_jpeg(path.read_bytes(), channels=3).numpy()[::CELL, ::CELL, 1]
        for path in list_files(folder)
    ]
    levels = np.arange(0.5, 255)
    level = min(
        levels, key=lambda level: abs(np.mean([label(image > level)[1] for image in small]) - SHIPS)
    )
    out = folder / "cheap"
    if not out.exists():  # a learning rate of 0 changes no weight
        options = {"epochs": 1, "steps": 1, "crop": 2 * CELL, "learning_rate": 0.0}
        quietly(train, records, out, fold=None, model=make_cheap(float(level)), **options)
    return out


def bench_free(folder: Path, place: Path, records: Path) -> None:
    """The same road by a network of no cost: what is left is reading, decoding, objects and the CSV."""
    import tensorflow as tf

    model, few = train_cheap(folder, records), PART_SIZE
    files = [path.read_bytes() for path in list_files(folder)]
    todo = [files[number % len(files)] for number in range(2 * few)]
    with ThreadPoolExecutor(count_cores()) as workers:

        def decode():
            deque(workers.map(lambda data: tf.io.decode_jpeg(data, channels=3), todo), 0)

        seen, found = race(folder, model, few, lambda: spend(decode, len(todo)), 5, make_cheap)
    print(
        f"a network of no cost, {3 * few} test images, {len(found.labels) / len(found):.1f} objects found an image"
    )
    compare(
        "JPEG to CSV",
        seen["road"],
        seen["peer"],
        f"decoding alone by TensorFlow in {count_cores()} threads",
        0.5,
    )


def draw_maps(truth: table.Masks, folder: Path) -> None:
    """Maps like a trained network's: nothing almost everywhere, the ships with soft edges, bright or dim, and as many dimmer false ones.

    Maps of two networks after 800 steps had 38 and 54 components at all eight thresholds together, 92% zeros, and 18 and 21 kB as PNG.
    """
    rng = np.random.default_rng(0)
    folder.mkdir()
    for image, name in enumerate(truth.ids):
        logits = (
            gaussian_filter(rng.standard_normal((SIDE, SIDE), np.float32), 3) * 5 - 7
        )  # deviates by 0.5
        for other, low, high in (
            (image, 4, 16),
            (image - 1, 0, 12),
        ):  # ships that are false here come from the image before
            numbers = dense.to_labels(truth, other % len(truth))
            strength = np.concatenate([[0], rng.uniform(low, high, numbers.max())])
            logits += gaussian_filter(strength[numbers].astype(np.float32), 1.5)
        write_map(folder, name, np.rint(255 / (1 + np.exp(-logits))).astype(np.uint8))


def bench_tuning(folder: Path, place: Path, records: Path) -> None:
    """Tuning on the holdout's stored maps, with all options and the gate, against the forward pass that made them."""
    from kit.tf.inference.ensemble import make_mapper
    from kit.tf.network.unet import unet

    index = open_index(records, [0])
    truth, number = index.truth, len(index)
    draw_maps(truth, folder / "maps")
    presence = 1 / (
        1
        + np.exp(
            -np.random.default_rng(0).normal(np.where(table.count_objects(truth) > 0, 2, -2), 1.5)
        )
    )
    find, pixels = make_mapper(unet()), decode_batch(folder)
    passed = 8 * len(pixels)

    def read(place):
        return read_map(folder / "maps", truth.ids[place], truth.shapes[place])

    with ThreadPoolExecutor(count_cores()) as workers:
        works = {
            "tuning": lambda: spend(
                lambda: tuning.choose_cuts(read, truth, index.scenes, presence, TuneSettings()),
                number,
            ),
            "reading": lambda: spend(lambda: deque(workers.map(read, range(number)), 0), number),
            "forward": lambda: spend(lambda: pass_forward(find, pixels, passed), passed),
        }
        seen = alternate(works, 3)
    spent = {name: 1000 * np.median(values, axis=0) for name, values in seen.items()}
    found = len(tuning.find_candidates(read, truth).image) / number
    print(
        f"{number} maps of the holdout, {len(truth.labels) / number:.1f} ships and {found:.0f} components at all thresholds an image"
    )
    for name, bar in (("tuning", " (at most 5%)"), ("reading", "")):
        wall, cpu = (spent[name] / spent["forward"]).tolist()
        print(
            f"{name} maps: {spent[name][0]:.1f} ms an image, forward {spent['forward'][0]:.0f}, share {wall:.1%}{bar}; "
            f"CPU {spent[name][1]:.1f} and {spent['forward'][1]:.0f} ms, share {cpu:.1%}"
        )


# The high-water mark of resident memory since this program began; getrusage's counts that of the process it was forked from, too.
MEASURE = """
import re, sys
from pathlib import Path
from predict import make_cheap
from kit.tf.inference.inference import predict

predict(*sys.argv[1:], networks=make_cheap())
print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


def bench_memory(folder: Path, place: Path, records: Path) -> None:
    model, peaks = train_cheap(folder, records), []
    for images in (FEW, MANY):
        competition = make_competition(folder, images)
        command = [
            sys.executable,
            "-c",
            MEASURE,
            str(model),
            str(competition),
            str(folder / f"{images}.csv"),
        ]
        begun = time.perf_counter()
        done = subprocess.run(
            command, check=True, capture_output=True, text=True, cwd=Path(__file__).parent
        )
        seconds = time.perf_counter() - begun
        peaks.append(int(done.stdout.splitlines()[-1]) / 1024)
        print(
            f"{images:,} cheap predictions, a process of their own: {seconds:.0f} s, peak memory {peaks[-1]:.0f} MB"
        )
    print(
        f"memory of {MANY:,} predictions over that of {FEW:,}: ratio {peaks[1] / peaks[0]:.3f} (at most 1.1)"
    )


def main() -> None:
    parts = {
        "forward": bench_forward,
        "free": bench_free,
        "tuning": bench_tuning,
        "memory": bench_memory,
    }
    wanted = [parts[name] for name in sys.argv[1:] or parts]
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with tempfile.TemporaryDirectory() as folder:
        place, records = prepare(Path(folder))
        take_files(Path(folder) / "files", place)
        for part in wanted:
            part(Path(folder), place, records)


if __name__ == "__main__":
    main()
