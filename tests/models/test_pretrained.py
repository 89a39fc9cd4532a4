import hashlib
from dataclasses import replace

import pytest

from kit.encoders import ENCODERS, Published
from kit.errors import KitError
from kit.models.pretrained import describe_file, find_attached, find_published

WANTED = Published("encoder.h5", "https://localhost.invalid/a", hashlib.md5(b"weights").hexdigest())


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    """Keras's folder of models, which is not the user's."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    (tmp_path / "keras" / "models").mkdir(parents=True)
    return tmp_path / "keras" / "models"


def write(folder, content: bytes = b"weights") -> str:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "encoder.h5").write_bytes(content)
    return str(folder / "encoder.h5")


@pytest.mark.parametrize(
    "place",
    [
        "slug",
        "slug/folder",
        "slug/keras/notop/1",
        "datasets/owner/slug",
        "datasets/owner/slug/folder",
        "models/owner/slug/keras/notop/1",
        "competitions/c",
    ],
)
def test_an_attached_file_is_found_by_its_name(tmp_path, place):
    path = write(tmp_path / "input" / place)
    assert find_attached(WANTED, tmp_path / "input") == path


def test_one_that_was_downloaded_before_is_taken(tmp_path, cache):
    assert find_attached(WANTED, tmp_path / "input") is None
    path = write(cache)
    assert find_attached(WANTED, tmp_path / "input") == path


def test_one_in_its_package_is_found_without_running_the_package(tmp_path, monkeypatch):
    path = write(tmp_path / "packages" / "some_model" / "models")
    (tmp_path / "packages" / "some_model" / "__init__.py").write_text("raise SystemExit")
    monkeypatch.syspath_prepend(str(tmp_path / "packages"))
    wanted = WANTED._replace(address=None, package="some-model")
    assert find_attached(wanted, tmp_path / "input") == path
    assert find_attached(wanted._replace(package="no-such-model"), tmp_path / "input") is None


def test_a_file_that_is_not_the_published_one_is_refused(tmp_path):
    write(tmp_path / "input" / "slug", b"weights, cut")
    with pytest.raises(
        KitError,
        match=rf"encoder.h5: damaged.* its checksum is not {WANTED.checksum}.*"
        "--encoder-weights none",
    ):
        find_attached(WANTED, tmp_path / "input")
    whole = write(tmp_path / "input" / "whole")
    assert find_attached(WANTED, tmp_path / "input") == whole


def test_a_checksum_is_md5_or_sha256_by_its_length(tmp_path):
    path = write(tmp_path / "input")
    longer = WANTED._replace(checksum=hashlib.sha256(b"weights").hexdigest())
    assert find_attached(longer, tmp_path / "input") == path
    words = [describe_file(each) for each in (WANTED, longer, WANTED._replace(checksum=None))]
    assert words == [
        f"encoder.h5 (MD5 {WANTED.checksum})",
        f"encoder.h5 (SHA-256 {longer.checksum})",
        "encoder.h5",
    ]


def test_an_encoder_without_published_weights_is_refused(monkeypatch):
    monkeypatch.setitem(ENCODERS, "slim", replace(ENCODERS["slim"], weights=WANTED))
    assert find_published("slim") == WANTED
    with pytest.raises(KitError, match="the encoder plain has none; leave them out"):
        find_published("plain")
