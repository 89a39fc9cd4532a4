"""The README's Python runs as it stands."""

import re
from pathlib import Path

import numpy as np
import pytest

from kit.competition import csv_masks, csv_text
from kit.masks import dense, table

NETWORK = 'unet("efficientnetlite0", weights="imagenet", decoder="unet++")'
ROOT = Path(__file__).resolve().parents[1]


def find_example(word: str) -> str:
    """The README's Python that holds a word."""
    (code,) = [
        code
        for code in re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
        if word in code
    ]
    return code


def test_the_example_of_ones_own_network_runs(records, shallow, tmp_path, monkeypatch):
    """With one step and a smaller network."""
    monkeypatch.chdir(tmp_path)
    Path("records").symlink_to(records)
    code = find_example("my_network").replace(
        '"mine",', '"mine", epochs=1, steps=1, batch=2, crop=64,'
    )
    from kit.tf.network.unet import unet

    exec(code, {"my_network": unet("plain")})
    assert (tmp_path / "mine" / "best.weights.h5").is_file()


@pytest.mark.parametrize(
    "call",
    [
        'unet("plain")',
        pytest.param(
            NETWORK, marks=pytest.mark.prove("a step of a whole EfficientNet-Lite, compiled")
        ),
    ],
    ids=["small", "as-it-stands"],
)
def test_the_example_of_keras_own_loop_runs(call, records, shallow, tmp_path, monkeypatch):
    """With one step, and two folds instead of five."""
    monkeypatch.chdir(tmp_path)
    Path("records").symlink_to(records)
    code = find_example("kit.unet")
    for old, new in {
        "[1, 2, 3, 4]": "[1], batch=2, crop=64",
        "steps_per_epoch=100": "steps_per_epoch=1",
        "epochs=5": "epochs=1",
        NETWORK: call,
    }.items():
        assert old in code
        code = code.replace(old, new)
    known = {}
    exec(code, known)
    assert not known["network"].get_layer("encoder").trainable
    assert (tmp_path / "history.csv").read_text().startswith("epoch,loss,val_loss")


def test_the_example_of_the_light_core_runs(tmp_path, monkeypatch):
    code = find_example("read_csv")
    monkeypatch.chdir(tmp_path)
    image = np.zeros((768, 768), bool)
    image[10:20, 30:90] = image[300:330, 40:48] = True
    truth = dense.from_masks(["a.jpg", "b.jpg"], [image[None], np.zeros((0, 768, 768), bool)])
    text = csv_text.format_csv(truth)
    for name in ("train_ship_segmentations_v2.csv", "sample_submission_v2.csv"):
        Path(name).write_bytes(text)
    Path("theirs.csv").write_bytes(text + b"c.jpg,0 1\n")
    known = {
        "ids": truth.ids,
        "maps": [image.astype(np.float32), 0 * image.astype(np.float32)],
        "scenes": np.array([0, 1]),
    }
    known |= {"labels": dense.to_labels(truth, 0), "predicted_mask": image}
    exec(code, known)
    assert (
        len(known["problems"]) == 1
        and len(known["masks"]) == 3
        and table.count_objects(known["found"]).tolist() == [2, 0]
    )
    assert csv_masks.read_csv("out.csv") == known["found"] and known["fits"].shape == (2, 6)
