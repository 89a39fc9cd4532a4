"""Compiling to machine code: numba's `njit` with a cache on disk where one can be written, without one elsewhere."""

import functools
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


@functools.cache
def _say_uncached() -> None:
    print(
        "kit: no folder for numba's cache is writable; functions are compiled anew (seconds) at every start",
        file=sys.stderr,
    )


def compiled(function: Function) -> Function:
    """`function` compiled by numba on its first call; it releases the GIL, so worker threads run side by side.

    A compiled function calls only those of its own file: numba's cache looks at that file alone, and would keep the old code of others.
    """
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # numba finds no place for its cache (a read-only install and home)
        _say_uncached()
        return numba.njit(nogil=True)(function)


def inlined(function: Function) -> Function:
    """`function` written into each compiled one that calls it: for small parts of a hot loop that take many arrays."""
    return numba.njit(inline="always")(function)
