"""Arrays that come one per image, from a list or a generator: only one is held at a time."""

from collections.abc import Callable, Iterable, Sized
from typing import Any, TypeVar

from ..errors import KitError

Made = TypeVar("Made")
ENDED: Any = object()


def visit(
    work: Callable[..., Made],
    ids: Iterable[str],
    arrays: Iterable[Any],
    what: str,
    **beside: Iterable[Any] | None,
) -> list[Made]:
    """What `work(id, array, *beside)` returns for each image, in order.

    An array is released before the next one is asked for, so a generator needs memory for one.

    Args:
        work: what to do with an image.
        ids: one per image.
        arrays: one per image.
        what: the arrays' name in errors, plural.
        **beside: further values, one per image, by their plural names; None: a None per image.

    Raises:
        KitError: if the numbers differ. For arrays without a length, that is known at the end.
    """
    names = list(ids)
    columns = {
        word: [None] * len(names) if values is None else list(values)
        for word, values in beside.items()
    }
    for word, values in [(what, arrays), *columns.items()]:
        if isinstance(values, Sized) and len(values) != len(names):
            raise KitError(f"{len(names)} ids for {len(values)} {word}")
    feed, made = iter(arrays), list[Made]()
    for place, row in enumerate(zip(names, *columns.values())):
        array = next(feed, ENDED)
        if array is ENDED:
            raise KitError(f"{len(names)} ids for {place} {what}")
        made.append(work(row[0], array, *row[1:]))
        del array
    if next(feed, ENDED) is not ENDED:
        raise KitError(f"{len(names)} ids, but more {what}")
    return made
