"""Fields of data classes: checked ones have a meaning, a type, a range and choices."""

import dataclasses
import math
import numbers
import types
import typing
from dataclasses import dataclass
from typing import Any

from .errors import KitError

LONGEST = 60  # characters of a field's value in the repr of a result
LARGEST_SEED = 2**32 - 1  # older generators of NumPy and scikit-learn take no larger one


def setting(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[Any, ...] | None = None,
    **metadata: Any,
) -> Any:
    """A field of a data class, with its meaning, its unit and the values that it accepts.

    Args:
        default: the field's value if none is given.
        help: meaning and unit, as `--help` prints them.
        low: the smallest number that the field accepts; None: no limit.
        high: the largest number that the field accepts; None: no limit.
        choices: the values that the field accepts, or the items if it is a tuple; None: any.
        **metadata: anything else to note with the field.

    Returns:
        A `dataclasses.Field` whose metadata hold all of this.
    """
    known = {"help": help, "low": low, "high": high, "choices": choices}
    return dataclasses.field(default=default, metadata=known | metadata)


def write_value(value: Any) -> str:
    """A value as the command line takes it: commas between items, `none` for nothing.

    >>> write_value(("dice", "bce")), write_value(None), write_value(0.5)
    ('dice,bce', 'none', '0.5')
    """
    if value is None or value == ():
        return "none"
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def fits(value: Any, hint: Any) -> bool:
    """Whether a value has a field's type; a whole number is a float, too.

    >>> fits(3, float), fits(True, int), fits((1, 2), tuple[int, ...]), fits(None, int | None)
    (True, False, True, True)
    """
    if isinstance(hint, types.UnionType):
        return any(fits(value, kind) for kind in typing.get_args(hint))
    if typing.get_origin(hint) is tuple:
        inner = typing.get_args(hint)[0]
        return isinstance(value, tuple) and all(fits(item, inner) for item in value)
    wanted = {int: numbers.Integral, float: numbers.Real}.get(hint, hint)
    return isinstance(value, wanted) and (hint is bool or not isinstance(value, bool))


def abbreviate(record: Any) -> str:
    """The repr of a data class in one line, with sizes instead of arrays and long contents.

    A class takes it as its own: `__repr__ = abbreviate`.
    """
    parts = [
        f"{field.name}={_shorten(getattr(record, field.name))}"
        for field in dataclasses.fields(record)
    ]
    return f"{type(record).__name__}({', '.join(parts)})"


def _shorten(value: Any) -> str:
    if hasattr(value, "dtype"):
        return f"{value.dtype}{list(value.shape)}"
    if not isinstance(value, str | list | tuple | dict):
        return repr(value)
    if len(value) > LONGEST or len(text := repr(value)) > LONGEST:
        return f"<{type(value).__name__} of {len(value)}>"
    return text


@dataclass(frozen=True)
class Checked:
    """Base of the checked data classes: every value must fit its field's type, range and choices.

    A list becomes a tuple.

    Raises:
        KitError: if a value does not fit.
    """

    def __post_init__(self) -> None:
        hints = typing.get_type_hints(type(self))
        for field in dataclasses.fields(self):
            if isinstance(getattr(self, field.name), list):
                object.__setattr__(self, field.name, tuple(getattr(self, field.name)))
            self._check(field, hints[field.name])

    def _check(self, field: dataclasses.Field[Any], hint: Any) -> None:
        value, meta, name = getattr(self, field.name), field.metadata, self._spell(field.name)
        words = f"{name} {value}"
        choices = ", ".join(str(choice) or '""' for choice in meta.get("choices") or ())
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
        """The name of a field in error messages."""
        return name


@dataclass(frozen=True)
class Settings(Checked):
    """Base of the settings of verbs. Where a field accepts None, the word "none" means it, too."""

    def __post_init__(self) -> None:
        hints = typing.get_type_hints(type(self))
        for field in dataclasses.fields(self):
            if getattr(self, field.name) == "none" and fits(None, hints[field.name]):
                object.__setattr__(self, field.name, None)
        super().__post_init__()

    @staticmethod
    def _spell(name: str) -> str:
        return f"--{name.replace('_', '-')}"
