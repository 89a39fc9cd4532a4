"""Slips in the code, and the proof that the tests catch them.

    python tests/slips.py                     # apply each slip of slips.toml to a copy of the tree
    python tests/slips.py --only muon         # only slips whose file or new line contains the word
    python tests/slips.py --tree ../other     # another checkout and its tests
    python tests/slips.py --draw 9 --seed 3   # print slips drawn at random, without tests

It takes minutes, so `make test` leaves it out. A slip replaces one line of a file. It is caught if
one of the tests that it names fails. If a test is missing, cannot be collected or hangs, that is a
fault of the slip. The exit status is 0 only if all slips are caught.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(__file__).with_name("slips.toml")
LEFT_OUT = (".*", "build", "dist", "demo", "wheels", "*.egg-info", "submissions")  # not copied
MINUTES = 10  # if the tests of a slip take longer, they hang
CAUGHT, SURVIVED, HANGS = "caught", "SURVIVED", "FAULT: hangs"
VERDICTS = {0: SURVIVED, 1: CAUGHT, None: HANGS, 4: "FAULT: a test is not there"}
WIDTH = 100  # no longer line is drawn, since a formatter may break it
TURNED = {  # each comparison: as it is, and as it slips
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
}


@dataclass(frozen=True)
class Slip:
    """One line of a file replaced by another, both without their indentation."""

    file: str  # relative to the tree
    old: str  # exactly one line of the file has this text
    new: str
    tests: list[str]  # ids of pytest, one of which must fail
    drawn: bool  # by `draw`, not chosen by hand

    def apply(self, text: str) -> str:
        """The file's text with the slip; ValueError if the old line is not there exactly once."""
        lines = text.splitlines(keepends=True)
        places = [place for place, line in enumerate(lines) if line.strip() == self.old]
        if len(places) != 1:
            raise ValueError(f"{len(places)} lines are {self.old!r}, expected one")
        lines[places[0]] = lines[places[0]].replace(self.old, self.new)
        return "".join(lines)


def read_slips() -> list[Slip]:
    """The slips of slips.toml."""
    return [Slip(**fields) for fields in tomllib.loads(DATA.read_text(encoding="utf-8"))["slip"]]


def find_faults(slips: list[Slip], tree: Path) -> list[str]:
    """What is wrong with the slips; runs no test."""
    faults = []
    for slip in slips:
        try:
            ast.parse(slip.apply((tree / slip.file).read_text(encoding="utf-8")))
            if slip.new == slip.old or not slip.tests:
                raise ValueError(f"{slip.new!r} changes nothing or names no test")
            for test in slip.tests:
                if not (tree / test.partition("::")[0]).is_file():
                    raise ValueError(f"{slip.new!r} names {test}, whose file is missing")
        except (OSError, SyntaxError, ValueError) as error:
            faults.append(f"{slip.file}: {error}")
    return faults


def copy_tree(tree: Path, target: Path) -> None:
    """Copies a checkout and its bytecode caches, which stay valid: files keep their times."""

    def leave_out(folder: str, names: list[str]) -> set[str]:
        return ignore(folder, names) if Path(folder) == tree else set()

    ignore = shutil.ignore_patterns(*LEFT_OUT)
    shutil.copytree(tree, target, ignore=leave_out)


def write_slip(slip: Slip, tree: Path) -> None:
    """Changes a file of a copy; drops numba's caches if the file has compiled functions."""
    path = tree / slip.file
    text = slip.apply(path.read_text(encoding="utf-8"))
    path.write_text(text, encoding="utf-8")
    if re.search(r"\b(compiled|inlined|njit|jit)\b", text):
        for cache in (tree / "kit").rglob("__pycache__/*.nb?"):
            cache.unlink()


def run_python(tree: Path, *arguments: str) -> tuple[int | None, str]:
    """Runs Python with the modules of a copy: exit status (None if it hangs) and output."""
    hidden = ("PYTHONDONTWRITEBYTECODE", "NUMBA_CACHE_DIR")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=tree,
        env=environment | {"PYTHONPATH": str(tree)},  # before the installed kit, in children too
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=60 * MINUTES)
        return process.returncode, output
    except subprocess.TimeoutExpired:
        return None, ""
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its children, too, which may outlive it
        process.wait()


def run_tests(tree: Path, tests: list[str]) -> tuple[int | None, str]:
    """Runs tests of a copy, with any mark, up to the first failure: exit status and output."""
    options = ("-q", "-x", "-p", "no:cacheprovider", "--hypothesis-seed=0", "--tb=short", "-m", "")
    return run_python(tree, "-m", "pytest", *options, *tests)


def check(slips: list[Slip], tree: Path) -> int:
    """Applies each slip to a copy of the tree, runs its tests, and returns the exit status."""
    begun = time.monotonic()
    if faults := find_faults(slips, tree):
        print(*faults, f"{len(faults)} faults", sep="\n")
        return 2
    with tempfile.TemporaryDirectory(prefix="slips-") as scratch:
        clean = Path(scratch, "clean")
        copy_tree(tree, clean)
        if (tree.parent / "shared").is_dir():  # real images for the tests that use them
            Path(scratch, "shared").symlink_to((tree.parent / "shared").resolve())
        _, imported = run_python(clean, "-c", "import kit; print(kit.__file__)")
        if not Path(imported.strip()).is_relative_to(clean):
            print(f"python imports {imported.strip()} instead of the copy {clean}")
            return 2
        status, output = run_tests(clean, sorted({test for slip in slips for test in slip.tests}))
        print(output.strip().rpartition("\n")[2], "without a slip", flush=True)
        if status != 0:
            print(output)
            return 2
        verdicts = [judge(slip, clean, f"{k}/{len(slips)}") for k, slip in enumerate(slips, 1)]
    caught, survived = verdicts.count(CAUGHT), verdicts.count(SURVIVED)
    seconds = time.monotonic() - begun
    print(f"{len(slips)} slips, {caught} caught, {survived} survived, {seconds:.0f} s")
    return 0 if caught == len(slips) else 1


def judge(slip: Slip, clean: Path, number: str) -> str:
    """Runs a slip's tests on a copy that has it, and prints the verdict."""
    begun, copy = time.monotonic(), clean.with_name("copy")
    copy_tree(clean, copy)
    write_slip(slip, copy)
    status, output = run_tests(copy, slip.tests)
    shutil.rmtree(copy)
    verdict = VERDICTS.get(status, f"FAULT: pytest ends with {status}")
    seconds = time.monotonic() - begun
    print(f"{number:>7}  {verdict}  {seconds:5.1f} s  {slip.file}: {slip.new}", flush=True)
    if verdict != CAUGHT:
        print(f"    instead of {slip.old}", *slip.tests, *output.splitlines()[-20:], sep="\n    ")
    return verdict


def find_candidates(text: str, file: str) -> Iterator[tuple[str, Slip]]:
    """The kind and the slip of each comparison, number and return that one line can change."""
    lines = text.splitlines()
    stripped = [line.strip() for line in lines]
    tree = ast.parse(text)
    said = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr | ast.Raise)]
    hidden = {id(part) for node in said for part in ast.walk(node)}  # only texts for people
    for node in ast.walk(tree):
        found = None if id(node) in hidden else find_change(node)
        if found is None:
            continue
        kind, (row, begin, last, end), change = found
        line, old = lines[row - 1], stripped[row - 1]
        if row == last and len(line) <= WIDTH and stripped.count(old) == 1:
            data = line.encode()  # columns count bytes
            new = data[:begin] + change(data[begin:end].decode()).encode() + data[end:]
            yield kind, Slip(file, old, new.decode().strip(), [], True)


def find_change(node: ast.AST) -> tuple[str, tuple, Callable[[str], str]] | None:
    """What `draw` changes in a node: its kind, the span and how; None if nothing."""
    if isinstance(node, ast.Compare):
        old, new = TURNED[type(node.ops[0])]
        left, right = node.left, node.comparators[0]
        span = left.end_lineno, left.end_col_offset, right.lineno, right.col_offset
        return "comparison", span, lambda text: text.replace(old, new, 1)
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        number = node.value + 1 if isinstance(node.value, int) else 2 * node.value or 1.0
        return "number", locate(node), lambda _: str(number)
    if isinstance(node, ast.Return) and node.value is not None:
        logical = isinstance(node.value, ast.Compare | ast.BoolOp)
        return "return", locate(node.value), lambda text: f"not ({text})" if logical else "None"
    return None


def locate(node) -> tuple[int, int, int, int]:
    """Line and column where a node begins and ends."""
    return node.lineno, node.col_offset, node.end_lineno, node.end_col_offset


def draw(number: int, seed: int, tree: Path) -> None:
    """Prints slips in the form of slips.toml: of random files a random kind, one slip of it."""
    rng = random.Random(seed)
    files = sorted(path.relative_to(tree).as_posix() for path in (tree / "kit").rglob("*.py"))
    rng.shuffle(files)
    for file in files:
        kinds: dict[str, list[Slip]] = {}
        for kind, slip in find_candidates((tree / file).read_text(encoding="utf-8"), file):
            kinds.setdefault(kind, []).append(slip)
        if kinds and number > 0:
            number -= 1
            print(format_slip(rng.choice(kinds[rng.choice(sorted(kinds))])))


def format_slip(slip: Slip) -> str:
    """A slip in the form of slips.toml."""
    fields = {name: getattr(slip, name) for name in ("file", "old", "new", "tests", "drawn")}
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in fields.items()]
    return "\n".join(["[[slip]]", *lines, ""])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--only", default="", metavar="WORD", help="only slips with WORD in file or new line"
    )
    parser.add_argument("--tree", default=ROOT, type=Path, help="another checkout")
    parser.add_argument(
        "--draw", default=0, type=int, metavar="N", help="print N slips drawn at random"
    )
    parser.add_argument("--seed", default=0, type=int, help="seed of --draw")
    asked = parser.parse_args()
    if asked.draw:
        draw(asked.draw, asked.seed, asked.tree.resolve())
        return 0
    slips = [slip for slip in read_slips() if asked.only in slip.file or asked.only in slip.new]
    if not slips:
        parser.error(f"--only {asked.only}: no slip contains it")
    return check(slips, asked.tree.resolve())


if __name__ == "__main__":
    sys.exit(main())
