"""Pieces of work that take turns, so that a slow moment of the machine meets all of them."""

import time
from collections import deque
from collections.abc import Callable
from itertools import islice

import numpy as np
from start import choose


def time_work(work: Callable) -> float:
    """Seconds that one call takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def alternate(works: dict[str, Callable], rounds: int) -> dict[str, np.ndarray]:
    """What each piece of work returned in each round; a first round only warms up.

    The smallest size has one round and no warming up.
    """
    seen: dict[str, list] = {name: [] for name in works}
    for _ in range(choose(rounds + 1, 1)):
        for name, work in works.items():
            seen[name].append(work())
    return {name: np.array(values[choose(1, 0) :]) for name, values in seen.items()}


def take_medians(works: dict[str, Callable], rounds: int = 7) -> dict[str, float]:
    """Median seconds of each piece of work."""
    timed = {name: lambda work=work: time_work(work) for name, work in works.items()}
    return {name: float(np.median(seconds)) for name, seconds in alternate(timed, rounds).items()}


def compare_seconds(
    title: str,
    works: dict[str, Callable],
    unit: float,
    word: str,
    bars: dict[str, str] | None = None,
    *,
    per: float = 1,
    rounds: int = 7,
) -> float:
    """Prints the median time of each piece of work and its ratio to the kit's, the first one.

    Args:
        title: what the works have in common.
        works: functions by name.
        unit: the printed unit as a part of a second: 1e3 for ms.
        word: the unit's name.
        bars: the ratio that some peers should reach, by name.
        per: how many images (or other items) one piece of work handles.
        rounds: how often each is timed, after one round to warm up.

    Returns:
        The kit's seconds per item.
    """
    found = take_medians(works, rounds)
    ours = next(iter(found.values()))
    print(f"\n{title}")
    for name, seconds in found.items():
        ratio = "" if seconds == ours else f"   {seconds / ours:9.2f} x kit"
        bar = f"   bar: {bars[name]}" if name in (bars or {}) else ""
        print(f"  {name:56s}{seconds / per * unit:12.3f} {word}{ratio}{bar}", flush=True)
    return ours / per


def spend(work: Callable, images: int, discard: Callable = lambda: None) -> tuple[float, float]:
    """Seconds per image, and CPU seconds of all threads per image.

    `discard` runs before: it uses up what an earlier turn left waiting.
    """
    discard()
    begun, busy = time.perf_counter(), time.process_time()
    work()
    return (time.perf_counter() - begun) / images, (time.process_time() - busy) / images


def draw(batches, number: int, size: int) -> Callable:
    """Work for `alternate`: draws `number` batches of `size` images, or one at the smallest size.

    Six batches go first: they were made while other work was measured.
    """
    feed, number, first = iter(batches), choose(number, 1), choose(6, 0)
    return lambda: spend(
        lambda: deque(islice(feed, number), 0), number * size, lambda: deque(islice(feed, first), 0)
    )


def compare_rates(
    text: str, ours: np.ndarray, peer: np.ndarray, name: str, least: float | None = None
) -> None:
    """Prints both rates, their ratio, and the CPU time; all are medians over the rounds.

    Args:
        text: what is measured.
        ours: what `spend` gave in each round, (rounds, 2).
        peer: the same of the peer.
        name: the peer's name.
        least: the ratio that the kit should reach.
    """
    (mine, my_cpu), (other, other_cpu), (wall, cpu) = (
        np.median(values, axis=0) for values in (ours, peer, peer / ours)
    )
    bar = "" if least is None else f" (at least {least})"
    print(
        f"{text}: {1 / mine:,.1f} images/s, {name} {1 / other:,.1f}, ratio {wall:.2f}{bar}; CPU "
        f"{1000 * my_cpu:.1f} and {1000 * other_cpu:.1f} ms per image, ratio {cpu:.2f}"
    )
