"""Whole models leave Python: as `.keras` files, and by way of ONNX."""

import ast
import subprocess
import sys

import numpy as np
import pytest

from kit.tf.network.unet import unet
from tests.conftest import ROOT
from tests.tf.network.conftest import NARROW, noise

LOADING = """
import sys
import kit, kit.tf
import keras
import numpy as np
for encoder in sys.argv[1:]:
    network = keras.models.load_model(f"{encoder}.keras")
    images, maps = (np.load(f"{encoder}-{part}.npy") for part in ("images", "maps"))
    assert np.array_equal(network(images), maps), encoder
"""


def test_a_whole_model_is_loaded_by_keras_once_the_kit_is_imported(tmp_path):
    encoders = ("efficientnetb0", "seresnext50")  # their layers are those that need replacing
    for encoder in encoders:
        network, images = unet(encoder, filters=NARROW, scale=2), noise(1, 70, 51)
        network.save(tmp_path / f"{encoder}.keras")
        np.save(tmp_path / f"{encoder}-images.npy", images)
        np.save(tmp_path / f"{encoder}-maps.npy", network(images))
    command = [sys.executable, "-c", LOADING, *encoders]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", sorted((ROOT / "kit" / "tf").rglob("*.py")))
def test_no_negative_number_is_divided_in_a_graph(path):
    """-12 % 32 is 20 in TensorFlow and -12 in ONNX, whose integer division rounds towards 0."""
    divisions = (ast.Mod, ast.FloorDiv) if path.parent.name == "network" else ast.Mod
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.BinOp) and isinstance(node.op, divisions):
            assert not isinstance(node.left, ast.UnaryOp), f"line {node.lineno}"
