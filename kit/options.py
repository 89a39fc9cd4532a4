"""Options: what the command line of each verb accepts, and the parser that reads it."""

import argparse
import dataclasses
import types
import typing
from collections.abc import Callable
from typing import Any, NoReturn

from . import __version__
from .competition.catalog import COMPETITIONS
from .competition.conventions import AIRBUS, read_shape
from .errors import KitError
from .fields import Settings, write_value
from .settings import PackSettings, PracticeSettings, PredictSettings, TrainSettings, TuneSettings


class Parser(argparse.ArgumentParser):
    """A parser that reports a wrong call in one line, like every other error."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, " ".join(f"{self.prog}: {message}; see {self.prog} --help".split()) + "\n")


def _read_shape(text: str) -> tuple[int, int]:
    try:
        return read_shape(text)
    except KitError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _convert(hint: Any) -> Callable[[str], Any]:
    """A function from an option's text to the value of a field of type `hint`."""
    if typing.get_origin(hint) is tuple:
        inner = typing.get_args(hint)[0]

        def convert_list(text: str) -> tuple[Any, ...]:
            return () if text == "none" and inner is str else tuple(map(inner, text.split(",")))

        convert_list.__name__ = "list of whole numbers" if inner is int else "list of names"
        return convert_list
    if isinstance(hint, types.UnionType):  # X | None
        (known,) = (part for part in typing.get_args(hint) if part is not types.NoneType)

        def convert_optional(text: str) -> Any:
            return None if text == "none" else known(text)

        convert_optional.__name__ = known.__name__
        return convert_optional
    return typing.cast(Callable[[str], Any], hint)


def _add_settings(parser: argparse.ArgumentParser, cls: type[Settings]) -> None:
    """Adds one option per field of `cls`, with its meaning and default.

    Where there are presets, --no-X switches off what a preset switches on.
    """
    hints, presets = typing.get_type_hints(cls), "preset" in cls.__dataclass_fields__
    for field in dataclasses.fields(cls):
        hint, notes = hints[field.name], [f"default {write_value(field.default)}"]
        form: dict[str, Any] = {"type": _convert(hint), "metavar": "X"}
        if hint is bool:
            form = {"action": argparse.BooleanOptionalAction if presets else "store_true"}
            notes = [f"default {'on' if field.default else 'off'}"]
        if field.metadata["choices"]:
            which = "any" if isinstance(field.default, tuple) else "one"
            notes.insert(0, f"{which} of: {', '.join(map(str, field.metadata['choices']))}")
        # SUPPRESS leaves out what is not given: the function knows its default, or the preset's.
        parser.add_argument(
            f"--{field.name.replace('_', '-')}",
            default=argparse.SUPPRESS,
            help=f"{field.metadata['help']} ({'; '.join(notes)})".replace("%", "%%"),
            **form,
        )


def pick_settings(options: argparse.Namespace, cls: type[Settings]) -> dict[str, Any]:
    """The fields of `cls` that the command line gives."""
    names = [field.name for field in dataclasses.fields(cls)]
    return {name: getattr(options, name) for name in names if hasattr(options, name)}


Option = tuple[str, dict[str, Any]]  # the name and the other arguments of add_argument


def _option(name: str, help: str | None = None, **form: Any) -> Option:
    return name, {"help": help, **form}


def _competition(default: str | None = AIRBUS.name, words: str = AIRBUS.name) -> Option:
    known = ", ".join(COMPETITIONS)
    return _option(
        "--competition",
        f"conventions of the CSVs and the folder: {known}, or a .json file of fields "
        f"(default {words})",
        dest="competition_name",
        default=default,
        metavar="NAME|FILE.json",
    )


def _shape(where: str = "") -> Option:
    text = f"{where}image size in px (default: the competition's)"
    return _option("--shape", text, type=_read_shape, metavar="HxW")


_IMAGES = _option(
    "--images",
    "where the sizes of images come from if they differ: a folder or zip of them, or a CSV with "
    "columns of height and width",
    metavar="DIR|CSV",
)
_WITH_MAPS = "with --maps: "
_MAPS = _option(
    "--maps",
    "maps made elsewhere: DIR/ImageId.png or .npy, and presence.csv if there is one",
    metavar="DIR",
)
# Each verb: what it does, its settings, and its other options.
VERBS: dict[str, tuple[str, type[Settings] | None, list[Option]]] = {
    "demo": (
        "make a practice competition and run every step on it, in minutes",
        None,
        [
            _option(
                "--out",
                "folder to make (default demo); the folder of an earlier demo is replaced",
                default="demo",
            ),
            _option("--seed", "seed of everything random (default 0)", type=int, default=0),
        ],
    ),
    "practice": (
        "write a competition folder of synthetic scenes",
        PracticeSettings,
        [_option("out", "folder to make", metavar="OUT")],
    ),
    "pack": (
        "pack a competition's training images into records, in folds of whole scenes",
        PackSettings,
        [
            _option(
                "competition",
                "folder or zip of the competition, or the word kaggle for its mounts",
                metavar="COMPETITION",
            ),
            _option("records", "folder to make or to complete", metavar="RECORDS"),
            _competition(),
        ],
    ),
    "train": (
        "train a U-Net on all folds but one",
        TrainSettings,
        [
            _option("records", "folder made by kit pack", metavar="RECORDS"),
            _option("model", "folder to make or to resume", metavar="MODEL"),
        ],
    ),
    "tune": (
        "choose threshold and cuts on the holdout's maps",
        TuneSettings,
        [
            _option(
                "places",
                "folders made by kit train; with --maps: TRUTH.csv OUT.json",
                nargs="+",
                metavar="MODEL",
            ),
            _option("--records", "folder of the records, if they moved since the training"),
            _MAPS,
            _option(
                "--scenes",
                f"{_WITH_MAPS}columns ImageId and scene, e.g. folds.csv of the records",
                metavar="CSV",
            ),
            _shape(_WITH_MAPS),
            _competition(),
        ],
    ),
    "predict": (
        "predict the test images and write a checked submission CSV",
        PredictSettings,
        [
            _option(
                "places",
                "folders made by kit train; folder or zip of the competition (or the word kaggle); "
                "submission to write; with --maps: SAMPLE.csv OUT.csv",
                nargs="+",
                metavar="MODEL... COMPETITION OUT.csv",
            ),
            _MAPS,
            _option(
                "--tuning",
                f"{_WITH_MAPS}file that kit tune wrote (default: DIR/tuning.json if it exists)",
                metavar="FILE",
            ),
            _shape(_WITH_MAPS),
            _competition(None, f"the models' own; with --maps {AIRBUS.name}"),
        ],
    ),
    "score": (
        "compute the object F2 of a prediction against the truth",
        None,
        [
            _option("truth", metavar="TRUTH.csv"),
            _option("prediction", metavar="PREDICTION.csv"),
            _option(
                "--json",
                "print one JSON object on standard output and nothing else",
                action="store_true",
            ),
            _option("--per-image", "also write counts and F2 of every image", metavar="OUT.csv"),
            _shape(),
            _IMAGES,
            _competition(),
        ],
    ),
    "check": (
        "check whether Kaggle would take a submission, or whether every file of records is whole; "
        "without a file: whether this machine is ready",
        None,
        [
            _option(
                "what",
                "a submission, or a folder made by kit pack",
                metavar="PREDICTION.csv|RECORDS",
                nargs="?",
            ),
            _option(
                "sample",
                "the sample submission; its ids are the ones to predict",
                metavar="SAMPLE.csv",
                nargs="?",
            ),
            _shape(),
            _IMAGES,
            _option(
                "--repair",
                "make damaged files of the records again from their source",
                action="store_true",
            ),
            _option(
                "--source",
                "where that source is now, if it moved since the packing",
                metavar="COMPETITION",
            ),
            _competition(),
        ],
    ),
    "report": (
        "write one HTML page about a model, several models compared, or the data",
        None,
        [
            _option(
                "places",
                "folders made by kit train, or one made by kit pack",
                nargs="+",
                metavar="MODEL",
            ),
            _option(
                "--out",
                "page to write (default: report.html in the folder, or here for several models)",
                metavar="FILE",
            ),
            _option("--records", "folder of the models' records, if they moved since the training"),
        ],
    ),
    "encoders": (
        "list the encoders: GFLOPs for 256x256 px, accuracy, are their ImageNet weights here",
        None,
        [
            _option(
                "--measure",
                "also time a training step of 8 crops of 256 px on this machine, with these "
                "encoders or, without a name, with all, which takes many minutes",
                type=_convert(tuple[str, ...]),
                nargs="?",
                const="all",
                default=(),
                metavar="NAME,NAME",
            )
        ],
    ),
}


def make_parser() -> argparse.ArgumentParser:
    """The parser of all verbs; `verb` of what it reads is the verb's name."""
    parser = Parser(
        prog="kit", description="Train, tune, score and submit run-length-mask competitions."
    )
    parser.add_argument("--version", action="version", version=f"kit {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=Parser)
    for name, (text, settings, options) in VERBS.items():
        verb = verbs.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        if settings:
            _add_settings(verb, settings)
        for option, form in options:
            verb.add_argument(option, **form)
    return parser
