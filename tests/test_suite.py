"""The tests themselves: each asserts something, none sleeps long, none asserts a duration."""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
CLOCKS = {
    "time",
    "monotonic",
    "perf_counter",
    "process_time",
    "time_ns",
    "monotonic_ns",
    "perf_counter_ns",
    "default_timer",
}
ASSERTING = {"raises", "warns", "fail", "check_call"}
MODULES = [*sorted(TESTS.rglob("*.py"))]


def name_of(node: ast.AST) -> str:
    """`f` of a call of f, a.f or a.b.f."""
    return getattr(node, "attr", getattr(node, "id", ""))


def calls(node: ast.AST) -> set[str]:
    return {name_of(call.func) for call in ast.walk(node) if isinstance(call, ast.Call)}


def asserts(node: ast.AST, helpers: set[str]) -> bool:
    """Whether it asserts by itself or calls one of `helpers`.

    `check=True` counts: it makes a command's failure an error.
    """
    if any(isinstance(part, ast.Assert) for part in ast.walk(node)) or calls(node) & (
        ASSERTING | helpers
    ):
        return True
    checks = [
        word for word in ast.walk(node) if isinstance(word, ast.keyword) and word.arg == "check"
    ]
    return any(isinstance(word.value, ast.Constant) and word.value.value is True for word in checks)


def list_functions(trees) -> list[ast.FunctionDef]:
    return [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


def list_idle_tests(trees) -> list[str]:
    """Tests that assert nothing, neither themselves nor by a function of the suite that does."""
    functions, helpers = list_functions(trees), set()
    while more := {f.name for f in functions if f.name not in helpers and asserts(f, helpers)}:
        helpers |= more
    return [f.name for f in functions if f.name.startswith("test_") and not asserts(f, helpers)]


def list_long_sleeps(tree) -> list[int]:
    """Lines that sleep for more than 0.2 s, or for a time that is not written there."""
    found = []
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and name_of(call.func) == "sleep":
            (seconds,) = call.args
            if not isinstance(seconds, ast.Constant) or seconds.value > 0.2:
                found.append(call.lineno)
    return found


def list_timed_asserts(tree) -> list[int]:
    """Lines that assert something of a clock, or of a name that was given a value with one."""
    found = []
    for function in list_functions([tree]):
        timed = set()
        for node in ast.walk(function):
            if (
                isinstance(node, ast.Assign | ast.NamedExpr | ast.AugAssign)
                and calls(node.value) & CLOCKS
            ):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                timed |= {
                    part.id
                    for target in targets
                    for part in ast.walk(target)
                    if isinstance(part, ast.Name)
                }
        for node in ast.walk(function):
            if isinstance(node, ast.Assert):
                names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
                if calls(node) & CLOCKS or names & timed:
                    found.append(node.lineno)
    return found


def test_every_test_asserts_something():
    trees = [ast.parse(path.read_text()) for path in MODULES]
    assert len(list_functions(trees)) > 700
    assert list_idle_tests(trees) == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_none_sleeps_long_or_asserts_a_time(path):
    tree = ast.parse(path.read_text())
    assert list_long_sleeps(tree) == []
    assert list_timed_asserts(tree) == []


FAULTY = """
def test_idle():
    work()
def test_that_asks(): verify()
def verify(): again()
def again(): assert 1
def test_that_raises():
    with pytest.raises(KitError): work()
def test_slow():
    time.sleep(0.5); sleep(seconds); time.sleep(0.2)
    begun = time.monotonic()
    assert work()
    took = time.monotonic() - begun
    assert took < 3
    assert time.time() > 0
"""


def test_what_is_forbidden_is_found():
    tree = ast.parse(FAULTY)
    assert list_idle_tests([tree]) == ["test_idle"]
    assert list_long_sleeps(tree) == [10, 10] and list_timed_asserts(tree) == [14, 15]
