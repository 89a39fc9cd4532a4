"""Whatever takes an iterable of arrays holds one of them at a time."""

import weakref

import numpy as np
import pytest

from kit.errors import KitError
from kit.masks import dense
from kit.masks.stream import visit
from kit.objects.components import find_components
from kit.objects.extraction import find_objects
from kit.objects.rectangles import fit_rectangles

NUMBER = 12
NAMES = [str(place) for place in range(NUMBER)]


class Feed:
    """A generator of arrays that sees how many of them are alive when the next one is made."""

    def __init__(self, make):
        self.make, self.known, self.most = make, [], 0

    def __iter__(self):
        for _ in range(NUMBER):
            yield self.give()

    def give(self):
        self.most = max(self.most, sum(one() is not None for one in self.known))
        array = self.make()
        self.known.append(weakref.ref(array))
        return array


TRUTH = dense.from_masks(NAMES, [np.ones((2, 3, 4), bool)[:1]] * NUMBER)
TAKERS = {
    "find_objects": (lambda feed: find_objects(NAMES, feed), np.float32),
    "find_components": (lambda feed: find_components(NAMES, feed), np.uint8),
    "fit_rectangles": (lambda feed: fit_rectangles(TRUTH, feed)[0], np.float32),
    "from_labels": (lambda feed: dense.from_labels(NAMES, feed), int),
    "from_masks": (lambda feed: dense.from_masks(NAMES, feed, [[0]] * NUMBER), bool),
}


@pytest.mark.parametrize("name", TAKERS)
def test_of_a_generator_one_array_is_alive_at_a_time(name):
    take, kind = TAKERS[name]
    shape = (1, 3, 4) if name == "from_masks" else (3, 4)
    feed = Feed(lambda: np.full(shape, 255 if kind == np.uint8 else 1, kind))
    found = take(feed)
    assert len(feed.known) == NUMBER and feed.most == 0  # none is left when the next one is made
    assert found.start.tolist() == [0] * NUMBER and found.length.tolist() == [12] * NUMBER


@pytest.mark.parametrize("name", TAKERS)
def test_numbers_that_differ_are_named(name):
    take, kind = TAKERS[name]
    array = np.zeros((1, 3, 4) if name == "from_masks" else (3, 4), kind)
    for number, words in ((NUMBER - 1, "12 ids for 11"), (NUMBER + 1, "12 ids for 13")):
        with pytest.raises(KitError, match=words):
            take([array] * number)
    with pytest.raises(KitError, match="12 ids for 11"):
        take(iter([array] * (NUMBER - 1)))
    with pytest.raises(KitError, match="12 ids, but more"):
        take(iter([array] * (NUMBER + 1)))


def test_what_is_beside_the_arrays_is_counted_before_the_work():
    def never(*_):
        raise AssertionError

    with pytest.raises(KitError, match="2 ids for 1 presences"):
        visit(never, "ab", iter([1, 2]), "maps", presences=[0.5])
    with pytest.raises(KitError, match="1 ids for 0 maps"):
        visit(never, "a", [], "maps", presences=[0.5])
    told = visit(lambda *row: row, iter("ab"), [1, 2], "maps", some=(3, 4), none=None)
    assert told == [("a", 1, 3, None), ("b", 2, 4, None)]
