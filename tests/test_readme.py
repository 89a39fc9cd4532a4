"""The README's Python runs as it stands."""

import re
from pathlib import Path

import numpy as np

from kit import dense, masks, rows

ROOT = Path(__file__).resolve().parents[1]


def test_the_example_of_the_light_core_runs(tmp_path, monkeypatch):
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    monkeypatch.chdir(tmp_path)
    image = np.zeros((768, 768), bool)
    image[10:20, 30:90] = image[300:330, 40:48] = True
    truth = dense.from_masks(["a.jpg", "b.jpg"], [image[None], np.zeros((0, 768, 768), bool)])
    text = rows.format_csv(truth)
    for name in ("train_ship_segmentations_v2.csv", "sample_submission_v2.csv"):
        Path(name).write_bytes(text)
    Path("theirs.csv").write_bytes(text + b"c.jpg,0 1\n")
    known = {"ids": truth.ids, "maps": [image.astype(np.float32), 0 * image.astype(np.float32)], "scenes": np.array([0, 1])}
    known |= {"labels": dense.to_labels(truth, 0), "predicted_mask": image}
    exec(code, known)
    assert len(known["problems"]) == 1 and len(known["masks"]) == 3 and masks.count_objects(known["found"]).tolist() == [2, 0]
    assert rows.read_csv("out.csv") == known["found"] and known["fits"].shape == (2, 6)
