"""The index of a competition folder, compared with that of the records made from it."""

import dataclasses
import os
import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image

from kit.competition.conventions import AIRBUS, Competition
from kit.errors import KitError
from kit.masks import table as masks
from kit.records.index import index_folder, open_index, select
from tests.conftest import write_csv
from tests.records.conftest import TRUTH, same


@pytest.fixture
def folder(practice, tmp_path):
    """A competition folder of its own: hard links, but for the truth."""
    copy = shutil.copytree(practice, tmp_path / "competition", copy_function=os.link)
    (copy / TRUTH).unlink()
    shutil.copy(practice / TRUTH, copy / TRUTH)
    return copy


def test_a_folder_with_the_records_table_is_the_same_as_the_records(
    practice, records, indexed, capsys
):
    found = open_index(practice, folds_csv=records / "folds.csv")
    assert found.truth.ids.tolist() == sorted(indexed.truth.ids)
    assert same(found, select(indexed, np.argsort(indexed.truth.ids)))
    assert [path.rpartition("/")[2] for path in found.paths] == found.truth.ids.tolist()
    assert {path.rpartition("/")[0] for path in found.paths} == {str(practice / "train_v2")} and (
        found.offsets == -1
    ).all()
    assert "left out" not in capsys.readouterr().out  # the truncated image is not in the table
    for fold in (0, 1):
        one = open_index(practice, [fold], folds_csv=records / "folds.csv")
        assert same(one, select(found, np.flatnonzero(found.folds == fold)))


def test_a_folder_alone_gives_all_whole_images_without_folds(practice, indexed, capsys):
    found = index_folder(practice, AIRBUS)
    assert found.truth == select(indexed, np.argsort(indexed.truth.ids)).truth
    assert (found.folds == -1).all() and (found.scenes == -1).all()
    (truncated,) = {path.name for path in (practice / "train_v2").iterdir()} - set(found.truth.ids)
    said = capsys.readouterr().out
    assert (
        said.startswith("left out: ")
        and said.count("\n") == 1
        and truncated in said
        and "is truncated" in said
    )


def test_folds_of_a_folder_without_a_table_say_how_to_get_them(practice):
    with pytest.raises(
        KitError, match=r"folds \[0\] hold no image; give the path of a folds.csv as folds_csv"
    ):
        open_index(practice, [0])


def test_unknown_folds_are_not_the_fold_of_the_number_minus_one(practice, indexed):
    for source in (practice, indexed):
        with pytest.raises(KitError, match=r"folds \[-1\] hold no image"):
            open_index(source, [-1])


def test_images_that_the_table_lacks_are_left_out(practice, indexed, tmp_path):
    chosen = sorted(indexed.truth.ids)[3:5]
    path = write_csv(
        tmp_path / "folds.csv",
        *(f"{name},{2**61},5" for name in chosen),
        "other.jpg,0,5",
        header="ImageId,scene,fold",
    )
    found = open_index(practice, [5], folds_csv=path)
    assert (
        found.truth.ids.tolist() == chosen
        and found.scenes.tolist() == [2**61] * 2
        and found.folds.tolist() == [5, 5]
    )
    with pytest.raises(KitError, match=r"folds \[0\] hold no image; it has folds \[5\]"):
        open_index(practice, [0], folds_csv=path)


def test_images_that_are_missing_or_of_another_size_are_left_out(folder, indexed, capsys):
    gone, small, inks = sorted(indexed.truth.ids)[:3]
    for name in (gone, small, inks):
        (folder / "train_v2" / name).unlink()
    Image.new("RGB", (767, 768)).save(folder / "train_v2" / small)
    Image.new("CMYK", (768, 768)).save(folder / "train_v2" / inks)
    found = index_folder(folder, AIRBUS)
    assert found.truth.ids.tolist() == sorted(indexed.truth.ids)[3:]
    said = capsys.readouterr().out
    assert said.startswith("left out: ") and "and 3 more" in said and said.count("\n") == 1


def test_an_image_without_a_row_is_empty_only_where_that_is_the_rule(folder, indexed):
    name = sorted(indexed.truth.ids)[0]
    lines = (folder / TRUTH).read_text().splitlines()
    write_csv(
        folder / TRUTH, *(line for line in lines[1:] if not line.startswith(name)), header=lines[0]
    )
    assert name not in index_folder(folder, AIRBUS).truth.ids
    found = index_folder(folder, dataclasses.replace(AIRBUS, absent_is_empty=True))
    assert (
        len(found) == 23
        and masks.count_objects(found.truth)[list(found.truth.ids).index(name)] == 0
    )
    assert [path.rpartition("/")[2] for path in found.paths] == found.truth.ids.tolist()


def test_a_folder_without_a_whole_image_is_an_error(folder, capsys):
    for path in (folder / "train_v2").iterdir():
        path.unlink()
        path.write_bytes(b"x")
    with pytest.raises(KitError, match="no image is left; .*is neither a JPEG nor a PNG"):
        index_folder(folder, AIRBUS)


def test_a_zip_is_to_be_packed(practice, tmp_path):
    with zipfile.ZipFile(tmp_path / "competition.zip", "w") as archive:
        archive.write(practice / TRUTH, TRUTH)
    with pytest.raises(KitError, match="pack the zip: kit pack .*competition.zip RECORDS"):
        open_index(tmp_path / "competition.zip")


def test_images_of_many_sizes_are_to_be_packed(practice):
    with pytest.raises(KitError, match="its images differ in size; pack them: kit pack"):
        open_index(
            practice, competition=Competition(name="own", height=None, width=None, scenes="")
        )


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["ImageId,scene,fold", "a.jpg,0,0", "b.jpg,x,0"], "row 3: scene 'x'"),
        (["ImageId,scene,fold", "a.jpg,0,1.5"], "row 2: fold '1.5'"),
        (["ImageId,scene,fold", "a.jpg,0,"], "row 2: fold ''"),
        (["ImageId,scene,fold", "a.jpg,0"], "row 2: .*fewer cells"),
        (["ImageId,scene,fold", "a.jpg,0,-2"], "row 2: fold '-2': expected a whole number"),
        (["ImageId,scene,fold", f"a.jpg,0,{2**70}"], "row 2: fold .*expected a whole number"),
        (["ImageId,scene,fold", f"a.jpg,{2**70},0"], "row 2: scene .*expected a whole number"),
        (["ImageId,scene,fold", "a.jpg,0,0", "a.jpg,0,0"], "row 3: ImageId a.jpg appears twice"),
        (["ImageId,scene", "a.jpg,0"], "has no column fold"),
        (["Image,scene,fold", "a.jpg,0,0"], "has no column ImageId"),
        (["ImageId,scene,fold", '"a.jpg,0,0'], "cannot be read as a CSV"),
        (["ImageId,scene,fold"], "no image is left of those in"),
        ([""], "has no column ImageId"),
        (["ImageId,scene,fold", "other.jpg,0,0"], "no image is left of those in"),
    ],
)
def test_a_bad_table_is_named_with_its_row(practice, tmp_path, lines, words):
    path = write_csv(tmp_path / "folds.csv", *lines[1:], header=lines[0])
    with pytest.raises(KitError, match=words) as error:
        open_index(practice, folds_csv=path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_a_table_that_is_no_text_file_is_an_error(practice, tmp_path):
    (tmp_path / "folds.csv").write_bytes(b"ImageId,scene,fold\n\xff\xfe,0,0\n")
    for path, words in (
        (tmp_path / "folds.csv", r"folds\.csv row 2: not UTF-8 text"),
        (tmp_path / "missing.csv", f"{tmp_path}/missing.csv: no such file"),
        (tmp_path, f"{tmp_path}: cannot be read: Is a directory"),
    ):
        with pytest.raises(KitError, match=words):
            open_index(practice, folds_csv=path)
