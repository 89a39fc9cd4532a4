"""Bad images of every kind: left out and listed, and too many of them are an error."""

import re
import shutil
import sys

import pandas as pd
import pytest
from PIL import Image

from kit.competition import images
from kit.errors import KitError
from kit.packing.packing import pack
from tests.damages import DAMAGES, JPEG_END, spoil
from tests.packing.conftest import contents

pytestmark = pytest.mark.tensorflow


SPOILS = {
    "size": (
        lambda path: Image.new("RGB", (700, 768)).save(path),
        "is 700 px wide and 768 high, its runs are for 768 x 768",
    ),
    "no file": (lambda path: path.unlink(), "the truth names it, the source lacks it"),
    "no row": (
        lambda path: shutil.copy(path, path.with_name("stranger.jpg")),
        "the truth has no row for it",
    ),
}


def test_every_kind_of_bad_image_is_left_out_and_listed(competition, tmp_path):
    paths = [
        path
        for path in sorted((competition / "train_v2").iterdir())
        if path.read_bytes().endswith(JPEG_END)
    ]
    expected: dict[str, str] = {}
    for kind, path in zip([*SPOILS, *DAMAGES, "empty", "CMYK"], paths):
        if kind in SPOILS:
            change, words = SPOILS[kind]
            change(path)
            expected["stranger.jpg" if kind == "no row" else path.name] = words
        elif words := spoil(path, kind):
            expected[path.name] = f"^train_v2/{path.name}: {words}"
    with pytest.raises(KitError, match=r"12 images are bad \(.*%\).*--max-bad"):
        pack(competition, tmp_path / "records", folds=2)
    manifest = pack(competition, tmp_path / "records", folds=2, max_bad=12)
    reasons = {item["image"]: item["reason"] for item in manifest["skipped"]}
    assert len(reasons) == len(expected) + 1 == 12  # one of the practice images is truncated
    for name, words in expected.items():
        assert re.search(words, reasons[name])
    packed = set(pd.read_csv(tmp_path / "records" / "folds.csv").ImageId)
    assert len(packed) == 13 and not packed & set(reasons)


def test_without_simplejpeg_one_line_says_what_is_not_seen(
    competition, tmp_path, capsys, monkeypatch
):
    pack(competition, tmp_path / "strict", folds=2)
    assert images.BLIND not in capsys.readouterr().out
    monkeypatch.setitem(sys.modules, "simplejpeg", None)
    manifest = pack(competition, tmp_path / "blind", folds=2, workers=1)
    said = f"kit pack: {images.BLIND}"
    assert capsys.readouterr().out.splitlines().count(said) == 1 and len(manifest["skipped"]) == 1
    assert contents(tmp_path / "strict") == contents(tmp_path / "blind")


def test_a_share_of_bad_images_can_be_allowed(competition, tmp_path):
    for path in sorted((competition / "train_v2").iterdir())[:6]:
        path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(KitError, match=r"[67] images are bad \(2[59]"):
        pack(competition, tmp_path / "records", folds=2)
    assert len(pack(competition, tmp_path / "records", folds=2, max_bad_share=0.5)["skipped"]) in (
        6,
        7,
    )


def test_no_good_image_at_all_is_an_error(competition, tmp_path):
    for path in (competition / "train_v2").iterdir():
        path.write_bytes(b"")
    with pytest.raises(
        KitError, match=r"no image can be packed; the first is \w+\.jpg: .*the file is empty"
    ):
        pack(competition, tmp_path / "records", folds=2, max_bad=100)
