"""The command line: each verb a thin shell over one function with the same arguments."""

import argparse
import dataclasses
import io
import os
import signal
import sys
import types
import typing
from pathlib import Path

from . import __version__
from .competition.conventions import AIRBUS, COMPETITIONS, find_competition
from .errors import KitError, printable
from .fields import write_value
from .settings import PackSettings, PracticeSettings, PredictSettings, TrainSettings, TuneSettings

# Modules of the extra `train`; where one is missing the error names the extra.
_TRAIN = {"tensorflow", "keras", "tensorflow_datasets", "sklearn", "segmentation_models"}
_TRAIN |= {
    "classification_models",
    "efficientnet",
    "keras_applications",
}  # what segmentation_models needs


class _Parser(argparse.ArgumentParser):
    def error(self, message):  # one line, like every other error
        self.exit(2, " ".join(f"{self.prog}: {message}; see {self.prog} --help".split()) + "\n")


def _shape(text: str) -> tuple[int, int]:
    height, _, width = text.lower().partition("x")
    if not (
        height.isdecimal()
        and width.isdecimal()
        and int(height)
        and int(width)
        and int(height) * int(width) < 2**31
    ):
        raise argparse.ArgumentTypeError(f"{text!r}: expected HEIGHTxWIDTH in px, such as 768x768")
    return int(height), int(width)


def _converter(annotation):
    """A function from an option's text to the value of a settings field."""
    if typing.get_origin(annotation) is tuple:
        inner = typing.get_args(annotation)[0]

        def convert(text):
            return (
                ()
                if text == "none" and inner is str
                else tuple(inner(part) for part in text.split(","))
            )

        convert.__name__ = "list of whole numbers" if inner is int else "list of names"
        return convert
    if isinstance(annotation, types.UnionType):  # X | None
        (inner,) = [part for part in typing.get_args(annotation) if part is not type(None)]

        def convert_optional(text):
            return None if text == "none" else inner(text)

        convert_optional.__name__ = inner.__name__
        return convert_optional
    return annotation


def _add_settings(parser: argparse.ArgumentParser, cls) -> None:
    """One option a field of the settings `cls`, with its meaning and default; --no-X undoes what a preset may switch on."""
    hints, presets = typing.get_type_hints(cls), "preset" in cls.__dataclass_fields__
    for field in dataclasses.fields(cls):
        choices = field.metadata["choices"]
        if hints[field.name] is bool:
            form: dict = {
                "action": argparse.BooleanOptionalAction if presets else "store_true",
                "help": field.metadata["help"],
            }
            parser.add_argument(
                f"--{field.name.replace('_', '-')}", default=argparse.SUPPRESS, **form
            )
            continue
        text = field.metadata["help"] + (f": {', '.join(map(str, choices))}" if choices else "")
        parser.add_argument(
            f"--{field.name.replace('_', '-')}",
            type=_converter(hints[field.name]),
            default=argparse.SUPPRESS,  # left out where it is not given: the function knows its default, or its preset another
            metavar="X",
            help=f"{text} (default {write_value(field.default)})".replace("%", "%%"),
        )


def pick_settings(options, cls) -> dict:
    """The fields of `cls` that were given."""
    return {
        field.name: getattr(options, field.name)
        for field in dataclasses.fields(cls)
        if hasattr(options, field.name)
    }


def make_parser() -> argparse.ArgumentParser:
    """The parser of all verbs."""
    parser = _Parser(
        prog="kit", description="Train, tune, score and submit run-length-mask competitions."
    )
    parser.add_argument("--version", action="version", version=f"kit {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=_Parser)

    def add(name, text, run, settings=None):
        verb = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        verb.set_defaults(run=run)
        if settings:
            _add_settings(verb, settings)
        return verb

    def add_competition(verb, default=AIRBUS.name, words=AIRBUS.name):
        text = f"conventions of the CSVs and the folder: {', '.join(COMPETITIONS)}, or a .json file of fields (default {words})"
        verb.add_argument(
            "--competition",
            dest="competition_name",
            default=default,
            metavar="NAME|FILE.json",
            help=text,
        )

    verb = add("demo", "a practice competition and the whole road on it, in minutes", _demo)
    verb.add_argument(
        "--out",
        default="demo",
        help="folder to make (default demo; one that an earlier demo made is replaced)",
    )
    verb.add_argument("--seed", type=int, default=0, help="seed of everything random (default 0)")
    verb = add(
        "practice", "write a competition folder from synthetic scenes", _practice, PracticeSettings
    )
    verb.add_argument("out", metavar="OUT", help="folder to make")
    verb = add(
        "pack",
        "pack a competition's training images into records, in folds of whole scenes",
        _pack,
        PackSettings,
    )
    verb.add_argument(
        "competition",
        metavar="COMPETITION",
        help="folder or zip of the competition, or the word kaggle: its mounts",
    )
    verb.add_argument("records", metavar="RECORDS", help="folder to make, or to go on with")
    add_competition(verb)
    verb = add("train", "train a U-Net on all folds but one", _train, TrainSettings)
    verb.add_argument("records", metavar="RECORDS", help="folder made by kit pack")
    verb.add_argument("model", metavar="MODEL", help="folder to make")
    verb = add("tune", "threshold and cuts on the holdout's maps", _tune, TuneSettings)
    verb.add_argument(
        "places",
        nargs="+",
        metavar="MODEL",
        help="folders made by kit train; with --maps: TRUTH.csv OUT.json",
    )
    verb.add_argument("--records", help="folder of the records, if they moved since the training")
    verb.add_argument(
        "--maps",
        metavar="DIR",
        help="maps made elsewhere: DIR/ImageId.png or .npy; and presence.csv",
    )
    verb.add_argument(
        "--scenes",
        metavar="CSV",
        help="with --maps: columns ImageId and scene, such as folds.csv of the records",
    )
    verb.add_argument(
        "--shape",
        type=_shape,
        metavar="HxW",
        help="with --maps: image size in px (default: the competition's)",
    )
    add_competition(verb)
    verb = add(
        "predict",
        "predict the test images and write a checked submission CSV",
        _predict,
        PredictSettings,
    )
    places = "folders made by kit train, folder or zip of the competition (or the word kaggle), the submission to write"
    verb.add_argument(
        "places",
        nargs="+",
        metavar="MODEL... COMPETITION OUT.csv",
        help=f"{places}; with --maps: SAMPLE.csv OUT.csv",
    )
    verb.add_argument(
        "--maps",
        metavar="DIR",
        help="maps made elsewhere: DIR/ImageId.png or .npy; and presence.csv",
    )
    verb.add_argument(
        "--tuning",
        metavar="FILE",
        help="with --maps: what kit tune wrote (default: DIR/tuning.json where there is one)",
    )
    verb.add_argument(
        "--shape",
        type=_shape,
        metavar="HxW",
        help="with --maps: image size in px (default: the competition's)",
    )
    add_competition(verb, None, f"the models' own; with --maps {AIRBUS.name}")
    verb = add("score", "object F2 of a prediction against the truth", _score)
    verb.add_argument("truth", metavar="TRUTH.csv")
    verb.add_argument("prediction", metavar="PREDICTION.csv")
    verb.add_argument(
        "--json", action="store_true", help="one JSON object on standard output and nothing else"
    )
    verb.add_argument(
        "--per-image", metavar="OUT.csv", help="also write counts and F2 of every image"
    )
    verb.add_argument(
        "--shape", type=_shape, metavar="HxW", help="image size in px (default: the competition's)"
    )
    add_competition(verb)
    verb = add(
        "check",
        "would Kaggle take this submission; is every file of these records whole; alone: is this machine ready",
        _check,
    )
    verb.add_argument(
        "what",
        metavar="PREDICTION.csv|RECORDS",
        nargs="?",
        help="a submission, or a folder made by kit pack",
    )
    verb.add_argument(
        "sample", metavar="SAMPLE.csv", nargs="?", help="the sample submission, whose ids count"
    )
    verb.add_argument(
        "--shape", type=_shape, metavar="HxW", help="image size in px (default: the competition's)"
    )
    verb.add_argument(
        "--repair",
        action="store_true",
        help="make damaged files of the records again from their source",
    )
    verb.add_argument(
        "--source",
        metavar="COMPETITION",
        help="where that source is now, if it moved since the packing",
    )
    add_competition(verb)
    verb = add("report", "one HTML page on a model, on several compared, or on the data", _report)
    verb.add_argument(
        "places",
        nargs="+",
        metavar="MODEL",
        help="folders made by kit train; or one made by kit pack",
    )
    verb.add_argument(
        "--out",
        metavar="FILE",
        help="the page to write (default: report.html in the folder; of several models: here)",
    )
    verb.add_argument(
        "--records", help="folder of the models' records, if they moved since the training"
    )
    return parser


class _Stopped(Exception):
    """Ctrl-C or SIGTERM in work that the same command goes on with."""


def _interruptible(function, *arguments, **options):
    """`function`, which keeps what it has done when it is interrupted: then `main` says so and ends with status 0."""
    former = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return function(*arguments, **options)
    except KeyboardInterrupt:
        raise _Stopped from None
    finally:
        signal.signal(signal.SIGTERM, former)


def _demo(options):
    from .demo import run_demo

    run_demo(options.out, seed=options.seed)


def _practice(options):
    from .practice.folder import write_practice

    print(
        f"kit practice: wrote {write_practice(options.out, **pick_settings(options, PracticeSettings))}"
    )


def _pack(options):
    from .packing.packing import pack

    competition = find_competition(options.competition_name)
    manifest = _interruptible(
        pack,
        options.competition,
        options.records,
        competition=competition,
        **pick_settings(options, PackSettings),
    )
    print(manifest["overview"])
    for item in manifest["skipped"]:
        line = f"left out: {item['image']}: {item['reason']}"
        print(printable(line))


def _train(options):
    from .tf.training.training import train

    train(options.records, options.model, **pick_settings(options, TrainSettings))


def _only_with_maps(options, **others) -> None:
    """KitError for an option that is not what it is by default, and would be passed over; others: options and their defaults."""
    for name, default in others.items():
        if getattr(options, name) != default:
            raise KitError(f"--{name.removesuffix('_name')} goes with --maps only")


def _tune(options):
    from .tuning.tuning import tune_maps
    from .tuning.tuning_file import describe_tuning

    settings = pick_settings(options, TuneSettings)
    if options.maps is None:
        _only_with_maps(options, scenes=None, shape=None, competition_name=AIRBUS.name)
        from .tf.inference.inference import tune

        print(
            describe_tuning(
                _interruptible(tune, options.places, records=options.records, **settings).fields
            )
        )
        return
    if len(options.places) != 2 or options.records:
        raise KitError("with --maps: kit tune --maps DIR TRUTH.csv OUT.json")
    competition = find_competition(options.competition_name).with_shape(options.shape)
    tuned = tune_maps(
        options.maps, *options.places, scenes=options.scenes, competition=competition, **settings
    )
    print(describe_tuning(tuned.fields))


def _predict(options):
    places, settings = options.places, pick_settings(options, PredictSettings)
    if len(places) < (3 if options.maps is None else 2):
        raise KitError(
            "give at least one model, the competition and the CSV to write: kit predict MODEL... COMPETITION OUT.csv"
        )
    *models, place, out = places
    if options.maps is None:
        _only_with_maps(options, tuning=None, shape=None)
        from .tf.inference.inference import predict

        competition = (
            None if options.competition_name is None else find_competition(options.competition_name)
        )
        found = _interruptible(predict, models, place, out, competition=competition, **settings)
    else:
        if len(options.places) != 2 or settings.get("tta") or settings.get("scale"):
            raise KitError(
                "with --maps: kit predict --maps DIR [--tuning FILE] SAMPLE.csv OUT.csv, without --tta and --scale"
            )
        from .submission.prediction import predict_maps

        competition = find_competition(options.competition_name or AIRBUS.name).with_shape(
            options.shape
        )
        given = {
            "tuning": options.tuning,
            "competition": competition,
            "allow_missing": settings.get("allow_missing", False),
        }
        found = _interruptible(predict_maps, options.maps, place, out, **given)
    print(f"kit predict: wrote {out}: {len(found)} images, {len(found.labels)} masks, checked")


def _report(options):
    from .pages.report import report

    out = options.out or (
        Path(options.places[0]) / "report.html" if len(options.places) == 1 else Path("report.html")
    )
    made = _interruptible(report, options.places, out, records=options.records)
    print(f"kit report: wrote {out}, {len(made.text.encode()) / 1e6:.1f} MB")


def _score(options):
    from .scoring.scores import format_summary, score_csv, to_json

    competition = find_competition(options.competition_name)
    summary = score_csv(
        options.truth,
        options.prediction,
        shape=options.shape,
        per_image=options.per_image,
        competition=competition,
    )
    print(to_json(summary) if options.json else format_summary(summary))


def _check(options):
    if options.what is None:
        if options.shape or options.repair or options.source:
            raise KitError(
                "--shape goes with PREDICTION.csv SAMPLE.csv, --repair and --source with RECORDS; kit check alone looks at the machine"
            )
        from .machine.checks import check_machine
        from .system.finding import WRONG

        wrong = 0
        for finding in check_machine(competition=find_competition(options.competition_name)):
            print(finding, flush=True)
            wrong += finding.verdict == WRONG
        return int(wrong > 0)
    if options.sample is None:
        return _check_records(options)
    if options.repair or options.source:
        raise KitError("--repair and --source are for records: kit check RECORDS --repair")
    from .submission.csv_file import check_csv

    problems, report = check_csv(
        options.what,
        options.sample,
        shape=options.shape,
        competition=find_competition(options.competition_name),
    )
    print(report)
    return 1 if problems else 0


def _check_records(options):
    from .records.manifest import check_records, open_records

    if Path(options.what).is_file():
        raise KitError(
            f"{options.what}: is a file; a submission is checked against its sample: kit check PREDICTION.csv SAMPLE.csv"
        )
    if options.repair:
        from .packing.packing import repair

        _interruptible(repair, options.what, options.source)
    elif options.source:
        raise KitError("--source says where --repair finds the images; give both")
    damage = check_records(options.what)
    for name, reason in damage.items():
        print(f"{name}: {reason}")
    if damage:
        print(
            f"{options.what}: {len(damage)} files are damaged; kit check {options.what} --repair makes them again"
        )
        return 1
    found = open_records(options.what)
    print(
        f"{options.what}: {found.count(found.folds)} images in {len(found.manifest['shards'])} shards, all whole"
    )
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Runs one verb; returns the exit status. Whatever a user can cause is one line on standard error."""
    options = make_parser().parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(
            line_buffering=True, errors="backslashreplace"
        )  # a log file shows each line when it is said
    try:
        return options.run(options) or 0
    except KitError as error:
        message = str(error)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in _TRAIN:
            raise
        message = f"this verb needs {error.name}; in the kit's folder: pip install '.[train]'"
    except _Stopped:
        print(f"kit {options.verb}: stopped; the same command goes on")
        return 0
    except KeyboardInterrupt:
        print(f"kit {options.verb}: interrupted", file=sys.stderr)
        return 130
    except MemoryError:
        message = "out of memory; close other programs, or use a smaller --batch where there is one"
    except BrokenPipeError:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # the reader of our output is gone: nothing left to say
        return 128 + signal.SIGPIPE
    except OSError as error:
        from .system.files import explain

        message = (
            explain(error, Path(error.filename)) if isinstance(error.filename, str) else str(error)
        )
    print(f"kit {options.verb}: {' '.join(message.split())}", file=sys.stderr)
    return 2


def run() -> None:
    """The console script."""
    sys.exit(main())
