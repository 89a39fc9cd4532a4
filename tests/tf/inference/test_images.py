"""Test images, missing, damaged or of any size: which are predicted blank, which are an error."""

import dataclasses
import json
import re
import shutil
import sys
import zipfile

import pytest
from PIL import Image

from kit.competition import listing
from kit.competition.catalog import find_competition
from kit.competition.images import BLIND
from kit.errors import KitError
from kit.masks import table
from kit.submission import prediction
from kit.tf.inference.inference import predict
from tests.damages import spoil
from tests.tf.detectors import make_detector
from tests.tf.inference.conftest import predict_by_hand


def test_missing_images_are_an_error_unless_allowed(copy, few, tmp_path, capsys):
    for name in ("033.jpg", "031.jpg"):
        (few / "test_v2" / name).unlink()
    with pytest.raises(
        KitError,
        match=r"few: 2 of the sample's 7 images are missing, the first is 031\.jpg; "
        "--allow-missing",
    ):
        predict(copy, few, tmp_path / "out.csv", networks=make_detector())
    found = predict(copy, few, tmp_path / "out.csv", networks=make_detector(), allow_missing=True)
    rest = [name for name in found.ids if name not in ("031.jpg", "033.jpg")]
    assert table.select_ids(found, rest) == predict_by_hand(few, rest, [make_detector()])
    assert (
        len(found) == 7
        and not table.count_objects(table.select_ids(found, ["031.jpg", "033.jpg"])).any()
    )
    assert json.loads((tmp_path / "out.json").read_text())["missing"] == ["031.jpg", "033.jpg"]
    assert "images could not be read and are predicted blank" in capsys.readouterr().out


def check_blanks(found, folder, out, expected, capsys):
    """The named images are blank and listed with these words, the others as predicted by hand."""
    rest = [name for name in found.ids if name not in expected]
    assert table.select_ids(found, rest) == predict_by_hand(folder, rest, [make_detector()])
    assert not table.count_objects(table.select_ids(found, list(expected))).any()
    listed = json.loads(out.with_suffix(".json").read_text())["unreadable"]
    assert list(listed) == list(expected)
    for name, words in expected.items():
        assert re.match(f"test_v2/{name}: {words}", listed[name]), (listed[name], words)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "could not be read" in line]
    assert next(iter(expected)) in line


def test_an_image_of_another_size_keeps_its_place_in_the_batch(copy, few, tmp_path, capsys, passes):
    Image.new("RGB", (48, 32)).save(few / "test_v2" / "032.jpg")
    found = predict(copy, few, tmp_path / "out.csv", networks=make_detector())
    assert passes == [2, 2, 2, 1]
    words = "is 48 px wide and 32 high, the competition's images are 48 x 48"
    check_blanks(found, few, tmp_path / "out.csv", {"032.jpg": words}, capsys)


@pytest.mark.parametrize(
    "kinds",
    [
        ("cut", "closed", "zeroed", "header", "misnamed", "lost"),
        ("zeros", "newline", "thumbnail", "stump", "empty", "CMYK"),
    ],
)
def test_every_kind_of_bad_image_is_predicted_blank_and_listed(copy, few, tmp_path, capsys, kinds):
    expected = {}
    for path, kind in zip(sorted((few / "test_v2").iterdir()), kinds):
        if words := spoil(path, kind):
            expected[path.name] = words
    found = predict(copy, few, tmp_path / "out.csv", networks=make_detector())
    check_blanks(found, few, tmp_path / "out.csv", expected, capsys)


def test_without_simplejpeg_one_line_says_what_is_not_seen(
    copy, few, tmp_path, capsys, monkeypatch
):
    plans, former = [], prediction.predict_batches

    def keep(*arguments, plan, **others):
        plans.append(plan)
        return former(*arguments, plan=plan, **others)

    monkeypatch.setattr(prediction, "predict_batches", keep)
    spoil(few / "test_v2" / "032.jpg", "closed")
    out = tmp_path / "out.csv"
    strict = predict(copy, few, out, networks=make_detector())
    assert BLIND not in capsys.readouterr().out
    monkeypatch.setitem(sys.modules, "simplejpeg", None)
    blind = predict(copy, few, out, networks=make_detector())
    assert capsys.readouterr().out.splitlines().count(f"kit predict: {BLIND}") == 1
    assert blind == predict_by_hand(few, blind.ids, [make_detector()]) != strict
    assert plans[0] != plans[1]  # neither resumes what the other left


def test_an_image_that_cannot_be_read_now_ends_it_and_the_same_call_goes_on(
    copy, few, tmp_path, monkeypatch
):
    """It may be whole: a blank prediction would stay in a finished part."""
    former = listing.list_images

    def lose(*arguments):
        found = former(*arguments)
        shutil.move(few / "test_v2" / "032.jpg", tmp_path)
        return found

    with monkeypatch.context() as patch:
        patch.setattr("kit.tf.inference.inference.list_images", lose)
        with pytest.raises(KitError, match=r"032\.jpg: cannot be read: No such file"):
            predict(copy, few, tmp_path / "out.csv", networks=make_detector())
    assert not (tmp_path / "out.csv").exists()
    shutil.move(tmp_path / "032.jpg", few / "test_v2")
    found = predict(copy, few, tmp_path / "out.csv", networks=make_detector())
    assert found == predict_by_hand(few, found.ids, [make_detector()])


def test_images_that_are_all_bad_are_an_error(copy, few, tmp_path, passes):
    for path in (few / "test_v2").iterdir():
        spoil(path, "CMYK")
    with pytest.raises(KitError, match="its colors are CMYK.*is it the right source"):
        predict(copy, few, tmp_path / "out.csv", networks=make_detector())
    assert not passes and not (tmp_path / "out.csv").exists()


def test_a_damaged_entry_of_a_zip_is_bad_and_a_hostile_one_ends_it(copy, few, tmp_path):
    def pack(change):
        with zipfile.ZipFile(tmp_path / "few.zip", "w") as archive:
            for path in sorted(few.rglob("*.*")):
                archive.write(path, path.relative_to(few))
        data = bytearray((tmp_path / "few.zip").read_bytes())
        change(data)
        (tmp_path / "few.zip").write_bytes(data)

    pixels = (few / "test_v2" / "032.jpg").read_bytes()

    def flip(data):
        data[data.index(pixels) + len(pixels) // 2] ^= 1

    pack(flip)
    predict(copy, tmp_path / "few.zip", tmp_path / "out.csv", networks=make_detector())
    assert "CRC-32" in json.loads((tmp_path / "out.json").read_text())["unreadable"]["032.jpg"]

    def grow(data):
        at = (
            data.rindex(b"test_v2/032.jpg") - 46
        )  # its entry of the directory: the size becomes smaller than what is stored
        data[at + 24 : at + 28] = (100).to_bytes(4, "little")

    pack(grow)
    with pytest.raises(KitError, match="do not use this zip"):
        predict(copy, tmp_path / "few.zip", tmp_path / "again.csv", networks=make_detector())


def test_images_of_any_size_are_predicted_one_by_one(copy, few, small, tmp_path, passes):
    Image.new("RGB", (64, 80), (240, 240, 240)).save(few / "test_v2" / "032.jpg")
    competition = dataclasses.replace(
        find_competition(str(small / "competition.json")), height=None, width=None
    )
    found = predict(
        copy, few, tmp_path / "out.csv", networks=make_detector(), competition=competition
    )
    assert passes == [1] * 7 and found.shapes.tolist()[2] == [80, 64]
    assert found == predict_by_hand(few, found.ids, [make_detector()])


def test_ids_that_leave_the_folder_are_refused(copy, few, tmp_path):
    sample = few / "sample_submission_v2.csv"
    sample.write_text(sample.read_text() + "../../secret.jpg,1 1\n")
    with pytest.raises(KitError, match="is not a plain file name"):
        predict(copy, few, tmp_path / "out.csv", networks=make_detector(), allow_missing=True)
