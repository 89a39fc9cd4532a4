"""The one border: only kit/tf imports TensorFlow, and the light verbs never load it."""

import ast
import subprocess
import sys
import types
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HEAVY = {"tensorflow", "keras", "segmentation_models", "tensorflow_datasets"}


def imported_modules(path: Path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def imported_at_the_top(path: Path):
    """Names of modules that a mere import of the file imports relative to it: outside any function."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.level:
            yield node.module or "", [name.name for name in node.names]


LIGHT = [path for path in sorted((ROOT / "kit").rglob("*.py")) if "tf" not in path.relative_to(ROOT).parts]


@pytest.mark.parametrize("path", LIGHT, ids=lambda path: path.name)
def test_no_module_outside_kit_tf_imports_tensorflow(path):
    assert not HEAVY & {name.split(".")[0] for name in imported_modules(path)}
    for module, names in imported_at_the_top(path):
        assert "tf" not in module.split(".") and not (module == "" and "tf" in names)


def loaded_after(code: str, cwd) -> set[str]:
    command = [sys.executable, "-c", f"{code}\nimport sys; print('\\n'.join(sys.modules))"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def call(*arguments):
    return f"from kit.cli import main\ntry: assert main({list(arguments)}) == 0\nexcept SystemExit as stop: assert stop.code == 0"


VERBS = ("demo", "practice", "pack", "train", "tune", "predict", "score", "check", "report")


@pytest.mark.parametrize("code", ["import kit", call("--help"), *(call(verb, "--help") for verb in VERBS)])
def test_import_and_help_load_neither_numba_nor_pandas_nor_tensorflow(code, tmp_path):
    assert not ({"numba", "pandas"} | HEAVY) & loaded_after(code, tmp_path)


def test_score_and_check_never_load_tensorflow(tmp_path):
    (tmp_path / "a.csv").write_text("ImageId,EncodedPixels\na.jpg,1 2\n")
    assert not HEAVY & loaded_after(call("score", "a.csv", "a.csv") + "\n" + call("check", "a.csv", "a.csv"), tmp_path)


def test_workers_and_the_check_of_records_never_load_tensorflow(records, tmp_path):
    assert not HEAVY & loaded_after(call("check", str(records)), tmp_path)
    assert not HEAVY & loaded_after(
        "import kit.packing.inspection, kit.packing.shards, kit.system.processes, kit.packing.packing", tmp_path
    )


@pytest.mark.tensorflow
def test_every_public_name_is_there():
    import kit

    for name in kit.__all__:
        first = getattr(kit, name)
        assert first is getattr(kit, name) and not isinstance(first, types.ModuleType)  # a module of that name would hide it
