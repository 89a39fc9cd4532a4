"""Each notebook runs once from top to bottom, in a kernel, on the smallest practice competition of
which all its cells show something. The cells that find, pack and train run in this process, too: on
the older mounts, alone, and on what earlier sessions left."""

import contextlib
import hashlib
import json
import os
import re
import shutil
import time
from pathlib import Path

import nbformat
import pytest

from kit.competition.conventions import AIRBUS

pytestmark = pytest.mark.tensorflow

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("1-look", "2-train", "3-submit", "4-full-size-or-256")
TRAIN = {"encoder": "plain", "output": 2, "epochs": 1, "steps": 2, "batch": 2, "crop": 96}
# Its preset asks for weights of ImageNet, which plain has none of.
WISHING = {"preset": "practice", "decoder": None, "then": (), "scale": 1, **TRAIN}
SMALL = {
    "PRACTICE": {"images": 12, "test_images": 2, "seed": 3},
    "PACK": {"folds": 2},
    "TRAIN": TRAIN,
    "TRAIN_PRACTICE": TRAIN,
    "TUNE": {"tta": 4},
    "STEPS": 2,
    "BATCH": 2,
    "CROP": 64,
    "LOOK": 2,
}
# What the fixture `shallow` does, for a kernel.
SHALLOW = "\nimport kit.tf.network.plain\nkit.tf.network.plain.FILTERS = (8, 8)\n"


def read(name: str):
    return nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", 4)


def prepare(name: str, folder: Path, **changes):
    """A notebook with other parameters, which works in a folder."""
    book = read(name)
    values = {**SMALL, "MOUNTS": str(folder / "none"), "WORKING": str(folder), **changes}
    for cell in book.cells:
        if "parameters" in cell.metadata.get("tags", ()):
            own = re.findall(r"\b[A-Z_]+\b(?=.*=)", cell.source)
            cell.source += "".join(f"\n{word} = {values[word]!r}" for word in own if word in values)
    return book


def run(name: str, folder: Path, **changes) -> str:
    """Runs a notebook and returns what it printed.

    Its cells must show the same kinds of output as in the repository.
    """
    from nbclient import NotebookClient

    book = prepare(name, folder, **changes)
    for cell in book.cells:
        if "import kit.tf " in cell.source:
            cell.source = SHALLOW + cell.source
    folder.mkdir(exist_ok=True)
    place = {"metadata": {"path": str(folder)}}
    NotebookClient(book, timeout=None, kernel_name="python3", resources=place).execute()
    for cell, known in zip(book.cells, read(name).cells):
        assert list_kinds(known) <= list_kinds(cell), cell.source
    return "".join(out.get("text", "") for cell in book.cells for out in cell.get("outputs", ()))


def list_kinds(cell) -> set[str]:
    """`stdout`, and the types of all else that a cell shows."""
    outputs = cell.get("outputs", ())
    return {kind for out in outputs for kind in (out.get("name"), *out.get("data", ())) if kind}


@pytest.fixture
def call(shallow, capsys):
    """call(name, words, folder, **changes): executes parts of a notebook in this process.

    These are its parameters and the cells that hold one of the words. Returns what they printed.
    """

    def execute(name: str, words: tuple[str, ...], folder: Path, **changes) -> str:
        names: dict = {}
        alone = {"PACK": {**SMALL["PACK"], "workers": 1}}
        for cell in prepare(name, folder, **alone, **changes).cells:
            chosen = any(word in cell.source for word in ("MOUNTS = ", *words))
            if chosen and cell.cell_type == "code":
                exec(compile(cell.source, name, "exec"), names)
        return capsys.readouterr().out

    return execute


def list_contents(folder: Path) -> dict[Path, str]:
    def describe(path):
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""

    return {path: describe(path) for path in folder.rglob("*")}


@contextlib.contextmanager
def attached(inputs: Path, practice: Path, place: Path, *outputs: Path):
    """The practice competition at a place of the inputs, and folders of earlier sessions.

    All are read-only, as mounts are (which stops all but root), and unchanged afterwards.
    """
    shutil.copytree(practice, place)
    for number, output in enumerate(outputs):
        shutil.copytree(output, inputs / f"output{number}")
    for path in (inputs, *inputs.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = list_contents(inputs)
    yield {"MOUNTS": str(inputs), "SCRATCH": str(inputs.with_name("scratch"))}
    assert list_contents(inputs) == before


def read_history(working: Path) -> list[str]:
    return (working / "model" / "history.csv").read_text().splitlines()


def list_leftovers(working: Path) -> list[Path]:
    """Records and maps, of which real data give thousands of files."""
    return [*working.rglob("*.tfrecord*"), *working.rglob("maps*")]


def test_look(tmp_path):
    text = run("1-look", tmp_path)
    assert "so this works on a practice competition" in text and "the kit's folds: 0.0%" in text
    assert (tmp_path / "data.html").is_file()


@pytest.fixture(scope="module")
def trained(practice, once) -> Path:
    """A folder with what 2-train leaves in `working`, and beside it what it `printed`.

    Its data are mounted at the newer place.
    """

    def make(folder):
        inputs = folder / "input"
        with attached(inputs, practice, inputs / "competitions" / AIRBUS.kaggle) as places:
            places["TRAIN"] = WISHING
            (folder / "printed").write_text(run("2-train", folder / "working", **places))

    return once("trained", make) / "working"


def test_train(trained):
    text, place = (
        trained.with_name("printed").read_text(),
        trained.parent / "input" / "competitions",
    )
    assert f"the competition's data are at {place / AIRBUS.kaggle}" in text
    assert "this is not Kaggle" not in text and "an output of an earlier session" not in text
    assert "begins from random weights, since --encoder-weights imagenet: the encoder plain" in text
    assert len(read_history(trained)) == 2 and not list_leftovers(trained)


def test_submit_with_the_output_of_train_on_an_older_mount(trained, practice, tmp_path):
    inputs, working = tmp_path / "input", tmp_path / "working"
    with attached(inputs, practice, inputs / AIRBUS.kaggle, trained) as places:
        text = run("3-submit", working, **places)
    assert f"the competition's data are at {inputs / AIRBUS.kaggle}" in text
    assert "an output of an earlier session" in text and "no trained model is attached" not in text
    assert "fine. 4 images" in text and read_history(working) == read_history(trained)
    assert all(
        (working / name).is_file() for name in ("submission.csv", "report.html", "worst.png")
    )
    assert not list_leftovers(working)


def test_submit_alone_trains_first(call, tmp_path):
    text = call("3-submit", ("open_session", "kit.tune", "kit.predict"), tmp_path)
    assert "this is not Kaggle" in text and "no trained model is attached" in text
    assert "epoch 1/1" in text and len(read_history(tmp_path)) == 2
    assert "fine. 2 images" in text and not list((tmp_path / "model").rglob("maps*"))


def test_full_size_or_256_on_an_older_mount(practice, tmp_path):
    inputs, working = tmp_path / "input", tmp_path / "working"
    with attached(inputs, practice, inputs / AIRBUS.kaggle) as places:
        text = run("4-full-size-or-256", working, **places)
    assert f"the competition's data are at {inputs / AIRBUS.kaggle}" in text
    assert "this is not Kaggle" not in text and "shrunk - full: " in text
    assert "full and shrunk" in (working / "full-or-256.html").read_text()
    assert not list_leftovers(working)


def test_full_size_or_256_alone_says_when_it_is_not_finished(call, tmp_path):
    cells, stopped = ("open_session", "kit.pages.comparison"), {**TRAIN, "max_hours": 1e-9}
    text = call("4-full-size-or-256", cells, tmp_path, TRAIN_PRACTICE=stopped)
    assert "so this works on a practice competition" in text
    assert "full is not finished: run this notebook again" in text
    assert not (tmp_path / "shrunk").exists() and not list(tmp_path.glob("*.html"))


def test_an_earlier_output_goes_on(call, trained, practice, tmp_path):
    settings = {"TRAIN": {**WISHING, "epochs": 2}}
    inputs, working = tmp_path / "two" / "input", tmp_path / "two" / "working"
    with attached(inputs, practice, inputs / "competitions" / AIRBUS.kaggle, trained) as places:
        text = call("2-train", ("open_session", "kit.train("), working, **places, **settings)
    assert (
        "an output of an earlier session" in text
        and "epoch 2/2" in text
        and "epoch 1/2" not in text
    )
    history = read_history(working)
    assert len(history) == 3 and history[:2] == read_history(trained)

    inputs, last = tmp_path / "three" / "input", tmp_path / "three" / "working"
    with attached(
        inputs, practice, inputs / "competitions" / AIRBUS.kaggle, trained, working
    ) as places:
        text = call("3-submit", ("open_session",), last, **places, **settings)
    assert f"continues with {inputs / 'output1' / 'model'}" in text and "epoch" not in text
    assert read_history(last) == history


@pytest.mark.parametrize("layout", ["", "competitions"])
def test_look_at_each_layout_of_mounts(call, practice, tmp_path, layout):
    inputs, working = tmp_path / "input", tmp_path / "working"
    with attached(inputs, practice, inputs / layout / AIRBUS.kaggle) as places:
        text = call("1-look", ("open_session", "kit.report"), working, **places)
    assert f"the competition's data are at {inputs / layout / AIRBUS.kaggle}" in text
    assert "this is not Kaggle" not in text and (working / "data.html").is_file()


def test_interrupting_a_cell_saves_the_training(records, tmp_path):
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(kernel_name="python3", cwd=str(tmp_path))
    try:
        settings = {**TRAIN, "steps": 100_000, "save_minutes": 0}
        train = f"kit.train({str(records)!r}, 'model', **{settings!r})"
        client.execute(f"import kit{SHALLOW}{train}\nprint('the cell went on')")
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
    assert "stopped by SIGINT in epoch 1" in text and "run the same command again to resume" in text
    assert (tmp_path / "model" / "last.weights.h5").is_file()


@pytest.mark.parametrize("name", NAMES)
def test_each_says_what_to_attach_and_how_long_it_takes(name):
    book = json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text())
    head = "".join(book["cells"][0]["source"])
    assert all(word in head for word in ("**Attach**", "**Takes**", "**Expect**"))
    about = json.loads((ROOT / "notebooks" / "kernels" / name / "kernel-metadata.json").read_text())
    assert (
        about["enable_gpu"]
        and not about["enable_internet"]
        and about["competition_sources"] == [AIRBUS.kaggle]
    )
    code = ROOT / "notebooks" / "kernels" / name / about["code_file"]
    assert os.path.samefile(code, ROOT / "notebooks" / f"{name}.ipynb")


def test_the_open_loop_is_short():
    book = json.loads((ROOT / "notebooks" / "2-train.ipynb").read_text())
    (loop,) = [
        "".join(cell["source"])
        for cell in book["cells"]
        if "GradientTape" in "".join(cell["source"])
    ]
    assert len(loop.splitlines()) <= 40


@pytest.mark.parametrize("name", NAMES)
def test_each_shows_what_it_made_of_a_practice_competition(name):
    book = json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text())
    outputs = [output for cell in book["cells"] for output in cell.get("outputs", ())]
    assert all(cell["execution_count"] for cell in book["cells"] if cell["cell_type"] == "code")
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert not any(
        output["output_type"] == "error" or "<iframe" in str(output) for output in outputs
    )
    assert not re.search(r"/(root|home|tmp/tmp)", str(outputs))  # where they ran
    assert "this is not Kaggle" in str(outputs) and len(json.dumps(outputs)) < 3_000_000
