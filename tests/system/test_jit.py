import numba

from kit.system import jit


def add(a, b):
    return a + b


def test_what_is_compiled_computes_the_same():
    assert jit.compiled(add)(1, 2) == jit.inlined(add)(1, 2) == 3


def test_without_a_place_for_the_cache_it_is_compiled_all_the_same_and_said_once(
    monkeypatch, capsys
):
    original = numba.njit

    def refuse(**options):
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return original(**options)

    monkeypatch.setattr(jit.numba, "njit", refuse)
    jit._say_uncached.cache_clear()
    assert jit.compiled(add)(1, 2) == jit.compiled(add)(3, 4) - 4 == 3
    assert capsys.readouterr().err.count("no folder for numba's cache is writable") == 1
