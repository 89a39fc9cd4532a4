"""Bad images of every kind: left out and listed, and too many of them are an error."""

import shutil

import pandas as pd
import pytest
from PIL import Image

from kit.errors import KitError
from kit.packing.packing import pack

pytestmark = pytest.mark.tensorflow


SPOILS = {
    "truncated": (
        lambda path: path.write_bytes(path.read_bytes()[:5000]),
        "is truncated or has extra bytes at its end: its 5000 bytes",
    ),
    "empty": (lambda path: path.write_bytes(b""), "the file is empty"),
    "PNG": (lambda path: Image.open(path).save(path, "PNG"), "is a PNG by its bytes"),
    "gray": (lambda path: Image.open(path).convert("L").save(path), "its colors are L"),
    "CMYK": (lambda path: Image.open(path).convert("CMYK").save(path), "its colors are CMYK"),
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
        if path.read_bytes().endswith(b"\xff\xd9")
    ]
    bad = {
        ("stranger.jpg" if kind == "no row" else path.name): kind
        for (kind, path) in zip(SPOILS, paths)
    }
    for name, (kind, path) in zip(bad, zip(SPOILS, paths)):
        SPOILS[kind][0](path)
        assert name == path.name or kind == "no row"
    with pytest.raises(KitError, match=r"9 images are bad \(.*%\).*--max-bad"):
        pack(competition, tmp_path / "records", folds=2)
    manifest = pack(competition, tmp_path / "records", folds=2, max_bad=9)
    reasons = {item["image"]: item["reason"] for item in manifest["skipped"]}
    assert len(reasons) == 9
    for name, kind in bad.items():
        assert SPOILS[kind][1] in reasons[name] and name in (reasons[name] + name)
    packed = set(pd.read_csv(tmp_path / "records" / "folds.csv").ImageId)
    assert len(packed) == 16 and not packed & set(reasons)


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
