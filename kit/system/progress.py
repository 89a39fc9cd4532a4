"""Progress: a bar in a terminal or notebook, a line now and then in a log file."""

import sys

from tqdm.auto import tqdm
from tqdm.std import tqdm as plain

LOG_SECONDS = 30  # between two lines in a log file


class _Lines(plain):
    """A bar whose every update is a line of its own; the first comes after LOG_SECONDS, so short work says nothing."""

    def display(self, msg=None, pos=None):
        if self.n and not self.disable and self.format_dict["elapsed"] >= LOG_SECONDS:
            print(msg or str(self), file=self.fp, flush=True)
        return True

    def close(self):
        if not getattr(
            self, "disable", True
        ):  # a Ctrl-C may come before there is one; the original ends its line, and there is none
            self.disable = True
            self._decr_instances(self)


def bar(total: int, text: str, unit: str = " images", leave: bool = True):
    """A tqdm of `total` steps, to be used in a `with` block and moved by `update(n)`."""
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
