"""What `kit check RECORDS` finds, and what is refused."""

import os
import shutil

import numpy as np
import pytest

from kit.cli import main
from kit.errors import KitError
from kit.records import manifest as rules
from kit.records.manifest import check_records, open_records
from kit.system import seals

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def whole(practice, tmp_path_factory):
    """Records of six shards or so."""
    from kit.packing.packing import pack

    out = tmp_path_factory.mktemp("whole") / "records"
    pack(practice, out, folds=6)
    return out


@pytest.fixture
def copy(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "copy")


def record_ends(data: bytes) -> list[int]:
    """Where the records of a shard end, but for the last."""
    ends, at = [], 0
    while at < len(data):
        at += int.from_bytes(data[at : at + 8], "little") + 16
        ends.append(at)
    return ends[:-1]


def test_whole_records_have_no_damage(whole):
    assert check_records(whole) == {} and len(list(whole.glob("*.tfrecord-*"))) == 6


def test_the_same_images_in_the_same_folds_are_the_same_records_wherever_they_came_from(
    practice, whole, tmp_path
):
    from kit.packing.packing import pack

    moved = shutil.copytree(practice, tmp_path / "input" / "airbus-ship-detection")
    for name, settings in (
        ("moved", {"folds": 6, "fit": True}),
        ("seed", {"folds": 6, "seed": 1}),
        ("folds", {"folds": 5}),
    ):
        manifest = pack(moved, tmp_path / name, **settings)
        assert (manifest["fit_bytes"] is not None) == ("fit" in settings)
        assert (open_records(tmp_path / name).sha256 == open_records(whole).sha256) == (
            name == "moved"
        )
    path = moved / "train_v2" / (whole / "folds.csv").read_text().split()[1].partition(",")[0]
    path.write_bytes(
        b"\xff\xd8\xff\xfe\0\3 " + path.read_bytes()[2:]
    )  # a comment: the same pixels in other bytes
    pack(moved, tmp_path / "other", folds=6)
    assert (tmp_path / "other" / "folds.csv").read_bytes() == (whole / "folds.csv").read_bytes()
    assert open_records(tmp_path / "other").sha256 != open_records(whole).sha256


def test_three_hundred_damages_are_all_found_and_named(whole, tmp_path):
    rng = np.random.default_rng(0)
    files = sorted(path.name for path in whole.iterdir())
    shards = [name for name in files if ".tfrecord-" in name]
    kinds: dict[str, int] = {}
    for number in range(300):
        copy = tmp_path / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        for name in files:
            (copy / name).hardlink_to(whole / name)  # what is damaged gets a file of its own
        kind = ("flip", "cut", "boundary", "missing", "extra", "exchanged", "longer", "zeros")[
            number % 8
        ]
        name = str(rng.choice(files if kind in ("flip", "cut", "missing") else shards))
        data = bytearray((whole / name).read_bytes())
        if kind == "flip":
            data[rng.integers(len(data))] ^= 1 << rng.integers(8)
        elif kind == "cut":
            del data[rng.integers(len(data)) :]
        elif kind == "boundary":
            ends = record_ends(bytes(data))
            del data[rng.choice(ends) if ends else 0 :]
        elif kind == "longer":
            data += data[: rng.integers(1, len(data))]
        elif kind == "zeros":
            begin = int(rng.integers(len(data) - 4096))
            data[begin : begin + 4096] = bytes(4096)
        if kind == "extra":
            name = f"runlength-fold{rng.integers(9)}.tfrecord-00007-of-00009"
        (copy / name).unlink(missing_ok=True)
        if kind == "exchanged":
            other = str(rng.choice([item for item in shards if item != name]))
            data = bytearray((whole / other).read_bytes())
        if kind != "missing":
            (copy / name).write_bytes(data)
        found = check_records(copy)
        assert set(found) == {name}, (kind, name, found)
        assert {"missing": "missing", "extra": "extra", "exchanged": "exchanged"}.get(
            kind, ""
        ) in found[name]
        kinds[kind] = kinds.get(kind, 0) + 1
    assert len(kinds) == 8 and check_records(whole) == {}


def test_check_and_repair_on_the_command_line(copy, capsys):
    assert main(["check", str(copy)]) == 0 and "all whole" in capsys.readouterr().out
    one, two = sorted(copy.glob("*.tfrecord-*"))[:2]
    before = one.read_bytes(), two.read_bytes()
    one.rename(copy / "aside")
    two.rename(one)
    (copy / "aside").rename(two)
    assert main(["check", str(copy)]) == 1
    said = capsys.readouterr().out
    assert (
        f"{one.name}: exchanged: holds the bytes of {two.name}" in said
        and "2 files are damaged" in said
    )
    assert main(["check", str(copy), "--repair"]) == 0 and "all whole" in capsys.readouterr().out
    assert (one.read_bytes(), two.read_bytes()) == before
    assert (
        main(["check", str(copy / "folds.csv")]) == 2
        and "kit check PREDICTION.csv SAMPLE.csv" in capsys.readouterr().err
    )
    assert (
        main(["check", str(copy / "nowhere")]) == 2
        and "no such folder of records" in capsys.readouterr().err
    )


def reseal(folder, **changes):
    fields = rules.read_manifest(folder)
    (folder / "manifest.json").write_bytes(seals.seal({**fields, **changes}))


def first_shard_elsewhere(folder):
    shards = rules.read_manifest(folder)["shards"]
    reseal(folder, shards=[{**shards[0], "file": "../copy/" + shards[0]["file"]}, *shards[1:]])


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: (path / "manifest.json").unlink(), "packing was not finished"),
        (
            lambda path: [(path / name).unlink() for name in ("manifest.json", "plan.json")],
            r"manifest\.json: missing",
        ),
        (lambda path: (path / "manifest.json").write_text("{}"), r"manifest\.json: is damaged"),
        (
            lambda path: (path / "manifest.json").write_text('{"format": 1}'),
            "packed by an older kit",
        ),
        (lambda path: reseal(path, shards=[{}]), "not a manifest"),
        (lambda path: reseal(path, shards=[]), "packing was not finished: 0 of 6 shards"),
        (lambda path: reseal(path, files={}), "packing was not finished"),
        (lambda path: reseal(path, files={"folds.csv": "x"}), "not a manifest"),
        (lambda path: reseal(path, files={"/dev/zero": "x"}), "not a manifest"),
        (lambda path: reseal(path, plan={"file": "/dev/zero", "sha256": "x"}), "not a manifest"),
        (lambda path: reseal(path, settings={"competition": 1}), "not a manifest"),
        (lambda path: reseal(path, source=5), "not a manifest"),
        (lambda path: reseal(path, skipped=None), "not a manifest"),
        (
            lambda path: [(path / "manifest.json").unlink(), os.mkfifo(path / "manifest.json")],
            "no regular file",
        ),
        (
            lambda path: next(path.glob("*.tfrecord-*")).unlink(),
            "the shard is missing; kit check .* --repair",
        ),
        (
            lambda path: next(path.glob("*.tfrecord-*")).write_bytes(b"x"),
            "has 1 bytes, the manifest says",
        ),
        (lambda path: (path / "dataset_info.json").unlink(), "dataset_info.json: missing"),
        (first_shard_elsewhere, "not a manifest of kit pack"),
    ],
)
def test_damaged_records_are_refused(copy, spoil, words):
    spoil(copy)
    with pytest.raises(KitError, match=words):
        open_records(copy)


def test_a_fifo_in_the_records_is_no_file(copy):
    (copy / "folds.csv").unlink()
    os.mkfifo(copy / "folds.csv")
    assert check_records(copy) == {"folds.csv": "missing"}


def test_what_is_not_finished_is_said(copy, capsys):
    for path in copy.iterdir():
        path.unlink()
    (copy / rules.CACHE).mkdir()
    assert main(["check", str(copy)]) == 1 and "packing was not finished" in capsys.readouterr().out
    assert (
        main(["check", str(copy), "--repair"]) == 2
        and "packing was not finished" in capsys.readouterr().err
    )
    assert (
        main(["check", str(copy), "--source", "x"]) == 2 and "--repair" in capsys.readouterr().err
    )
    assert (
        main(["check", "a.csv", "b.csv", "--repair"]) == 2
        and "are for records" in capsys.readouterr().err
    )
