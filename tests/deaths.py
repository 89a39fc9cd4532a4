"""A process that kills itself at a planned point: before or after an fsync or rename of a file."""

from __future__ import annotations

import dataclasses
import os
import signal
import threading


@dataclasses.dataclass(frozen=True)
class Death:
    """The `nth` call (from 1) of os.fsync or os.replace on a file whose name holds `word`.

    If `torn`, half of the file is lost.
    """

    call: str  # fsync, replace
    after: bool
    word: str
    nth: int = 1
    torn: bool = False


def plan_death(death: Death | float | None) -> None:
    """In a child: patches os so that this process kills itself at the planned point.

    A float means so many seconds after the first fsync.
    """
    if death is None:
        return
    waits = isinstance(death, float)
    name = "fsync" if waits else death.call
    former, seen = getattr(os, name), []

    def call(first, *rest):
        if waits:
            if not seen:
                threading.Timer(death, kill).start()
            seen.append(first)
            return former(first, *rest)
        path = os.readlink(f"/proc/self/fd/{first}") if death.call == "fsync" else str(rest[0])
        hit = death.word in os.path.basename(path) and os.path.isfile(
            path if death.call == "fsync" else first
        )
        seen.extend([path] * hit)
        due = hit and len(seen) == death.nth
        if due and death.torn:
            source = path if death.call == "fsync" else first
            os.truncate(source, os.path.getsize(source) // 2)
        if due and not death.after:
            kill()
        result = former(first, *rest)
        if due:
            kill()
        return result

    setattr(os, name, call)


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
