"""A pool of worker processes that die with their parent."""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
import types
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from ..errors import KitError

ENDS = {signal.SIGINT, signal.SIGTERM}


def count_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_tasks(
    work: Callable, tasks: Sequence, workers: int | None = None
) -> contextlib.AbstractContextManager[Iterator[tuple[int, Any]]]:
    """For a `with` block: an iterator of (number of the task, work(task)) as they are done, in no order; after the block no worker is left.

    work: a function of a module, which reads nothing but its task, so that it may run anywhere. workers: processes, None: one a core. An
    error of one task ends all. Workers are spawned: a forked child of a process that ran TensorFlow hangs in its first op. KitError where
    a worker dies.
    """
    return contextlib.closing(
        _run(work, tasks, workers)
    )  # a loop that an error leaves would close it at some later time


def _run(
    work: Callable, tasks: Sequence, workers: int | None
) -> Generator[tuple[int, Any], None, None]:
    count = min(workers or count_cores(), max(1, len(tasks)))
    pool = ProcessPoolExecutor(
        count, multiprocessing.get_context("spawn"), _live_with, (os.getpid(),)
    )
    waiting = iter(enumerate(tasks))
    running: dict[Future, int] = {}
    try:
        while True:
            while (
                len(running) < 2 * count and (item := next(waiting, None)) is not None
            ):  # no more: tasks hold data
                with _starting():
                    running[pool.submit(work, item[1])] = item[0]
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()
    except BrokenProcessPool:
        raise KitError(
            "a worker process was killed (out of memory?); the same command goes on, try fewer --workers"
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)  # whoever comes next finds nobody at work


def _live_with(parent: int) -> None:
    """In a worker: Ctrl-C is the parent's matter, and the parent's end is ours (a pool outlives a SIGKILL of its parent)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS)

    def watch():
        while os.getppid() == parent:
            time.sleep(0.05)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextlib.contextmanager
def _starting():
    """While a process may be started: it is not told of the caller's script, which it would run again up to an `if __name__ ==
    "__main__"` that a Kaggler's script lacks; and Ctrl-C waits, which would leave it half told what to do."""
    kept, waiting, former = sys.modules["__main__"], [], {}
    if (
        threading.current_thread() is threading.main_thread()
    ):  # Python runs handlers in this thread alone
        former = {
            number: signal.signal(number, lambda number, _: waiting.append(number))
            for number in ENDS
        }
    mask = signal.pthread_sigmask(
        signal.SIG_BLOCK, ENDS
    )  # the new process has it too, until it is ready
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = kept
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in former.items():
            signal.signal(number, handler)
        for number in waiting:
            signal.raise_signal(number)
