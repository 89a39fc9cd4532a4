"""The house: imports run only down the rooms, and only kit/tf imports TensorFlow.

The light verbs never load it.
"""

import ast
import re
import subprocess
import sys
import types
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HEAVY = {"tensorflow", "keras", "segmentation_models", "tensorflow_datasets"}
# From the ground up; a room imports from itself and from those before it.
GROUND = "errors fields presets encoders cuts settings"
TF = "tf.failures tf.environment tf.data tf.network tf.devices tf.inference tf.training"
ROOMS = (
    f"{GROUND} system masks competition practice objects scoring records plots tuning submission "
    f"models {TF} machine packing pages demo options cli __main__"
).split()
REACHING = {"cli", "demo", "packing", "pages", "machine"}  # they import kit.tf inside of functions
MODULES = {
    ".".join(path.relative_to(ROOT / "kit").with_suffix("").parts): path
    for path in sorted((ROOT / "kit").rglob("*.py"))
    if path.name != "__init__.py"
}


def find_room(module: str) -> str:
    """The room of a module, both without the leading `kit.`."""
    return next(room for room in ROOMS if module == room or module.startswith(f"{room}."))


def list_imports(path: Path) -> Iterator[tuple[str, bool]]:
    """The names that a file imports, and whether importing the file does so at once.

    Names of the kit are in full: `kit.masks.table`.
    """
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((name.name, node in tree.body) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = path.relative_to(ROOT).parts[: -node.level]
                base = ".".join([*parts, *filter(None, [node.module])])
            for name in node.names:
                full = f"{base}.{name.name}"
                yield (full if full.removeprefix("kit.") in MODULES else base), node in tree.body


def list_kit_imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Modules of the kit that a file imports, without the leading `kit.`."""
    for name, at_once in list_imports(path):
        if name.removeprefix("kit.") in MODULES and name.startswith("kit."):
            yield name.removeprefix("kit."), at_once


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_only_down_the_rooms(module):
    for other, at_once in list_kit_imports(MODULES[module]):
        room, told = find_room(module), f"kit.{module} imports kit.{other}"
        assert ROOMS.index(find_room(other)) <= ROOMS.index(room), told
        if other.startswith("tf.") and not module.startswith("tf."):
            assert room in REACHING and not at_once, told


def test_imports_have_no_circle():
    graph = {
        module: {other for other, _ in list_kit_imports(path)} for module, path in MODULES.items()
    }
    # a circle raises CycleError
    assert set(TopologicalSorter(graph).static_order()) == set(MODULES)


def test_packages_import_nothing():
    for path in (ROOT / "kit").rglob("__init__.py"):
        if path.parent not in (ROOT / "kit", ROOT / "kit" / "tf"):
            assert not list(list_imports(path)), path


@pytest.mark.parametrize("module", [module for module in MODULES if not module.startswith("tf.")])
def test_no_module_outside_kit_tf_imports_tensorflow(module):
    assert not HEAVY & {name.split(".")[0] for name, _ in list_imports(MODULES[module])}


@pytest.mark.parametrize("module", MODULES)
def test_a_module_has_tests_of_its_name_or_says_where_they_are(module):
    *rooms, name = module.split(".")
    if not (ROOT / "tests" / Path(*rooms) / f"test_{name}.py").exists():
        first = ast.get_docstring(ast.parse(MODULES[module].read_text())).splitlines()[0]
        named = re.search(r"\(tests: ([\w/]+\.py)\)\.$", first)
        assert named and (ROOT / "tests" / named[1]).exists(), first


def loaded_after(code: str, cwd) -> set[str]:
    command = [sys.executable, "-c", f"{code}\nimport sys; print('\\n'.join(sys.modules))"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def call(*arguments):
    return (
        f"from kit.cli import main\ntry: assert main({list(arguments)}) == 0\n"
        "except SystemExit as stop: assert stop.code == 0"
    )


VERBS = ("demo", "practice", "pack", "train", "tune", "predict", "score", "check", "report")
VERBS += ("encoders",)


@pytest.mark.parametrize(
    "code", ["import kit", call("--help"), *(call(verb, "--help") for verb in VERBS)]
)
def test_import_and_help_load_neither_numba_nor_pandas_nor_tensorflow(code, tmp_path):
    assert not ({"numba", "pandas"} | HEAVY) & loaded_after(code, tmp_path)


def test_score_check_and_encoders_never_load_tensorflow(tmp_path):
    (tmp_path / "a.csv").write_text("ImageId,EncodedPixels\na.jpg,1 2\n")
    calls = call("score", "a.csv", "a.csv"), call("check", "a.csv", "a.csv"), call("encoders")
    assert not HEAVY & loaded_after("\n".join(calls), tmp_path)


def test_workers_and_the_check_of_records_never_load_tensorflow(records, tmp_path):
    assert not HEAVY & loaded_after(call("check", str(records)), tmp_path)
    workers = "packing.inspection", "packing.shards", "system.processes", "packing.packing"
    code = "\n".join(f"import kit.{module}" for module in workers)
    assert not HEAVY & loaded_after(code, tmp_path)


@pytest.mark.tensorflow
def test_every_public_name_is_there():
    import kit

    for name in kit.__all__:
        first = getattr(kit, name)
        # a module of that name would hide it
        assert first is getattr(kit, name) and not isinstance(first, types.ModuleType)


@pytest.mark.parametrize(
    ("former", "name"),
    [
        ("find_damage", "check_records"),
        ("inspect_machine", "check_machine"),
        ("tune_folder", "tune_maps"),
    ],
)
def test_former_names_still_work_and_warn(former, name):
    import kit

    with pytest.warns(DeprecationWarning, match=f"kit.{former} is now kit.{name}"):
        assert getattr(kit, former) is getattr(kit, name)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        getattr(kit, "nothing")  # noqa: B009
