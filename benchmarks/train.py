"""Training's feed, steps and score against their peers, in one run, on the same images.

Run: make bench; one part: python benchmarks/train.py batches|ancestor|steps|score

The files come from a warm cache. The peers take turns; a rate is the median over the rounds, and so
is a ratio. CPU milliseconds are of the whole process, all threads together: other work on the
machine moves them less than the rates. The images are the real ones if they lie beside the project,
else a practice competition's.
"""

import io
import os
import shutil
import sys
import tempfile
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from folders import REAL, find_competition, measure_disk, sync, warm
from PIL import Image
from start import choose, need
from turns import alternate, compare_rates, draw, spend

from kit.masks import table
from kit.objects import extraction
from kit.objects.map_files import write_map
from kit.objects.maps import to_uint8
from kit.packing.packing import pack
from kit.records.index import Index, open_index, select
from kit.scoring.counts import count
from kit.scoring.summary import summarize
from kit.system.processes import count_cores

SIDE = 768
ENCODER, CROP = choose("resnet18", "slim"), choose(256, 64)


def quietly(work, *arguments, **options):
    """What some work returns, without what it prints."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        return work(*arguments, **options)


def prepare(folder: Path) -> tuple[Path, Path]:
    """The competition folder and its records; prints how long packing took."""
    place = find_competition(folder, 600)
    warm(place / "train_v2")
    number = len(list((place / "train_v2").iterdir()))
    kind = "real images" if place == REAL else "images of a practice competition"
    print(f"{number} {kind}; {os.cpu_count()} cores, {count_cores()} of them for this process")
    begun = time.perf_counter()
    quietly(pack, place, folder / "records")
    sync(folder)
    seconds, size = time.perf_counter() - begun, measure_disk(folder / "records")
    print(
        f"packing: {seconds:.1f} s; per image {1000 * seconds / number:.1f} ms and "
        f"{size / number / 1000:.0f} kB of disk"
    )
    return place, folder / "records"


def decode_only(index: Index, batch: int):
    """The least work of a feed in TensorFlow: read, parse, decode and batch records in order."""
    import tensorflow as tf

    from kit.tf.data.batches import _with_threads

    def decode(record):
        feature = {"image": tf.io.FixedLenFeature([], tf.string)}
        return tf.io.decode_jpeg(tf.io.parse_single_example(record, feature)["image"], channels=3)

    data = tf.data.TFRecordDataset(np.unique(index.paths.astype(str))).repeat()
    data = data.map(decode, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    # the same threads as the kit's feed
    return _with_threads(data.batch(batch, drop_remainder=True).prefetch(2))


def bench_batches(folder: Path, place: Path, records: Path) -> None:
    import simplejpeg

    from kit.tf.data.batches import batches

    index = open_index(records)
    files = [(place / "train_v2" / name).read_bytes() for name in index.truth.ids]
    workers, turns, number = ThreadPoolExecutor(count_cores()), cycle(files), choose(320, 8)
    whole = {"crop": None, "ship_share": 0, "augment": ()}
    works = {
        "whole": draw(batches(index, batch=8, **whole), 40, 8),
        "in place": draw(batches(place, batch=8, **whole), 40, 8),
        "decoding": draw(decode_only(index, 8), 40, 8),
        "simplejpeg": lambda: spend(
            lambda: deque(workers.map(simplejpeg.decode_jpeg, islice(turns, number)), 0), number
        ),
        "crops": draw(batches(index, batch=8, crop=256, augment=()), 40, 8),
        "augmented": draw(batches(index, batch=8, crop=256), 40, 8),
    }
    seen = alternate(works, 7)
    workers.shutdown()
    threads = f"simplejpeg in {count_cores()} threads"
    text = "whole images and masks from records"
    compare_rates(text, seen["whole"], seen["decoding"], "decoding alone in tf.data", 0.88)
    compare_rates(text, seen["whole"], seen["simplejpeg"], threads, 0.7)
    compare_rates(text, seen["whole"], seen["in place"], "from the competition's folder")
    compare_rates("crops of 256 px and masks", seen["crops"], seen["whole"], "whole ones", 1.5)
    compare_rates(
        "crops of 256 px and masks, dihedral", seen["augmented"], seen["whole"], "whole ones"
    )


def flip(image, mask, seed):
    """The ancestor's two flips, without the kit's quarter turns."""
    import tensorflow as tf

    draws = tf.random.stateless_uniform([2], seed) < 0.5
    rows = tf.range(tf.shape(mask)[0])[::-1]
    image, mask = tf.cond(
        draws[0], lambda: (tf.gather(image, rows), tf.gather(mask, rows)), lambda: (image, mask)
    )
    return tf.cond(
        draws[1], lambda: (tf.reverse(image, [1]), tf.reverse(mask, [1])), lambda: (image, mask)
    )


def bench_ancestor(folder: Path, place: Path, records: Path) -> None:
    """Keras's generator over folders, which fed the ancestor's training: 5 images, with flips."""
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    from kit.tf.data.batches import batches

    index = open_index(records)
    index = select(index, np.arange(min(300, len(index))))
    begun = time.perf_counter()
    (folder / "images" / "all").mkdir(parents=True)
    (folder / "masks" / "all").mkdir(parents=True)
    for image, name in enumerate(index.truth.ids):
        shutil.copyfile(place / "train_v2" / name, folder / "images" / "all" / name)
        mask = np.zeros(SIDE * SIDE, np.uint8)
        runs = slice(*index.truth.runs[index.truth.objects[image : image + 2]])
        for start, length in zip(index.truth.start[runs], index.truth.length[runs]):
            mask[start : start + length] = 255
        drawn = Image.fromarray(mask.reshape(SIDE, SIDE).T)
        drawn.save(folder / "masks" / "all" / f"{Path(name).stem}.png")
    sync(folder)
    seconds = time.perf_counter() - begun
    size = measure_disk(folder / "images") + measure_disk(folder / "masks")
    begun = time.perf_counter()
    open_index(place)
    ready = (time.perf_counter() - begun) / len(list((place / "train_v2").iterdir()))
    print(
        f"per image, the ancestor's folders of images and masks: {1000 * seconds / len(index):.1f} "
        f"ms and {size / len(index) / 1000:.0f} kB of disk; reading the competition's folder in "
        f"place: {1000 * ready:.2f} ms and 0 kB"
    )
    maker = ImageDataGenerator(rescale=1 / 255, horizontal_flip=True, vertical_flip=True)
    form = {"target_size": (SIDE, SIDE), "batch_size": 5, "class_mode": None, "seed": 0}
    with redirect_stdout(io.StringIO()):
        images = maker.flow_from_directory(folder / "images", **form)
        masks = maker.flow_from_directory(folder / "masks", color_mode="grayscale", **form)
    pairs = zip(images, masks)
    ours = draw(batches(index, batch=5, crop=None, ship_share=0, augment=flip), 48, 5)
    number = choose(10, 1)
    theirs = partial(spend, lambda: deque(islice(pairs, number), 0), 5 * number)
    seen = alternate({"ours": ours, "ancestor": theirs}, 5)
    text, name = "whole images and masks, flipped, batches of 5", "Keras's ImageDataGenerator"
    compare_rates(text, seen["ours"], seen["ancestor"], name, 6)


def make_training():
    """The network and the step of kit train by default."""
    import keras

    from kit.tf.network.losses import make_loss
    from kit.tf.network.unet import unet
    from kit.tf.training.steps import choose_strategy, make_optimizer, make_step

    keras.utils.set_random_seed(0)
    network, optimizer = unet(ENCODER), make_optimizer(1e-3, False)
    optimizer.build(network.trainable_variables)
    return network, make_step(network, optimizer, make_loss(), choose_strategy(), batch=8, clip=1.0)


def bench_steps(folder: Path, place: Path, records: Path) -> None:
    from kit.tf.data.batches import batches

    _, step = make_training()
    feed = iter(batches(records, batch=8, crop=CROP))
    kept = next(feed)

    def run(take, many):  # reads the loss after every step, as training does
        return [float(step(*take())) for _ in range(many)]

    many, first = choose(6, 1), choose(2, 0)

    def block(take):  # during the first two steps the feed fills its buffers again
        return lambda: spend(lambda: run(take, many), 8 * many, lambda: run(take, first))

    seen = alternate({"feed": block(lambda: next(feed)), "memory": block(lambda: kept)}, 4)
    text, name = f"training steps from records, 8 crops of {CROP} px", "on a batch in memory"
    compare_rates(text, seen["feed"], seen["memory"], name, 0.95)


def bench_score(folder: Path, place: Path, records: Path) -> None:
    """What the score adds to the holdout's forward passes.

    The maps are those of a network after 30 steps on small crops.
    """
    from kit.tf.data.batches import batches, scan
    from kit.tf.network.outputs import take_map
    from kit.tf.training.holdout import count_batch, forward

    network, step = make_training()
    for images, truth in batches(records, batch=8, crop=choose(128, 64)).take(choose(30, 1)):
        step(images, truth)
    holdout = open_index(records, [0])
    holdout = select(holdout, np.arange(min(choose(48, 2), len(holdout))))
    run = forward(network)
    # A list, so that nothing is decoded during the measurement.
    whole = list(scan(holdout, count_batch(holdout)))
    run(whole[0][1])
    blank = np.zeros((len(holdout), SIDE, SIDE), np.uint8)
    count(holdout.truth, extraction.find_objects(holdout.truth.ids, blank))  # compiles
    times, found = [], []
    for places, images, _ in whole:
        names, marks = holdout.truth.ids[places.numpy()], [time.perf_counter()]
        probabilities = take_map(run(images)).numpy()
        marks.append(time.perf_counter())
        maps = to_uint8(probabilities)
        found.append(extraction.find_objects(names, maps))
        marks.append(time.perf_counter())
        for name, image in zip(names, maps):
            write_map(folder, name, image)
        times.append(np.diff([*marks, time.perf_counter()]))
    begun = time.perf_counter()
    summary = summarize(count(holdout.truth, table.concatenate(found)))
    counting = 1000 * (time.perf_counter() - begun) / len(holdout)
    passing, finding, writing = 1000 * np.sum(times, axis=0) / len(holdout)
    print(
        f"object F2 on {len(holdout)} images of the holdout, {summary['ships']} ships, "
        f"{summary['predicted']} objects found; ms per image: forward {passing:.0f}, finding "
        f"objects {finding:.2f}, counting {counting:.2f}, share "
        f"{(finding + counting) / passing:.1%} (at most 3%); besides, writing the map {writing:.1f}"
    )


def main() -> None:
    need("simplejpeg", "tensorflow", "tensorflow_datasets")
    parts = {
        "batches": bench_batches,
        "ancestor": bench_ancestor,
        "steps": bench_steps,
        "score": bench_score,
    }
    wanted = [parts[name] for name in sys.argv[1:] or parts]
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with tempfile.TemporaryDirectory() as folder:
        place, records = prepare(Path(folder))
        import tensorflow as tf

        import kit.tf  # noqa: F401  before TensorFlow's first op: it sets the process's threads

        intra = tf.config.threading.get_intra_op_parallelism_threads() or "one per core"
        inter = tf.config.threading.get_inter_op_parallelism_threads()
        print(
            f"TensorFlow: intra-op threads {intra}, inter-op {inter}; tf.data: a private pool, one "
            "thread per core"
        )
        for part in wanted:
            part(Path(folder), place, records)


if __name__ == "__main__":
    main()
