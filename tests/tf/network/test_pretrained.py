import hashlib
import inspect
import socket

import keras
import pytest
from keras.src.applications import convnext, efficientnet_v2, mobilenet, mobilenet_v2, resnet

from kit.encoders import ENCODERS, Published
from kit.errors import KitError
from kit.tf.network import pretrained
from kit.tf.network.pretrained import find_encoder_weights
from kit.tf.training.training import check_settings


def read_source(encoder: str) -> tuple:
    """Name, address and checksum of an encoder's weights, as the installed packages state them."""
    family, _, size = encoder.partition("-")
    if family == "efficientnetv2":
        name, module = f"{encoder}_notop.h5", efficientnet_v2
        key = size if size.startswith("b") else f"-{size}"
        return name, module.BASE_WEIGHTS_PATH + name, module.WEIGHTS_HASHES[key][1]
    if encoder.startswith("convnext"):
        name = f"{encoder}_notop.h5"
        return name, convnext.BASE_WEIGHTS_PATH + name, convnext.WEIGHTS_HASHES[encoder][1]
    if encoder == "resnet50v2":
        name = f"{encoder}_weights_tf_dim_ordering_tf_kernels_notop.h5"
        assert name.removeprefix(encoder) in inspect.getsource(resnet)
        return name, resnet.BASE_WEIGHTS_PATH + name, resnet.WEIGHTS_HASHES[encoder][1]
    if encoder == "mobilenet":
        pattern = "mobilenet_%s_%d_tf_no_top.h5"
        assert pattern in inspect.getsource(mobilenet)
        name = pattern % ("1_0", 224)
        return name, mobilenet.BASE_WEIGHT_PATH + name, None
    if encoder == "mobilenetv2":
        start, end = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_", "_no_top.h5"
        assert start in inspect.getsource(mobilenet_v2) and end in inspect.getsource(mobilenet_v2)
        name = f"{start}1.0_224{end}"
        return name, mobilenet_v2.BASE_WEIGHT_PATH + name, None
    if encoder == "efficientnetb0":
        from efficientnet import model

        name = "efficientnet-b0_weights_tf_dim_ordering_tf_kernels_autoaugment_notop.h5"
        assert name.removeprefix("efficientnet-b0") in inspect.getsource(model)
        return name, model.BASE_WEIGHTS_PATH + name, model.WEIGHTS_HASHES["efficientnet-b0"][1]
    from classification_models.weights import _find_weights

    found = _find_weights(encoder, "imagenet", False)[0]
    return found["name"], found["url"], found["md5"]


@pytest.mark.parametrize(
    "encoder", [name for name, known in ENCODERS.items() if known.weights and known.weights.address]
)
def test_published_weights_are_those_that_the_installed_sources_state(encoder):
    wanted = ENCODERS[encoder].weights
    assert (wanted.name, wanted.address, wanted.checksum) == read_source(encoder)


@pytest.fixture
def published(monkeypatch, tmp_path):
    """A file of weights as if it were published, which nobody can download."""
    wanted = Published(
        "encoder.h5", "https://localhost.invalid/encoder.h5", hashlib.md5(b"weights").hexdigest()
    )
    monkeypatch.setattr(pretrained, "find_published", lambda encoder: wanted)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return wanted


def test_without_internet_the_file_to_attach_is_named(published, tmp_path):
    with pytest.raises(
        KitError,
        match=rf"no attached input holds encoder.h5 \(MD5 {published.checksum}\).*attach.*"
        "--encoder-weights none",
    ):
        find_encoder_weights("imagenet", "resnet34", tmp_path / "input")


def test_an_attached_file_is_taken_before_one_is_downloaded(published, tmp_path, monkeypatch):
    class Reached:
        def close(self):
            pass

    def download(name, address, cache_subdir, file_hash):
        assert (name, address, file_hash) == (published.name, published.address, published.checksum)
        return f"{cache_subdir}/{name}"

    monkeypatch.setattr(socket, "create_connection", lambda *arguments: Reached())
    monkeypatch.setattr(keras.utils, "get_file", download)
    found = find_encoder_weights("imagenet", "resnet34", tmp_path / "input")
    assert found == "models/encoder.h5"
    (tmp_path / "input").mkdir()
    (tmp_path / "input" / "encoder.h5").write_bytes(b"weights")
    found = find_encoder_weights("imagenet", "resnet34", tmp_path / "input")
    assert found == str(tmp_path / "input" / "encoder.h5")


def test_a_training_is_refused_for_its_weights_before_anything_is_packed(
    published, tmp_path, capsys
):
    with pytest.raises(KitError, match="no attached input holds encoder.h5"):
        check_settings(tmp_path / "model", encoder="resnet34", encoder_weights="imagenet", loss=abs)
    assert check_settings(tmp_path / "model", encoder="resnet34", encoder_weights="none")[1] is None
    # A preset asks for what is good to have.
    folder = tmp_path / "preset"
    chosen, path = check_settings(folder, preset="practice", encoder="resnet34")
    said = capsys.readouterr().out
    assert "it begins from random weights, since --encoder-weights imagenet: no attached" in said
    assert said.count("\n") == 1 and path is None and chosen.encoder_weights is None
    # Where it began without them, it goes on without them, though they may have come since.
    folder.mkdir()
    (folder / "config.json").write_text('{"encoder_weights": null}')
    chosen, path = check_settings(folder, preset="practice")
    assert chosen.encoder_weights is None and path is None and not capsys.readouterr().out
    state = tmp_path / "model" / "state" / "step-000000001-00000.npz"
    state.parent.mkdir(parents=True)
    state.touch()
    assert (
        check_settings(tmp_path / "model", encoder="resnet34", encoder_weights="imagenet")[1]
        is None
    )


def test_what_is_no_question_for_published_weights_passes():
    assert (
        find_encoder_weights(None, "resnet34") is None
        and find_encoder_weights("mine.h5", "resnet34") == "mine.h5"
    )
    with pytest.raises(KitError, match="the encoder slim has none"):
        find_encoder_weights("imagenet", "slim")
