"""A page: one self-contained HTML file, from templates that escape all values."""

import functools
import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from .. import __version__
from ..fields import abbreviate
from ..scoring.groups import COUNTS
from ..system.files import write_text


@dataclass(frozen=True)
class Page:
    """One self-contained HTML page, which a notebook displays."""

    text: str

    __repr__ = abbreviate

    def save(self, path: Path | str) -> Path:
        """Writes the page as the file `path`, whole or not at all.

        Raises:
            KitError: if the file cannot be written.
        """
        write_text(path, self.text)
        return Path(path)

    def _repr_html_(self) -> str:
        style = "width: 100%; height: 85vh; border: 1px solid gray"
        text = html.escape(self.text)
        return f'<iframe sandbox="allow-scripts" style="{style}" srcdoc="{text}"></iframe>'


@functools.cache
def _environment() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(Path(__file__).with_name("templates"))
    made = jinja2.Environment(
        loader=loader,
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(
        groups=COUNTS,
        version=__version__,
        source=lambda name: Markup(loader.get_source(made, name)[0]),
    )
    return made


def render(template: str, **values: Any) -> Page:
    """The page made from a template of kit/pages/templates and its values."""
    return Page(_environment().get_template(template).render(**values))


def show(value: float | None, interval: Sequence[float] | None = None, sign: str = "") -> str:
    """A figure as precise as its interval, with three decimals at most; - if there is none.

    The decimals show one digit of the interval's half width, or two digits if it begins with less
    than 3.55 (the rule of the Particle Data Group).

    sign: "+" for a difference.

    >>> show(0.79481, (0.75, 0.84)), show(0.79481), show(None)
    ('0.79', '0.795', '-')
    """
    if value is None or not math.isfinite(value):
        return "-"
    return f"{value:{sign}.{_count_digits(interval)}f}"


def span(interval: Sequence[float] | None, sign: str = "") -> str:
    """An interval in words, with the decimals of `show`; None: all images are of one scene.

    sign: "+" for a difference.

    >>> span((0.7512, 0.8431)), span((-0.0021, 0.0112), "+")
    ('0.75 to 0.84', '-0.002 to +0.011')
    """
    if interval is None:
        return "no interval: all images are of one scene"
    return " to ".join(f"{value:{sign}.{_count_digits(interval)}f}" for value in interval)


def _count_digits(interval: Sequence[float] | None) -> int:
    half = (interval[1] - interval[0]) / 2 if interval else 0
    if half <= 0:
        return 3
    first = math.floor(math.log10(half))
    return min(3, max(1, -first + (half < 3.55 * 10.0**first)))
