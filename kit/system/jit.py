"""Compiling to machine code: numba's `njit`, with its cache on disk if one can be written."""

import functools
import sys
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


@functools.cache
def _say_uncached() -> None:
    print(
        "kit: no folder for numba's cache is writable; "
        "every start compiles its functions again (seconds)",
        file=sys.stderr,
    )


def compiled(function: Function) -> Function:
    """`function`, compiled by numba on its first call.

    It releases the GIL, so worker threads run side by side. A compiled function may call only
    those of its own file: numba's cache looks at that file alone and would keep the old code of
    others.
    """
    try:
        return cast(Function, numba.njit(cache=True, nogil=True)(function))
    except RuntimeError:  # numba finds no place for its cache (a read-only install and home)
        _say_uncached()
        return cast(Function, numba.njit(nogil=True)(function))


def inlined(function: Function) -> Function:
    """`function`, copied into each compiled function that calls it.

    For small parts of a hot loop that take many arrays.
    """
    return cast(Function, numba.njit(inline="always")(function))
