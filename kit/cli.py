"""The command line: each verb is a thin shell over one function with the same arguments."""

import io
import os
import signal
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from .competition.catalog import find_competition
from .competition.conventions import AIRBUS
from .errors import KitError, naming_extra, printable
from .options import make_parser, pick_settings
from .settings import PackSettings, PracticeSettings, PredictSettings, TrainSettings, TuneSettings

Made = TypeVar("Made")


class _Stopped(Exception):
    """Ctrl-C or SIGTERM during work that the same command can resume."""


def _interruptible(function: Callable[..., Made], *arguments: Any, **options: Any) -> Made:
    """Runs a function that keeps what it has done when it is interrupted.

    After Ctrl-C or SIGTERM, `main` says how to resume and ends with status 0.
    """
    former = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return function(*arguments, **options)
    except KeyboardInterrupt:
        raise _Stopped from None
    finally:
        signal.signal(signal.SIGTERM, former)


def _demo(options: Namespace) -> None:
    from .demo import run_demo

    run_demo(options.out, seed=options.seed)


def _practice(options: Namespace) -> None:
    from .practice.folder import write_practice

    out = write_practice(options.out, **pick_settings(options, PracticeSettings))
    print(f"kit practice: wrote {out}")


def _pack(options: Namespace) -> None:
    from .packing.packing import pack

    manifest = _interruptible(
        pack,
        options.competition,
        options.records,
        competition=options.competition_name,
        **pick_settings(options, PackSettings),
    )
    print(manifest["overview"])
    for item in manifest["skipped"]:
        print(printable(f"left out: {item['image']}: {item['reason']}"))


def _train(options: Namespace) -> None:
    from .tf.training.training import train

    train(options.records, options.model, **pick_settings(options, TrainSettings))


def _refuse(options: Namespace, **defaults: Any) -> None:
    """KitError if an option that only works with --maps is not at its default."""
    for name, default in defaults.items():
        if getattr(options, name) != default:
            raise KitError(f"--{name.removesuffix('_name')} goes with --maps only")


def _tune(options: Namespace) -> None:
    from .tuning.tuning_file import describe_tuning

    settings = pick_settings(options, TuneSettings)
    if options.maps is None:
        _refuse(options, scenes=None, shape=None, competition_name=AIRBUS.name)
        from .tf.inference.inference import tune

        tuned = _interruptible(tune, options.places, records=options.records, **settings)
    else:
        if len(options.places) != 2 or options.records:
            raise KitError("with --maps: kit tune --maps DIR TRUTH.csv OUT.json")
        from .tuning.map_folder import tune_maps

        settings |= {"scenes": options.scenes, "shape": options.shape}
        settings |= {"competition": options.competition_name}
        tuned = tune_maps(options.maps, *options.places, **settings)
    print(describe_tuning(tuned.fields))


def _predict(options: Namespace) -> None:
    places, settings = options.places, pick_settings(options, PredictSettings)
    if len(places) < (3 if options.maps is None else 2):
        raise KitError(
            "give at least one model, the competition and the CSV to write: "
            "kit predict MODEL... COMPETITION OUT.csv"
        )
    *models, place, out = places
    named = options.competition_name
    if options.maps is None:
        _refuse(options, tuning=None, shape=None)
        from .tf.inference.inference import predict

        found = _interruptible(predict, models, place, out, competition=named, **settings)
    else:
        if models or settings.get("tta") or settings.get("scale"):
            raise KitError(
                "with --maps: kit predict --maps DIR [--tuning FILE] SAMPLE.csv OUT.csv, "
                "without --tta and --scale"
            )
        from .submission.map_folder import predict_maps

        found = _interruptible(
            predict_maps,
            options.maps,
            place,
            out,
            tuning=options.tuning,
            shape=options.shape,
            competition=named or AIRBUS,
            allow_missing=settings.get("allow_missing", False),
        )
    print(f"kit predict: wrote {out}: {len(found)} images, {len(found.labels)} masks, checked")


def _score(options: Namespace) -> None:
    from .scoring.csv_score import score_csv
    from .scoring.summary import format_summary, to_json

    summary = score_csv(
        options.truth,
        options.prediction,
        shape=options.shape,
        images=options.images,
        per_image=options.per_image,
        competition=options.competition_name,
    )
    print(to_json(summary) if options.json else format_summary(summary))


def _check(options: Namespace) -> int:
    if options.what is None:
        return _check_machine(options)
    if options.sample is None:
        return _check_records(options)
    if options.repair or options.source:
        raise KitError("--repair and --source are for records: kit check RECORDS --repair")
    from .submission.csv_file import check_csv

    problems, report = check_csv(
        options.what,
        options.sample,
        shape=options.shape,
        images=options.images,
        competition=options.competition_name,
    )
    print(report)
    return int(bool(problems))


def _check_machine(options: Namespace) -> int:
    if options.shape or options.images or options.repair or options.source:
        raise KitError(
            "kit check alone checks the machine; --shape and --images go with PREDICTION.csv "
            "SAMPLE.csv, --repair and --source with RECORDS"
        )
    from .machine.checks import check_machine
    from .system.finding import WRONG

    wrong = False
    for finding in check_machine(competition=find_competition(options.competition_name)):
        print(finding, flush=True)
        wrong |= finding.verdict == WRONG
    return int(wrong)


def _check_records(options: Namespace) -> int:
    from .records.manifest import check_records, open_records

    what = options.what
    if Path(what).is_file():
        raise KitError(
            f"{what}: is a file; to check a submission, give its sample, too: "
            "kit check PREDICTION.csv SAMPLE.csv"
        )
    if options.shape or options.images:
        raise KitError("--shape and --images go with PREDICTION.csv SAMPLE.csv only")
    if options.repair:
        from .packing.repair import repair

        _interruptible(repair, what, options.source)
    elif options.source:
        raise KitError("--source says where --repair finds the images; give both")
    damage = check_records(what)
    for name, reason in damage.items():
        print(f"{name}: {reason}")
    if damage:
        print(f"{what}: {len(damage)} files are damaged; kit check {what} --repair restores them")
        return 1
    found = open_records(what)
    images, shards = found.count(found.folds), len(found.manifest["shards"])
    print(f"{what}: {images} images in {shards} shards, all whole")
    return 0


def _report(options: Namespace) -> None:
    from .pages.report import report

    folder = Path(options.places[0]) if len(options.places) == 1 else Path()
    out = options.out or folder / "report.html"
    made = _interruptible(report, options.places, out, records=options.records)
    print(f"kit report: wrote {out}, {len(made.text.encode()) / 1e6:.1f} MB")


def _encoders(options: Namespace) -> None:
    from .machine.encoders import format_encoders, list_encoders

    print(format_encoders(list_encoders(options.measure)))


_RUN: dict[str, Callable[[Namespace], int | None]] = {
    "demo": _demo,
    "practice": _practice,
    "pack": _pack,
    "train": _train,
    "tune": _tune,
    "predict": _predict,
    "score": _score,
    "check": _check,
    "report": _report,
    "encoders": _encoders,
}


def main(arguments: list[str] | None = None) -> int:
    """Runs one verb and returns the exit status; an error that users can cause prints one line."""
    options = make_parser().parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):  # a log file shows each line at once
        sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")
    try:
        with naming_extra():
            return _RUN[options.verb](options) or 0
    except KitError as error:
        message = str(error)
    except _Stopped:
        print(f"kit {options.verb}: stopped; run the same command again to resume")
        return 0
    except KeyboardInterrupt:
        print(f"kit {options.verb}: interrupted", file=sys.stderr)
        return 130
    except MemoryError:
        message = "out of memory; close other programs, or give a smaller --batch if there is one"
    except BrokenPipeError:  # the reader of our output is gone: nothing left to say
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except OSError as error:
        from .system.files import explain

        named = isinstance(error.filename, str)
        message = explain(error, Path(error.filename)) if named else str(error)
    print(f"kit {options.verb}: {' '.join(message.split())}", file=sys.stderr)
    return 2


def run() -> None:
    """The console script."""
    sys.exit(main())
