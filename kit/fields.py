"""What every checked data class is built on: fields with a meaning, a type, a range and choices."""

import dataclasses
import math
import numbers
import types
import typing
from dataclasses import dataclass

from .errors import KitError

LARGEST_SEED = 2**32 - 1  # what NumPy's and scikit-learn's older generators take


def setting(default, help, *, low=None, high=None, choices=None, **metadata):
    """A field with its meaning and unit, and the closed range or the choices that it accepts.

    Args:
        default: the field's value if none is given.
        help: meaning and unit, as `--help` prints it.
        low: the smallest number that is accepted; None: any.
        high: the largest number that is accepted; None: any.
        choices: the values that are accepted, of a tuple its items; None: any.
        **metadata: what else is known of the field.
    """
    known = {"help": help, "low": low, "high": high, "choices": choices}
    return dataclasses.field(default=default, metadata=known | metadata)


def write_value(value) -> str:
    """A setting as an option gives it: commas between items, none for nothing."""
    if value is None or value == ():
        return "none"
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def fits(value, hint) -> bool:
    """Whether a value is of a field's type; a whole number is also a float."""
    if isinstance(hint, types.UnionType):
        return any(fits(value, kind) for kind in typing.get_args(hint))
    if typing.get_origin(hint) is tuple:
        inner = typing.get_args(hint)[0]
        return isinstance(value, tuple) and all(fits(item, inner) for item in value)
    wanted = {int: numbers.Integral, float: numbers.Real}.get(hint, hint)
    return isinstance(value, wanted) and (hint is bool or not isinstance(value, bool))


@dataclass(frozen=True)
class Checked:
    """Base of checked data classes: every value must have its field's type, range and choices.

    A list is taken as the tuple that is meant.
    """

    def __post_init__(self):
        hints = typing.get_type_hints(type(self))
        for field in dataclasses.fields(self):
            if isinstance(getattr(self, field.name), list):
                object.__setattr__(self, field.name, tuple(getattr(self, field.name)))
            self._check(field, hints[field.name])

    def _check(self, field: dataclasses.Field, hint) -> None:
        value, meta, name = getattr(self, field.name), field.metadata, self._spell(field.name)
        words = f"{name} {value}"
        choices = ", ".join(map(str, meta.get("choices") or ()))
        if not fits(value, hint):
            of = f", of {choices}" if choices else ""
            kind = hint.__name__ if isinstance(hint, type) else hint
            raise KitError(f"{words}: expected {kind}{of}")
        for item in value if isinstance(value, tuple) else (value,):
            if choices and item is not None and item not in meta["choices"]:
                word = "among" if isinstance(value, tuple) else "one of"
                raise KitError(f"{name} {item}: choose {word} {choices}")
        if value is None or isinstance(value, str | tuple):
            return
        if isinstance(value, float) and not math.isfinite(value):
            raise KitError(f"{words}: must be a finite number")
        if meta.get("low") is not None and not value >= meta["low"]:
            raise KitError(f"{words}: must be at least {meta['low']}")
        if meta.get("high") is not None and not value <= meta["high"]:
            raise KitError(f"{words}: must be at most {meta['high']}")

    @staticmethod
    def _spell(name: str) -> str:
        """What errors call a field."""
        return name


@dataclass(frozen=True)
class Settings(Checked):
    """Base of what verbs can be told; "none", as options write it, is None where a field may be that."""

    def __post_init__(self):
        hints = typing.get_type_hints(type(self))
        for field in dataclasses.fields(self):
            if getattr(self, field.name) == "none" and fits(None, hints[field.name]):
                object.__setattr__(self, field.name, None)
        super().__post_init__()

    @staticmethod
    def _spell(name: str) -> str:
        return f"--{name.replace('_', '-')}"
