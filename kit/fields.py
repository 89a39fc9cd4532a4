"""What every checked data class is built on: fields with a meaning, a type, a range and choices."""

from __future__ import annotations

import dataclasses
import math
import numbers
import types
import typing
from dataclasses import dataclass

from .errors import KitError

LARGEST_SEED = 2**32 - 1  # what NumPy's and scikit-learn's older generators take


def setting(default, help, *, low=None, high=None, choices=None):
    """A field with its meaning and unit, and the closed range or the choices that it accepts."""
    return dataclasses.field(default=default, metadata={"help": help, "low": low, "high": high, "choices": choices})


def write_value(value) -> str:
    """A setting as an option gives it: commas between parts, none for nothing."""
    return "none" if value is None or value == () else ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def fits(value, hint) -> bool:
    """Whether a value is of a field's type; a whole number is also a float."""
    if isinstance(hint, types.UnionType):
        return any(fits(value, part) for part in typing.get_args(hint))
    if typing.get_origin(hint) is tuple:
        return isinstance(value, tuple) and all(fits(item, typing.get_args(hint)[0]) for item in value)
    wanted = {int: numbers.Integral, float: numbers.Real}.get(hint, hint)
    return isinstance(value, wanted) and (hint is bool or not isinstance(value, bool))


@dataclass(frozen=True)
class Settings:
    """Base of all settings: checks every value against its field's type and range.

    A list is taken as the tuple that is meant, and "none", as options write it, as None where a field may be that.
    """

    def __post_init__(self):
        hints = typing.get_type_hints(type(self))
        for field in dataclasses.fields(self):
            if isinstance(getattr(self, field.name), list):
                object.__setattr__(self, field.name, tuple(getattr(self, field.name)))
            elif getattr(self, field.name) == "none" and fits(None, hints[field.name]):
                object.__setattr__(self, field.name, None)
            value, meta = getattr(self, field.name), field.metadata
            name = f"--{field.name.replace('_', '-')} {value}"
            choices = ", ".join(map(str, meta["choices"] or ()))
            if not fits(value, hints[field.name]):
                raise KitError(f"{name}: expected {field.type}{', of ' * bool(choices)}{choices}")
            for part in value if isinstance(value, tuple) else (value,):
                if meta["choices"] is not None and part is not None and part not in meta["choices"]:
                    word = "among" if isinstance(value, tuple) else "one of"
                    raise KitError(f"--{field.name.replace('_', '-')} {part}: choose {word} {choices}")
            if value is None or isinstance(value, str | tuple):
                continue
            if isinstance(value, float) and not math.isfinite(value):
                raise KitError(f"{name}: must be a finite number")
            if meta["low"] is not None and not value >= meta["low"]:
                raise KitError(f"{name}: must be at least {meta['low']}")
            if meta["high"] is not None and not value <= meta["high"]:
                raise KitError(f"{name}: must be at most {meta['high']}")
