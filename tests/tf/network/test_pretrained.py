import hashlib
import re

import pytest

from kit.errors import KitError
from kit.tf.network import pretrained
from kit.tf.network.pretrained import Published, find_encoder_weights, find_published
from kit.tf.training.training import check_settings


@pytest.mark.parametrize(
    ("encoder", "name", "digits"),
    [
        ("resnet18", "resnet18_imagenet_1000_no_top.h5", 32),
        ("resnet34", "resnet34_imagenet_1000_no_top.h5", 32),
        ("seresnext50", "seresnext50_imagenet_1000_no_top.h5", 32),
        (
            "efficientnetb0",
            "efficientnet-b0_weights_tf_dim_ordering_tf_kernels_autoaugment_notop.h5",
            64,
        ),
        ("mobilenetv2", "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5", None),
    ],
)
def test_every_encoder_of_the_library_has_a_file_of_its_own(encoder, name, digits):
    found = find_published(encoder)
    assert (
        found.name == name and found.address.startswith("https://") and found.address.endswith(name)
    )
    assert (
        found.checksum is None
        if digits is None
        else re.fullmatch(f"[0-9a-f]{{{digits}}}", found.checksum)
    )


@pytest.fixture
def published(monkeypatch, tmp_path):
    """A file of weights as if it were published, which nobody can download."""
    wanted = Published(
        "encoder.h5", "https://localhost.invalid/encoder.h5", hashlib.md5(b"weights").hexdigest()
    )
    monkeypatch.setattr(pretrained, "find_published", lambda encoder: wanted)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return wanted


@pytest.mark.parametrize(
    "place",
    ["slug", "slug/folder", "datasets/owner/slug", "datasets/owner/slug/folder", "competitions/c"],
)
def test_an_attached_file_is_found_by_its_name(published, tmp_path, place):
    folder = tmp_path / "input" / place
    folder.mkdir(parents=True)
    (folder / "encoder.h5").write_bytes(b"weights")
    assert find_encoder_weights("imagenet", "resnet34", tmp_path / "input") == str(
        folder / "encoder.h5"
    )


def test_one_that_was_downloaded_before_is_taken(published, tmp_path):
    (tmp_path / "keras" / "models").mkdir(parents=True)
    (tmp_path / "keras" / "models" / "encoder.h5").write_bytes(b"weights")
    assert find_encoder_weights("imagenet", "resnet34", tmp_path / "input") == str(
        tmp_path / "keras" / "models" / "encoder.h5"
    )


def test_a_file_that_is_not_the_published_one_is_refused(published, tmp_path):
    (tmp_path / "input" / "slug").mkdir(parents=True)
    (tmp_path / "input" / "slug" / "encoder.h5").write_bytes(b"weights, cut")
    with pytest.raises(
        KitError,
        match=rf"encoder.h5: damaged.* its checksum is not {published.checksum}.*"
        "--encoder-weights none",
    ):
        find_encoder_weights("imagenet", "resnet34", tmp_path / "input")
    (tmp_path / "input" / "whole").mkdir()
    (tmp_path / "input" / "whole" / "encoder.h5").write_bytes(b"weights")
    assert find_encoder_weights("imagenet", "resnet34", tmp_path / "input") == str(
        tmp_path / "input" / "whole" / "encoder.h5"
    )


def test_without_internet_the_file_to_attach_is_named(published, tmp_path):
    with pytest.raises(
        KitError,
        match=rf"no attached input holds encoder.h5 \(MD5 {published.checksum}\).*attach.*"
        "--encoder-weights none",
    ):
        find_encoder_weights("imagenet", "resnet34", tmp_path / "input")


def test_a_training_is_refused_for_its_weights_before_anything_is_packed(published, tmp_path):
    with pytest.raises(KitError, match="no attached input holds encoder.h5"):
        check_settings(tmp_path / "model", encoder="resnet34", encoder_weights="imagenet", loss=abs)
    assert check_settings(tmp_path / "model", encoder="resnet34", encoder_weights="none")[1] is None
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
