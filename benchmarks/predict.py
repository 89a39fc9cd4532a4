"""Predicting and tuning against their peers, in one run, on the same images, from a warm cache.

Run: make bench; one part: python benchmarks/predict.py forward|free|tuning|memory

See train.py for what rates, ratios and CPU milliseconds are. The images are the real ones if they
lie beside the project, else a practice competition's. If a part needs more of them, they come under
several names.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from cheap import make_cheap, train_cheap
from folders import link_images, take_files
from scipy.ndimage import gaussian_filter
from start import choose, need
from train import CROP, ENCODER, SIDE, prepare, quietly
from turns import alternate, compare_rates, spend

from kit.masks import dense, table
from kit.objects.map_files import read_map, write_map
from kit.records.index import open_index
from kit.settings import TuneSettings
from kit.submission.parts import PART_SIZE
from kit.system.processes import count_cores
from kit.tuning import candidates, tuning

FILES = choose(100, 8)  # JPEGs, test images first; more images are hard links to them
# Images whose predictions' memory is compared; the second number is that of the test set.
FEW, MANY = choose((1_500, 15_606), (8, 16))


def list_files(folder: Path) -> list[Path]:
    return sorted((folder / "files").iterdir())


def make_competition(folder: Path, images: int) -> Path:
    return link_images(folder / f"of-{images}", list_files(folder), images)


def describe(images: int, found: table.Masks) -> str:
    return f"{images} test images, {len(found.labels) / len(found):.1f} objects found per image"


def race(
    folder: Path, model: Path, few: int, peer, rounds: int, make_network=lambda: None
) -> tuple[dict[str, np.ndarray], table.Masks]:
    """What `spend` gives, (rounds, 2), of kit predict ("road") and of `peer`.

    The road's times are the difference between predicting 3 * `few` images and `few` images, per
    image. So loading weights, compiling the network and everything else at the begin and end of a
    prediction cancel out.

    Args:
        folder: with `files`, the images.
        model: the model folder.
        few: number of images of the shorter prediction.
        peer: the peer's work.
        rounds: how often each is timed.
        make_network: makes the network of each prediction; by default the model's own.

    Returns:
        The times by name, and the masks of the last prediction.
    """
    from kit.tf.inference.inference import predict

    found = []

    def run(images):
        place = make_competition(folder, images)
        out, network = folder / "submission.csv", make_network()
        found[:] = [quietly(predict, model, place, out, networks=network)]

    works = {images: partial(spend, partial(run, images), 1) for images in (few, 3 * few)}
    seen = alternate({**works, "peer": peer}, rounds)
    return {"road": (seen[3 * few] - seen[few]) / (2 * few), "peer": seen["peer"]}, found[0]


def pass_forward(find, pixels, images: int) -> None:
    """Makes uint8 maps in NumPy's memory of so many images, always of the same batch."""
    from kit.tf.inference.ensemble import collect

    for _ in range(images // len(pixels)):
        collect([find(pixels)])


def decode_batch(folder: Path):
    """The first images as one batch, of the size that kit predict takes."""
    import tensorflow as tf

    from kit.tf.inference.ensemble import choose_batch

    files = list_files(folder)[: choose_batch(True)]
    return tf.stack([tf.io.decode_jpeg(path.read_bytes(), channels=3) for path in files])


def bench_forward(folder: Path, place: Path, records: Path) -> None:
    """From JPEG to CSV by a network after thirty steps on small crops."""
    from kit.tf.inference.ensemble import make_mapper
    from kit.tf.inference.load import load_network
    from kit.tf.training.training import train

    model = folder / "model"
    options = {"epochs": 1, "steps": choose(30, 1), "crop": CROP // 2, "encoder": ENCODER}
    quietly(train, records, model, fold=None, **options)
    find, pixels = make_mapper(load_network(model)[0]), decode_batch(folder)
    few = choose(8, 1) * len(pixels)
    peer = partial(spend, partial(pass_forward, find, pixels, 2 * few), 2 * few)
    seen, found = race(folder, model, few, peer, 3)
    print(f"{ENCODER}, batches of {len(pixels)}, {describe(3 * few, found)}")
    compare_rates("JPEG to CSV", seen["road"], seen["peer"], "forward on a batch in memory", 0.93)


def bench_free(folder: Path, place: Path, records: Path) -> None:
    """The same road by a network of no cost: reading, decoding, objects and the CSV remain."""
    import tensorflow as tf

    model = quietly(train_cheap, folder / "cheap", records, list_files(folder))
    few, cores = choose(PART_SIZE, 8), count_cores()
    files = [path.read_bytes() for path in list_files(folder)]
    todo = [files[number % len(files)] for number in range(2 * few)]
    with ThreadPoolExecutor(cores) as workers:

        def decode():
            deque(workers.map(lambda data: tf.io.decode_jpeg(data, channels=3), todo), 0)

        peer = partial(spend, decode, len(todo))
        seen, found = race(folder, model, few, peer, 5, make_cheap)
    print(f"a network of no cost, {describe(3 * few, found)}")
    name = f"decoding alone by TensorFlow in {cores} threads"
    compare_rates("JPEG to CSV", seen["road"], seen["peer"], name, 0.5)


def draw_maps(truth: table.Masks, folder: Path) -> None:
    """Maps like a trained network's: nothing almost everywhere, and ships with soft edges.

    The ships are bright or dim, and as many false ones are dimmer. For comparison: the maps of two
    networks after 800 steps had 38 and 54 components at all eight thresholds together, 92% zeros,
    and 18 and 21 kB as PNG.
    """
    rng = np.random.default_rng(0)
    folder.mkdir()
    for image, name in enumerate(truth.ids):
        noise = rng.standard_normal((SIDE, SIDE), np.float32)
        logits = gaussian_filter(noise, 3) * 5 - 7  # its standard deviation is 0.5
        # The false ships are those of the image before.
        for other, low, high in ((image, 4, 16), (image - 1, 0, 12)):
            numbers = dense.to_labels(truth, other % len(truth))
            strength = np.concatenate([[0], rng.uniform(low, high, numbers.max())])
            logits += gaussian_filter(strength[numbers].astype(np.float32), 1.5)
        write_map(folder, name, np.rint(255 / (1 + np.exp(-logits))).astype(np.uint8))


def bench_tuning(folder: Path, place: Path, records: Path) -> None:
    """Tuning on the holdout's stored maps, against the forward pass that makes such maps."""
    from kit.tf.inference.ensemble import make_mapper
    from kit.tf.network.unet import unet

    index = open_index(records, choose([0], None))
    truth, number = index.truth, len(index)
    draw_maps(truth, folder / "maps")
    centers = np.where(table.count_objects(truth) > 0, 2, -2)
    presence = 1 / (1 + np.exp(-np.random.default_rng(0).normal(centers, 1.5)))
    find, pixels = make_mapper(unet(ENCODER)), decode_batch(folder)
    passed = choose(8, 1) * len(pixels)

    def read(place):
        return read_map(folder / "maps", truth.ids[place], truth.shapes[place])

    def tune():
        tuning.choose_cuts(read, truth, index.scenes, presence, TuneSettings())

    with ThreadPoolExecutor(count_cores()) as workers:
        works = {
            "tuning": lambda: spend(tune, number),
            "reading": lambda: spend(lambda: deque(workers.map(read, range(number)), 0), number),
            "forward": lambda: spend(lambda: pass_forward(find, pixels, passed), passed),
        }
        seen = alternate(works, 3)
    spent = {name: 1000 * np.median(values, axis=0) for name, values in seen.items()}
    found = len(candidates.find_candidates(read, truth).image) / number
    print(
        f"{number} maps; per image {len(truth.labels) / number:.1f} ships and "
        f"{found:.0f} components at all thresholds"
    )
    for name, bar in (("tuning", " (at most 5%)"), ("reading", "")):
        wall, cpu = (spent[name] / spent["forward"]).tolist()
        print(
            f"{name} maps: {spent[name][0]:.1f} ms per image, forward {spent['forward'][0]:.0f}, "
            f"share {wall:.1%}{bar}; CPU {spent[name][1]:.1f} and {spent['forward'][1]:.0f} ms, "
            f"share {cpu:.1%}"
        )


# The high-water mark of resident memory since this program began. That of getrusage counts the
# process that it was forked from, too.
MEASURE = """
import re, sys
from pathlib import Path
from cheap import make_cheap
from kit.tf.inference.inference import predict

predict(*sys.argv[1:], networks=make_cheap())
print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


def bench_memory(folder: Path, place: Path, records: Path) -> None:
    model = quietly(train_cheap, folder / "cheap", records, list_files(folder))
    options = {"check": True, "capture_output": True, "text": True, "cwd": Path(__file__).parent}
    peaks = []
    for images in (FEW, MANY):
        places = model, make_competition(folder, images), folder / f"{images}.csv"
        begun = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", MEASURE, *map(str, places)], **options)
        seconds = time.perf_counter() - begun
        peaks.append(int(done.stdout.splitlines()[-1]) / 1024)
        print(
            f"{images:,} cheap predictions, a process of their own: {seconds:.0f} s, peak memory "
            f"{peaks[-1]:.0f} MB"
        )
    ratio = peaks[1] / peaks[0]
    print(f"memory of {MANY:,} predictions over that of {FEW:,}: ratio {ratio:.3f} (at most 1.1)")


def main() -> None:
    need("tensorflow", "tensorflow_datasets")
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
        take_files(Path(folder) / "files", place, FILES)
        for part in wanted:
            part(Path(folder), place, records)


if __name__ == "__main__":
    main()
