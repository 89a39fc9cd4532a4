"""What each verb can be told: frozen data classes, saved beside what they made.

The command line is made from them. They live apart from the functions that use them, so that
`kit VERB --help` loads neither TensorFlow nor numba nor pandas.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

from .encoders import DECODERS, ENCODERS
from .errors import KitError
from .fields import LARGEST_SEED, Settings, setting
from .presets import GATE, PRESETS, STAGES

_seed = partial(setting, 0, low=0, high=LARGEST_SEED)


@dataclass(frozen=True)
class PracticeSettings(Settings):
    """`kit practice`: a synthetic competition."""

    images: int = setting(600, "tiles in train_v2, including the truncated one", low=1)
    test_images: int = setting(40, "tiles in test_v2", low=1)
    empty_share: float = setting(0.75, "share of tiles without a ship", low=0, high=1)
    clutter: float = setting(
        1.0, "amount of land, cloud and rock like ships, 0 (open water) to 1", low=0, high=1
    )
    ship_area: float = setting(
        280.0, "median area of the ships, px; areas range from 2 to 20,000", low=20, high=5000
    )
    quality: int = setting(75, "JPEG quality, 1 to 95", low=1, high=95)
    seed: int = _seed("seed of everything random")


@dataclass(frozen=True)
class PackSettings(Settings):
    """`kit pack`: records in folds of whole scenes."""

    folds: int = setting(5, "number of folds; every scene lies in one of them", low=2)
    per_count: int | None = setting(
        None, "most images per object count (0, 1, 2 ... objects); none: no limit", low=1
    )
    empty_share: float | None = setting(
        None, "share of packed images without an object; none: the competition's", low=0, high=1
    )
    limit: int | None = setting(None, "most images to pack; none: all", low=1)
    fit: bool = setting(
        False,
        "if the disk is too small: pack every image with an object and as many empty ones as fit",
    )
    max_bad_share: float = setting(
        0.01, "share of bad images that may be left out without an error", low=0, high=1
    )
    max_bad: int = setting(
        5, "number of bad images that may be left out without an error, at any share", low=0
    )
    shard_mb: int = setting(128, "target size of a shard, MB", low=1)
    seed: int = _seed("seed of the selection, the folds and the order in the shards")
    workers: int | None = setting(
        None, "worker processes; they change no byte; none: one per core", low=1
    )


# Columns that can pick the best epoch. The default looks only at images with objects: at threshold
# 128, before tuning, a network that finds nothing scores the share of empty images, and an early
# network hardly beats that.
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
_COLORS = ("brightness", "contrast", "gamma")
AUGMENTATIONS = ("dihedral", "scale", "rotate", *_COLORS, "blur", "jpeg", "copy_paste")


@dataclass(frozen=True)
class TrainSettings(Settings):
    """`kit train`: a U-Net on all folds but one.

    Raises:
        KitError: if a value is out of range, `filters` is not five numbers, or `loss` is empty.
    """

    preset: str | None = setting(
        None,
        "settings that work well together, noted in config.json; other options override them",
        choices=tuple(PRESETS),
    )
    fold: int | None = setting(
        0, "fold to hold out and score after every epoch; none: train on all folds", low=0
    )
    encoder: str = setting(
        "resnet18",
        "encoder of the U-Net; slim is a small one for CPUs, plain a U-Net without a pretrained "
        "encoder",
        choices=tuple(ENCODERS),
    )
    encoder_weights: str | None = setting(
        None,
        "imagenet: the published weights, from their package or attached inputs, else downloaded; "
        "or the path of a file; none: random weights",
    )
    decoder: str | None = setting(
        None,
        "decoder of the U-Net; slim has one convolution a stage; none: the encoder's own, which is "
        "unet but for slim and plain",
        choices=DECODERS,
    )
    filters: tuple[int, ...] = setting(
        (128, 64, 32, 16, 8),
        "filters of the decoder's five stages, deepest first; of its pyramid and its maps for fpn",
    )
    scale: int = setting(
        1,
        "the network sees images shrunk by this factor and its map is enlarged again; 2 costs a "
        "quarter as much",
        low=1,
        high=8,
    )
    output: int = setting(
        1,
        "2: the last stage but one makes the map, which is enlarged, at half the decoder's cost",
        low=1,
        high=2,
    )
    momentum: float = setting(
        0.9, "momentum of the batch norms' statistics; raise it for long trainings", low=0, high=1
    )
    presence: bool = setting(
        False, "add a second output: the probability that the image holds an object"
    )
    mixed: str | None = setting(
        None,
        "half precision where it is safe; float16 is for GPUs with tensor cores, bfloat16 for CPUs "
        "with AVX512_BF16, auto takes what is fast on this machine; none: float32",
        choices=PRECISIONS,
    )
    epochs: int = setting(20, "number of epochs", low=1)
    steps: int | None = setting(
        None, "steps per epoch; none: enough to show each training image once", low=1
    )
    batch: int = setting(8, "crops per step, on all devices together", low=1)
    crop: int | None = setting(256, "side of the training crops, px; none: whole images", low=32)
    ship_share: float = setting(
        0.75, "share of crops around an object; the others lie anywhere in any image", low=0, high=1
    )
    empty_share: float | None = setting(
        None, "share of crops from images without an object; none: as they come", low=0, high=1
    )
    balance: bool = setting(False, "draw every object count (0 to 14, 15 or more) equally often")
    augment: tuple[str, ...] = setting(
        ("dihedral",),
        "random changes of the crops, separated by commas, or none",
        choices=AUGMENTATIONS,
    )
    loss: tuple[str, ...] = setting(
        ("dice", "bce"), "losses to add up, separated by commas", choices=LOSSES
    )
    pixel_weight: float = setting(1.0, "weight of bce, focal and balanced; dice has 1", low=0)
    object_weight: float = setting(
        3.0, "weight of an object's pixel in bce, focal and balanced; other pixels have 1", low=0
    )
    optimizer: str = setting(
        "adam",
        "muon takes fewer steps to the same score; each takes some 14% longer on a CPU",
        choices=OPTIMIZERS,
    )
    learning_rate: float = setting(1e-3, "peak learning rate; 2e-3 is good for muon", low=0)
    encoder_rate: float = setting(
        1.0, "the encoder's share of the learning rate; 0.1 suits pretrained ones", low=0, high=1
    )
    freeze_encoder: int = setting(
        0, "number of first steps that leave the encoder as it is, its batch norms included", low=0
    )
    schedule: str = setting(
        "cosine",
        "how the learning rate falls; step: after two epochs by exp(-0.1) per epoch",
        choices=("constant", "step", "cosine"),
    )
    warmup: float = setting(
        0.05, "share of all steps in which the learning rate rises to its peak", low=0, high=1
    )
    clip: float = setting(1.0, "largest global norm of a step's gradient; 0: no limit", low=0)
    average: float = setting(
        0.0,
        "momentum of a moving average of the weights, which is then scored and kept; 0: no average",
        low=0,
        high=1,
    )
    best_by: str = setting(
        "val_object_f2_ships",
        "column of history.csv that picks best.weights.h5: the largest value wins, of a loss the "
        "smallest",
        choices=BEST_BY,
    )
    keep: int = setting(3, "best epochs whose weights are kept, besides the last two", low=0)
    then: tuple[str, ...] = setting(
        (),
        "stages that follow, separated by commas: crops, steps and rates of their own; gate "
        "comes last and fits the presence output to whole images",
        choices=(*STAGES, GATE),
    )
    start_from: str | None = setting(
        None, "model folder whose best weights this training starts from; none: --encoder-weights"
    )
    devices: tuple[str, ...] = setting(
        (), "devices to train on together, e.g. GPU:0,GPU:1; none: all GPUs, or else the CPU"
    )
    save_minutes: float = setting(
        5.0, "minutes between saves of the state; every epoch saves it, too", low=0
    )
    max_hours: float | None = setting(
        None,
        "hours after which training stops, saves and ends with status 0; none: no limit, but on "
        "Kaggle 11.5 hours after the session began",
        low=0,
    )
    seed: int = _seed("seed of weights, order, crops and augmentation")

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.filters) != 5 or min(self.filters) < 1:
            raise KitError(
                f"--filters {','.join(map(str, self.filters))}: give five whole numbers of at "
                "least 1, such as 128,64,32,16,8"
            )
        if GATE in self.then[:-1] or (GATE in self.then and not self.presence):
            raise KitError(f"--then {','.join(self.then)}: gate comes last, and needs --presence")
        if not self.loss:
            raise KitError(f"--loss: choose among {', '.join(LOSSES)}")


def choose_training(preset: str | None = None, **settings: Any) -> TrainSettings:
    """The TrainSettings of a preset; `settings` override it, and defaults fill in the rest.

    Raises:
        KitError: if a value is not legal or the preset is unknown.
    """
    return TrainSettings(**{**PRESETS.get(preset or "", {}), **settings, "preset": preset})


# Settings that may change when a training resumes: how long it runs and what it keeps.
CHANGEABLE = ("epochs", "max_hours", "save_minutes", "keep")
# Views for test-time augmentation: the image as it is, with its flips, with quarter turns, too.
VIEWS = (1, 4, 8)


@dataclass(frozen=True)
class TuneSettings(Settings):
    """`kit tune`: threshold and cuts from the holdout's maps."""

    empty_share: float = setting(
        0.765,
        "share of empty images that F2 is re-weighted to (0.765 is Airbus's private board)",
        low=0,
        high=1,
    )
    tta: int = setting(
        1,
        "views of each image to average; 1: as it is, 4: its flips, too, 8: its quarter turns, too",
        choices=VIEWS,
    )
    scale: int = setting(
        1,
        "shrink images by this factor and enlarge the maps, for networks trained on smaller images",
        low=1,
        high=8,
    )
    seed: int = _seed("seed of the splits of scenes and of the bootstrap")


@dataclass(frozen=True)
class PredictSettings(Settings):
    """`kit predict`: a submission."""

    tta: int | None = setting(
        None, "views of each image to average; none: as tuned, else 1", choices=VIEWS
    )
    scale: int | None = setting(
        None, "shrink images by this factor; none: as tuned, else 1", low=1, high=8
    )
    allow_missing: bool = setting(
        False, "predict a missing image of the sample as empty, instead of an error"
    )
