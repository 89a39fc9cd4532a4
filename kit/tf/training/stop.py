"""What ends a training early: --max-hours, Ctrl-C, SIGTERM."""

import signal
import threading
import time


class Stop:
    """Tells whether to end early; inside its `with` block Ctrl-C and SIGTERM are only noted.

    A second signal of the same kind has its usual effect. `hours` None sets no time limit.
    """

    def __init__(self, hours: float | None):
        self.hours, self.end = hours, time.monotonic() + 3600 * (hours or 0)
        self.signal: str | None = None
        self.former: dict = {}

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            self.former = {
                number: signal.signal(number, self._note)
                for number in (signal.SIGINT, signal.SIGTERM)
            }
        return self

    def _note(self, number, _):
        self.signal = signal.Signals(number).name
        signal.signal(number, self.former[number])

    def __exit__(self, *_):
        for number, handler in self.former.items():
            signal.signal(number, handler)

    def left(self) -> float | None:
        """Seconds until the time limit; None if there is no limit."""
        return None if self.hours is None else self.end - time.monotonic()

    def reason(self) -> str | None:
        """What ends the training now; None if nothing does."""
        if self.hours is not None and time.monotonic() > self.end:
            return f"--max-hours {self.hours:g}"
        return self.signal
