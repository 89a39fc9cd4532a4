import io
import zipfile

import pandas as pd
import pytest
from PIL import Image

from kit.cli import main
from kit.competition.catalog import COMPETITIONS
from kit.competition.conventions import Competition
from kit.competition.sizes import find_sizes, read_sizes
from kit.errors import KitError
from kit.submission.csv_file import check_csv

NUCLEI = COMPETITIONS["dsb2018"]
SIZES = {"a": (520, 696), "b": (256, 256)}
TRUTH = b"ImageId,EncodedPixels,Height,Width,Usage\na,361000 20,520,696,x\nb,1 5,256,256,x\n"


@pytest.fixture
def folder(tmp_path):
    """A small competition folder with an image of each size."""
    for name, (height, width) in SIZES.items():
        path = tmp_path / "stage1_test" / name / "images" / f"{name}.png"
        path.parent.mkdir(parents=True)
        Image.new("RGBA", (width, height)).save(path)
    return tmp_path


def test_sizes_come_from_images_a_zip_or_a_csv(folder):
    assert read_sizes(folder, NUCLEI, ["a", "b", "gone"]) == SIZES
    with zipfile.ZipFile(folder / "all.zip", "w") as archive:
        for path in folder.glob("stage1_test/*/*/*.png"):
            archive.write(path, path.relative_to(folder))
    assert read_sizes(str(folder / "all.zip"), NUCLEI, ["b"]) == {"b": SIZES["b"]}
    (folder / "flat").mkdir()
    Image.new("L", (4, 3)).save(folder / "flat" / "c.d.jpg")
    assert read_sizes(folder / "flat", NUCLEI, ["c.d"]) == {"c.d": (3, 4)}
    assert read_sizes(folder / "flat", NUCLEI, ["c.d.jpg"]) == {"c.d.jpg": (3, 4)}
    for csv in (TRUTH, ("t.csv", TRUTH), pd.read_csv(io.BytesIO(TRUTH))):
        assert read_sizes(csv, NUCLEI, []) == SIZES
    info = b"image_file,width_pixels,height_pixels\n2f6ecfcdf.tiff,25794,31278\n"
    kidneys = read_sizes(info, COMPETITIONS["hubmap-kidney"], [])
    assert kidneys["2f6ecfcdf"] == kidneys["2f6ecfcdf.tiff"] == (31278, 25794)


def test_sizes_that_stand_in_the_truth_need_no_option():
    assert find_sizes(None, NUCLEI, [], b"ImageId,EncodedPixels\na,\n", TRUTH) == SIZES
    assert find_sizes(None, Competition(), [], TRUTH) is None
    with pytest.raises(KitError, match="its height is not set.*--shape HxW, or --images with a"):
        find_sizes(None, NUCLEI, [], b"ImageId,EncodedPixels\na,\n")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"ImageId,Height\na,3\n", "has no columns of sizes"),
        (b"ImageId,Height,height2,Width\na,3,3,3\n", "has no columns of sizes"),
        (b"ImageId,Height,Width\na,3,x\n", r"row 2 \(a\): height '3' and width 'x'"),
        (b"ImageId,Height,Width\na,3\n", r"row 2 \(a\)"),
        (b"ImageId,Height,Width\na,3," + b"9" * 5000 + b"\n", r"row 2 \(a\): height '3'"),
        (b"ImageId,Height,Width\na,3,4\na,3,5\n", r"row 3 \(a\): another size than in an earlier"),
    ],
)
def test_what_is_wrong_with_sizes_is_named(data, words):
    with pytest.raises(KitError, match=words):
        read_sizes(data, NUCLEI, [])


def test_a_file_that_is_no_image_is_named(folder):
    (folder / "stage1_test" / "a" / "images" / "a.png").write_bytes(b"text")
    with pytest.raises(KitError, match=r"a\.png: its size cannot be read"):
        read_sizes(folder, NUCLEI, ["a"])


def test_each_image_is_checked_and_scored_at_its_own_size(folder, capsys):
    sample = folder / "sample.csv"
    sample.write_text("ImageId,EncodedPixels\na,\nb,\n")
    good, wrong = folder / "good.csv", folder / "wrong.csv"
    good.write_text("ImageId,EncodedPixels\na,361000 20\nb,1 5\n")
    wrong.write_text("ImageId,EncodedPixels\na,361000 20\nb,65530 20\nz,1 1\n")
    options = ["--competition", "dsb2018", "--images", str(folder)]
    assert main(["check", str(good), str(sample), *options]) == 0
    problems, _ = check_csv(wrong, sample, images=folder, competition="dsb2018")
    assert [(problem.kind, problem.image) for problem in problems] == [
        ("run past the last pixel", "b"),
        ("image not in the sample", "z"),
    ]
    (folder / "truth.csv").write_bytes(TRUTH)
    capsys.readouterr()
    truth = str(folder / "truth.csv")
    assert main(["score", truth, str(good), "--competition", "dsb2018"]) == 0
    assert capsys.readouterr().out.startswith("TP/(TP+FP+FN)  1.0000")
    (folder / "stage1_test" / "b" / "images" / "b.png").unlink()
    with pytest.raises(KitError, match="image b: its size is not among those given"):
        check_csv(good, sample, images=folder, competition="dsb2018")
