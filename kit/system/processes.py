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
    work: Callable[[Any], Any], tasks: Sequence[Any], workers: int | None = None
) -> contextlib.AbstractContextManager[Iterator[tuple[int, Any]]]:
    """For a `with` block: an iterator over (number of the task, work(task)), as tasks finish.

    The results come in no fixed order. After the block no worker is left. An error in one task
    ends all. Workers are spawned: a forked child of a process that ran TensorFlow hangs in its
    first op.

    Args:
        work: a function of a module. It reads nothing but its task, so that it can run anywhere.
        tasks: one argument of `work` per task.
        workers: number of processes; None: one per core.

    Raises:
        KitError: if a worker dies.
    """
    # If an error leaves a loop, the bare generator would be closed only at some later time.
    return contextlib.closing(_run(work, tasks, workers))


def _run(
    work: Callable[[Any], Any], tasks: Sequence[Any], workers: int | None
) -> Generator[tuple[int, Any], None, None]:
    count = min(workers or count_cores(), max(1, len(tasks)))
    pool = ProcessPoolExecutor(
        count, multiprocessing.get_context("spawn"), _live_with, (os.getpid(),)
    )
    waiting = iter(enumerate(tasks))
    running: dict[Future[Any], int] = {}
    try:
        while True:
            # Not more than two per process: tasks hold data.
            while len(running) < 2 * count and (item := next(waiting, None)) is not None:
                with _starting():
                    running[pool.submit(work, item[1])] = item[0]
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()
    except BrokenProcessPool:
        raise KitError(
            "a worker process was killed (out of memory?); "
            "run the same command again to resume, with fewer --workers"
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)  # no worker runs on after the block


def _live_with(parent: int) -> None:
    """Makes a worker ignore Ctrl-C, which the parent handles, and end when its parent ends.

    A pool would outlive a SIGKILL of its parent.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.05)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextlib.contextmanager
def _starting() -> Iterator[None]:
    """A block in which a process may be started.

    The new process is not told of the caller's script: it would run the script again up to an
    `if __name__ == "__main__"`, which a Kaggler's script lacks. Ctrl-C waits until the block ends:
    otherwise it could leave a process that received only half of its task.
    """
    kept, waiting, former = sys.modules["__main__"], list[int](), {}
    if threading.current_thread() is threading.main_thread():  # the only one that runs handlers
        former = {
            number: signal.signal(number, lambda number, _: waiting.append(number))
            for number in ENDS
        }
    # The new process inherits this mask and keeps it until it is ready.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = kept
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in former.items():
            signal.signal(number, handler)
        for delayed in waiting:
            signal.raise_signal(delayed)
