"""The notebooks run from top to bottom, on practice competitions in small settings."""

import hashlib
import json
import os
import re
import shutil
import time
from pathlib import Path

import pytest

from kit.competition import AIRBUS

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("1-look", "2-train", "3-submit", "4-full-size-or-256")
TRAIN = {"encoder": "slim", "epochs": 1, "steps": 2, "batch": 2, "crop": 96}
SMALL = {
    "PRACTICE": {"images": 24, "test_images": 2, "seed": 3},
    "PACK": {"folds": 2},
    "TRAIN": TRAIN,
    "TRAIN_PRACTICE": TRAIN,
    "TUNE": {"options": [], "tta": 4},
    "STEPS": 2,
    "BATCH": 2,
    "CROP": 64,
    "LOOK": 2,
}


def run(name: str, folder: Path, **changes) -> str:
    """Runs a notebook with other parameters in a folder; returns what it printed."""
    import nbformat
    from nbclient import NotebookClient

    book = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", 4)
    for cell in book.cells:
        if "parameters" in cell.metadata.get("tags", ()):
            values = {**SMALL, "MOUNTS": str(folder / "none"), "WORKING": str(folder), **changes}
            own = [word for word in values if re.search(rf"^({word}\b|[A-Z, ]*\b{word}\b.*=)", cell.source, re.M)]
            cell.source += "".join(f"\n{word} = {values[word]!r}" for word in own)
    folder.mkdir(exist_ok=True)
    NotebookClient(book, timeout=None, kernel_name="python3", resources={"metadata": {"path": str(folder)}}).execute()
    return "".join(out.get("text", "") for cell in book.cells if cell.cell_type == "code" for out in cell.outputs)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Where the notebooks run one after another, as in one session."""
    return tmp_path_factory.mktemp("session")


def test_look(folder):
    text = run("1-look", folder)
    assert "so this works on a practice competition" in text and "the kit's folds: 0.0%" in text
    assert (folder / "data.html").is_file()


def test_submit_alone_trains_first(folder):
    text = run("3-submit", folder)
    assert "no trained model is attached" in text and "epoch 1/1" in text and "fine. 2 images" in text
    assert all((folder / name).is_file() for name in ("submission.csv", "report.html", "worst.png", "model/history.csv"))
    assert not list(folder.rglob("maps*"))  # thousands of files, on real data


def test_full_size_or_256(folder):
    text = run("4-full-size-or-256", folder)
    assert "shrunk - full: " in text and "full and shrunk" in (folder / "full-or-256.html").read_text()
    assert not list(folder.rglob("maps*"))


def list_contents(folder: Path) -> dict[Path, str]:
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "" for path in sorted(folder.rglob("*"))}


def protect(inputs: Path) -> None:
    """As mounts are; which stops all but root."""
    for path in (inputs, *inputs.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)


def test_attached_data_are_read_where_they_are_and_an_earlier_output_goes_on(practice, tmp_path):
    inputs, place = tmp_path / "input", tmp_path / "input" / "competitions" / AIRBUS.kaggle
    shutil.copytree(practice, place)
    history = []
    for session, (name, epochs) in enumerate((("2-train", 1), ("2-train", 2), ("3-submit", 2))):
        protect(inputs)
        before, working = list_contents(inputs), tmp_path / f"working{session}"
        places = {"MOUNTS": str(inputs), "WORKING": str(working), "SCRATCH": str(tmp_path / f"scratch{session}")}
        text = run(name, working, TRAIN={**TRAIN, "epochs": epochs}, **places)
        assert f"the competition's data are at {place}" in text and ("an output of an earlier session" in text) == (session > 0)
        assert list_contents(inputs) == before and not list(working.rglob("*.tfrecord*")) and not list(working.rglob("maps*"))
        history.append((working / "model" / "history.csv").read_text().splitlines())
        inputs.chmod(0o755)
        shutil.copytree(working, inputs / f"output{session}")
    assert "fine. 4 images" in text
    assert [len(rows) for rows in history] == [2, 3, 3] and history[1][:2] == history[0] and history[2] == history[1]


@pytest.mark.parametrize(("name", "layout"), [("1-look", ""), ("4-full-size-or-256", ""), ("1-look", "competitions")])
def test_the_older_layout_of_mounts_too(practice, tmp_path, name, layout):
    inputs, place = tmp_path / "input", tmp_path / "input" / layout / AIRBUS.kaggle
    shutil.copytree(practice, place)
    protect(inputs)
    before = list_contents(inputs)
    text = run(name, tmp_path / "working", MOUNTS=str(inputs), SCRATCH=str(tmp_path / "scratch"))
    assert f"the competition's data are at {place}" in text and "this is not Kaggle" not in text
    assert list_contents(inputs) == before and list((tmp_path / "working").glob("*.html"))


def test_interrupting_a_cell_saves_the_training(records, tmp_path):
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(kernel_name="python3", cwd=str(tmp_path))
    try:
        settings = {**TRAIN, "steps": 100_000, "save_minutes": 0}
        client.execute(f"import kit, kit.tf\nkit.train({str(records)!r}, 'model', **{settings!r})\nprint('the cell went on')")
        text, asked = "", False
        while "the cell went on" not in text:
            asked = asked or len(list((tmp_path / "model" / "state").glob("step-*"))) > 1
            if asked is True:
                manager.interrupt_kernel()
                asked = "done"
            if client.iopub_channel.msg_ready():
                message = client.get_iopub_msg()
                assert message["msg_type"] != "error", message["content"]
                text += message["content"].get("text", "")
            time.sleep(0.01)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert "stopped by SIGINT in epoch 1" in text and "the same command goes on" in text
    assert (tmp_path / "model" / "last.weights.h5").is_file()


@pytest.mark.parametrize("name", NAMES)
def test_each_says_what_to_attach_and_how_long_it_takes(name):
    book = json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text())
    head = "".join(book["cells"][0]["source"])
    assert all(word in head for word in ("**Attach**", "**Takes**", "**Expect**"))
    about = json.loads((ROOT / "notebooks" / "kernels" / name / "kernel-metadata.json").read_text())
    assert about["enable_gpu"] and not about["enable_internet"] and about["competition_sources"] == [AIRBUS.kaggle]
    code = ROOT / "notebooks" / "kernels" / name / about["code_file"]
    assert os.path.samefile(code, ROOT / "notebooks" / f"{name}.ipynb")


def test_the_open_loop_is_short():
    book = json.loads((ROOT / "notebooks" / "2-train.ipynb").read_text())
    (loop,) = ["".join(cell["source"]) for cell in book["cells"] if "GradientTape" in "".join(cell["source"])]
    assert len(loop.splitlines()) <= 40


@pytest.mark.parametrize("name", NAMES)
def test_each_shows_what_it_made_of_a_practice_competition(name):
    book = json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text())
    outputs = [output for cell in book["cells"] for output in cell.get("outputs", ())]
    assert all(cell["execution_count"] for cell in book["cells"] if cell["cell_type"] == "code")
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert not any(output["output_type"] == "error" or "<iframe" in str(output) for output in outputs)
    assert not re.search(r"/(root|home|tmp/tmp)", str(outputs))  # where they ran
    assert "this is not Kaggle" in str(outputs) and len(json.dumps(outputs)) < 3_000_000
