"""Progress: a bar in a terminal or notebook, a line every half minute in a log file."""

import sys
from typing import Any

from tqdm.auto import tqdm
from tqdm.std import tqdm as plain

LOG_SECONDS = 30  # between two lines in a log file


class _Lines(plain):  # type: ignore[misc]  # tqdm has no types
    """A bar that prints each update as a line of its own.

    The first line comes after LOG_SECONDS, so short work prints nothing.
    """

    def display(self, msg: str | None = None, pos: int | None = None) -> bool:
        if self.n and not self.disable and self.format_dict["elapsed"] >= LOG_SECONDS:
            print(msg or str(self), file=self.fp, flush=True)
        return True

    def close(self) -> None:
        # The original would end a line that was never begun. Ctrl-C can come so early that there
        # is no `disable` yet.
        if not getattr(self, "disable", True):
            self.disable = True
            self._decr_instances(self)


def bar(total: int, text: str, unit: str = " images", leave: bool = True) -> Any:
    """A tqdm bar over `total` steps, for a `with` block; `update(n)` moves it.

    Args:
        total: number of steps.
        text: what the bar is called.
        unit: what one step is, as it follows a number.
        leave: whether the finished bar stays in a terminal or notebook.
    """
    if sys.stderr.isatty() or "ipykernel" in sys.modules:
        return tqdm(total=total, desc=text, unit=unit, leave=leave)
    return _Lines(
        total=total,
        desc=text,
        unit=unit,
        leave=False,
        mininterval=LOG_SECONDS,
        maxinterval=LOG_SECONDS,
        bar_format="{desc}: {n_fmt}/{total_fmt}{unit}, {rate_fmt}{postfix}, {remaining} left",
    )
