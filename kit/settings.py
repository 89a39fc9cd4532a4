"""What each verb can be told: frozen data classes, from which the command line is made and which are saved beside what they made.

They stand here, apart from the functions that use them, so that `kit VERB --help` loads neither TensorFlow nor numba nor pandas.
"""

from dataclasses import dataclass

from .cuts import HELPFUL, OPTIONS
from .encoders import ENCODERS
from .errors import KitError
from .fields import LARGEST_SEED, Settings, setting
from .presets import PRESETS


@dataclass(frozen=True)
class PracticeSettings(Settings):
    """`kit practice`: a synthetic competition."""

    images: int = setting(600, "tiles in train_v2, the truncated one included", low=1)
    test_images: int = setting(40, "tiles in test_v2", low=1)
    empty_share: float = setting(0.75, "share of tiles without a ship", low=0, high=1)
    clutter: float = setting(
        1.0,
        "how much land, harbor, cloud and rock there is to mistake for ships; 0 is open water",
        low=0,
        high=1,
    )
    ship_area: float = setting(
        280.0, "median area of the ships, px; they reach from 2 to 20,000", low=20, high=5000
    )
    quality: int = setting(75, "JPEG quality, 1 to 95", low=1, high=95)
    seed: int = setting(0, "seed of everything random", low=0, high=LARGEST_SEED)


@dataclass(frozen=True)
class PackSettings(Settings):
    """`kit pack`: records in folds of whole scenes."""

    folds: int = setting(5, "folds; every scene lies in one of them", low=2)
    per_count: int | None = setting(
        None, "images of each object count at most (none, one, two ... objects); none: all", low=1
    )
    empty_share: float | None = setting(
        None, "share of images without an object among those packed; none: as it is", low=0, high=1
    )
    limit: int | None = setting(None, "images at most; none: all", low=1)
    fit: bool = setting(
        False,
        "where not everything fits on the disk: all images with an object, and as many empty ones as fit",
    )
    max_bad_share: float = setting(
        0.01, "share of bad images that are left out without an error", low=0, high=1
    )
    max_bad: int = setting(
        5, "bad images that are left out without an error, whatever their share", low=0
    )
    shard_mb: int = setting(128, "size of a shard that is aimed at, MB", low=1)
    seed: int = setting(
        0,
        "seed of what is drawn, of the folds and of the order in the shards",
        low=0,
        high=LARGEST_SEED,
    )
    workers: int | None = setting(
        None, "worker processes, which change no byte; none: one a core", low=1
    )


# Columns that can tell the best epoch. The default looks at images with objects only: at threshold 128, before tuning, a network that
# finds nothing scores the share of empty images, which an early one hardly beats.
BEST_BY = (
    "val_object_f2_ships",
    "val_object_f2",
    "val_pixel_f2",
    "val_pixel_iou",
    "val_loss",
    "loss",
    "epoch",
)


LOSSES = ("dice", "bce", "focal", "balanced")
OPTIMIZERS = ("adam", "muon")
PRECISIONS = ("auto", "float16", "bfloat16")
AUGMENTATIONS = (
    "dihedral",
    "scale",
    "rotate",
    "brightness",
    "contrast",
    "gamma",
    "blur",
    "jpeg",
    "copy_paste",
)


@dataclass(frozen=True)
class TrainSettings(Settings):
    """`kit train`: a U-Net on all folds but one."""

    preset: str | None = setting(
        None,
        "settings that go well together, which config.json then shows; an option given beside it wins",
        choices=tuple(PRESETS),
    )
    fold: int | None = setting(
        0, "fold held out and scored after every epoch; none: train on all", low=0
    )
    encoder: str = setting(
        "resnet18",
        "encoder of the U-Net; plain: the ancestor's net without one; slim: a small one for CPUs",
        choices=tuple(ENCODERS),
    )
    encoder_weights: str | None = setting(
        None,
        "imagenet: the published ones, looked for among attached inputs, then downloaded; or the path of an .h5 file; none: random",
    )
    decoder: tuple[int, ...] = setting(
        (128, 64, 32, 16, 8), "filters of the decoder's five stages, deepest first"
    )
    scale: int = setting(
        1,
        "the network sees images shrunk by this factor, its map is enlarged again; 2 costs a quarter",
        low=1,
        high=8,
    )
    output: int = setting(
        1,
        "2: the map comes from the last stage but one and is enlarged, for half the decoder's cost",
        low=1,
        high=2,
    )
    momentum: float = setting(
        0.9, "momentum of the batch norms' statistics; raise it for long trainings", low=0, high=1
    )
    presence: bool = setting(False, "a second output: is there an object in this image")
    mixed: str | None = setting(
        None,
        "half precision where that is safe: float16 for GPUs with tensor cores, bfloat16 for CPUs with AVX512_BF16, auto: what is fast "
        "here; none: float32",
        choices=PRECISIONS,
    )
    epochs: int = setting(20, "epochs", low=1)
    steps: int | None = setting(
        None, "steps an epoch; none: as many as show each training image once", low=1
    )
    batch: int = setting(8, "crops a step, on all devices together", low=1)
    crop: int | None = setting(256, "side of the training crops, px; none: whole images", low=32)
    ship_share: float = setting(
        0.75, "share of crops around an object; the others lie anywhere in any image", low=0, high=1
    )
    empty_share: float | None = setting(
        None, "share of crops from images without an object; none: as it comes", low=0, high=1
    )
    balance: bool = setting(False, "draw every object count (0 to 14, 15 and more) equally often")
    augment: tuple[str, ...] = setting(
        ("dihedral",), "what is done to crops, comma between, or none", choices=AUGMENTATIONS
    )
    loss: tuple[str, ...] = setting(
        ("dice", "bce"), "losses that are added, comma between", choices=LOSSES
    )
    pixel_weight: float = setting(
        1.0, "how many times bce, focal and balanced count beside dice", low=0
    )
    object_weight: float = setting(
        3.0,
        "how many times another pixel an object's pixel weighs in bce, focal and balanced",
        low=0,
    )
    optimizer: str = setting(
        "adam",
        "muon: takes fewer steps to the same score, each some 14% dearer on a CPU",
        choices=OPTIMIZERS,
    )
    learning_rate: float = setting(1e-3, "peak learning rate; for muon 2e-3 is good", low=0)
    schedule: str = setting(
        "cosine",
        "how it falls; step: after two epochs by exp(-0.1) an epoch",
        choices=("constant", "step", "cosine"),
    )
    warmup: float = setting(
        0.05, "share of all steps in which the learning rate rises to its peak", low=0, high=1
    )
    clip: float = setting(1.0, "largest global norm of a step's gradient; 0: any", low=0)
    average: float = setting(
        0.0,
        "momentum of a moving average of the weights, which is kept and scored; 0: none",
        low=0,
        high=1,
    )
    best_by: str = setting(
        "val_object_f2_ships",
        "column of history.csv by which best.weights.h5 is chosen (the largest, of a loss the smallest)",
        choices=BEST_BY,
    )
    keep: int = setting(
        3, "weights of that many best epochs are kept beside those of the last two", low=0
    )
    start_from: str | None = setting(
        None, "model folder whose best weights this training begins with"
    )
    devices: tuple[str, ...] = setting(
        (), "devices to train on together, such as GPU:0,GPU:1; none: all GPUs, or the CPU"
    )
    save_minutes: float = setting(5.0, "the state is saved that often, and at every epoch", low=0)
    max_hours: float | None = setting(
        None,
        "hours after which training stops, saves and ends with status 0; none: on Kaggle 11.5 after the session began",
        low=0,
    )
    seed: int = setting(
        0, "seed of weights, order, crops and augmentation", low=0, high=LARGEST_SEED
    )

    def __post_init__(self):
        super().__post_init__()
        if len(self.decoder) != 5 or min(self.decoder) < 1:
            raise KitError(
                f"--decoder {','.join(map(str, self.decoder))}: give five whole numbers of at least 1, such as 128,64,32,16,8"
            )
        if not self.loss:
            raise KitError(f"--loss: choose among {', '.join(LOSSES)}")


def choose_training(preset: str | None = None, **settings) -> TrainSettings:
    """TrainSettings of a preset, the others of their own defaults; what is given beside it wins."""
    return TrainSettings(**{**PRESETS.get(preset or "", {}), **settings, "preset": preset})


# What a training that goes on may be told anew: how long it goes, and what it leaves.
CHANGEABLE = ("epochs", "max_hours", "save_minutes", "keep")


VIEWS = (
    1,
    4,
    8,
)  # test-time augmentation: as it is; with its flips; with those and their quarter turns


@dataclass(frozen=True)
class TuneSettings(Settings):
    """`kit tune`: threshold and cuts from the holdout's maps."""

    empty_share: float = setting(
        0.765,
        "share of empty images that F2 is re-weighted to (Airbus's private board: 0.765)",
        low=0,
        high=1,
    )
    options: tuple[str, ...] = setting(
        HELPFUL,
        "comma between, or none: a lower threshold for small objects, best rectangles, the gate",
        choices=tuple(OPTIONS),
    )
    tta: int = setting(
        1,
        "views of each image that are averaged: as it is, its flips, its quarter turns too",
        choices=VIEWS,
    )
    scale: int = setting(
        1,
        "images are shrunk by this factor first, maps enlarged: for networks trained on smaller images",
        low=1,
        high=8,
    )
    seed: int = setting(
        0, "seed of the splits of scenes and of the bootstrap", low=0, high=LARGEST_SEED
    )


@dataclass(frozen=True)
class PredictSettings(Settings):
    """`kit predict`: a submission."""

    tta: int | None = setting(
        None,
        "views of each image that are averaged; none: as tuned, 1 where it was not",
        choices=VIEWS,
    )
    scale: int | None = setting(
        None,
        "images are shrunk by this factor first; none: as tuned, 1 where it was not",
        low=1,
        high=8,
    )
    allow_missing: bool = setting(
        False, "an image of the sample that is missing is predicted empty, instead of an error"
    )
