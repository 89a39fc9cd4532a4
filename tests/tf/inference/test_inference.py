import dataclasses
import json
import shutil
import signal
import zipfile

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kit.competition import csv_masks, sources
from kit.competition.conventions import find_competition, to_json
from kit.cuts import Cuts
from kit.errors import KitError
from kit.masks import dense, table
from kit.objects import map_files
from kit.objects.extraction import find_objects
from kit.records.index import open_index
from kit.submission import csv_file
from kit.submission.parts import PART_SIZE
from kit.system.seals import digest_file
from kit.tf.data.batches import scan
from kit.tf.inference.ensemble import average_presence, collect, make_mapper
from kit.tf.inference.inference import predict, tune
from kit.tf.inference.load import load_model
from tests.forks import finish
from tests.tf import killed
from tests.tf.detectors import make_detector, train_detector

PLAIN = Cuts()


@pytest.fixture
def copy(detector, tmp_path):
    return shutil.copytree(detector, tmp_path / "model")


@pytest.fixture(scope="module")
def folds(detector, small, tmp_path_factory):
    """Model folders and their networks: two of fold 0, one without presence; one of fold 1."""
    out = tmp_path_factory.mktemp("folds")
    one = shutil.copytree(detector, out / "one")
    two = train_detector(small / "records", out / "two", level=150.0, presence=False)
    three = train_detector(small / "records", out / "three", fold=1)
    return {one: make_detector, two: lambda: make_detector(150.0, False), three: make_detector}


@pytest.fixture
def few(small, tmp_path):
    """The competition with only its first seven test images."""
    out = tmp_path / "few"
    (out / "test_v2").mkdir(parents=True)
    lines = (small / "competition" / "sample_submission_v2.csv").read_text().splitlines()[:8]
    (out / "sample_submission_v2.csv").write_text("\n".join(lines) + "\n")
    for line in lines[1:]:
        shutil.copy(small / "competition" / "test_v2" / line.split(",")[0], out / "test_v2")
    return out


def tuning_of(**fields) -> dict:
    return (
        dataclasses.asdict(Cuts())
        | {"f2": 0.5, "f2_blank": 0.25, "tta": 1, "scale": 1, "models": []}
        | fields
    )


def write_tuning(folder, **fields):
    """A tuning.json as of these weights."""
    models = [{"name": "model", "weights": digest_file(folder / "best.weights.h5"), "fold": 0}]
    (folder / "tuning.json").write_text(json.dumps(tuning_of(models=models) | fields))


def predict_by_hand(folder, ids, networks, cuts=PLAIN, tta=1):
    """Masks of test images, read by Pillow, one at a time."""
    finders, found = [make_mapper(network, tta) for network in networks], []
    for name in ids:
        pixels = tf.io.decode_jpeg((folder / "test_v2" / name).read_bytes())[None]
        image, presence = collect([find(pixels) for find in finders])
        found.append(find_objects([name], image, cuts, presence=presence))
    return table.concatenate(found)


# Tuning.


def test_tuning_writes_the_fields_of_the_format(copy, small):
    tuned = tune(copy, empty_share=0.5, networks=make_detector())
    result = json.loads((copy / "tuning.json").read_text())
    assert result == tuned.fields and list(tuned.prediction.ids) == list(
        open_index(small / "records", [0]).truth.ids
    )
    assert {"threshold", "empty_share", "f2", "f2_low", "f2_high", "f2_plain", "f2_blank"} <= set(
        result
    )
    assert result["f2_low"] <= result["f2"] <= result["f2_high"] and result["empty_share"] == 0.5
    assert result["tta"] == result["scale"] == 1
    assert result["models"] == [
        {"name": "model", "weights": digest_file(copy / "best.weights.h5"), "fold": 0}
    ]


@pytest.fixture
def tuned_on(monkeypatch):
    """What tune gives to the tuner."""
    from kit.tuning import tuning

    given = {}

    def keep(read, truth, scenes, presence, settings):
        given.update(
            maps=[read(place) for place in range(len(truth))],
            truth=truth,
            scenes=scenes,
            presence=presence,
        )
        return tuning.Tuning({"f2": 0.5}, truth, np.zeros(1), (), [])

    monkeypatch.setattr("kit.tf.inference.inference.tuning.choose_cuts", keep)
    monkeypatch.setattr(
        "kit.tuning.tuning.write_tuning",
        lambda tuned, path: path.write_text(json.dumps(tuned.fields)),
    )
    return given


def holdout(small, fold, *networks, tta=1, scale=1):
    """Truth, averaged maps and presence of a fold, computed here."""
    index = open_index(small / "records", [fold])
    finders, found = [make_mapper(network, tta, scale) for network in networks], []
    for _, images, _ in scan(index, 2):
        found.append(collect([find(images) for find in finders]))
    presence = [part for _, part in found]
    return (
        index,
        [image for part, _ in found for image in part],
        None if presence[0] is None else np.concatenate(presence),
    )


def test_models_of_one_fold_are_averaged(folds, small, tuned_on):
    one, two, _ = folds
    tuned = tune([one, two], networks=[folds[one](), folds[two]()])
    index, expected, presence = holdout(small, 0, folds[one](), folds[two]())
    assert tuned_on["truth"] == index.truth and np.array_equal(tuned_on["scenes"], index.scenes)
    assert all(np.array_equal(a, b) for a, b in zip(tuned_on["maps"], expected, strict=True))
    assert np.array_equal(tuned_on["presence"], presence)  # of the one that has it
    each = [
        map_files.read_map(one / "maps", index.truth.ids[0]),
        map_files.read_map(two / "maps", index.truth.ids[0]),
    ]
    assert np.array_equal(tuned_on["maps"][0], map_files.average(each)) and not np.array_equal(
        *each
    )
    assert [model["name"] for model in tuned.fields["models"]] == ["one", "two"]
    assert (one / "tuning.json").read_bytes() == (two / "tuning.json").read_bytes()


def test_different_folds_are_tuned_on_together_out_of_fold(folds, small, tuned_on):
    one, _, three = folds
    tune([three, one], networks=[folds[three](), folds[one]()], tta=4, scale=2)
    parts = [holdout(small, fold, make_detector(), tta=4, scale=2) for fold in (0, 1)]
    assert tuned_on["truth"] == table.concatenate([index.truth for index, _, _ in parts])
    assert all(
        np.array_equal(a, b)
        for a, b in zip(
            tuned_on["maps"], [image for _, part, _ in parts for image in part], strict=True
        )
    )
    assert np.array_equal(
        tuned_on["presence"], np.concatenate([presence for _, _, presence in parts])
    )
    fields = json.loads((three / "tuning.json").read_text())
    assert (fields["tta"], fields["scale"], [model["fold"] for model in fields["models"]]) == (
        4,
        2,
        [1, 0],
    )
    assert (one / "maps-tta4-scale2").is_dir() and (three / "maps-tta4-scale2").is_dir()


def test_presence_that_one_fold_lacks_is_not_used_and_that_is_said(folds, tuned_on, capsys):
    _, two, three = folds
    tune([two, three], networks=[folds[two](), folds[three]()])
    assert tuned_on["presence"] is None
    assert "only some folds have a model" in capsys.readouterr().out


def test_models_of_other_records_are_not_tuned_together(detector, model):
    with pytest.raises(KitError, match="was trained on other records than"):
        tune([detector, model], networks=[make_detector(), None])


def test_moved_records_are_named_by_an_option(copy, small, tmp_path, tuned_on):
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"records": str(tmp_path / "gone")}))
    with pytest.raises(KitError, match="gone: no such folder of records"):
        tune(copy, networks=make_detector())
    assert (
        tune(
            copy,
            records=shutil.copytree(small / "records", tmp_path / "moved"),
            networks=make_detector(),
        ).fields["f2"]
        == 0.5
    )


def test_a_flipped_byte_in_a_shard_is_one_line(detector, small, tmp_path):
    records = shutil.copytree(small / "records", tmp_path / "records")
    for path in records.glob("*fold0*"):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(bytes(data))
    model = shutil.copytree(
        detector, tmp_path / "model", ignore=shutil.ignore_patterns("maps")
    )  # else no image would be read
    with pytest.raises(KitError, match="a shard of the records is damaged"):
        tune(model, records=records, networks=make_detector())


# Predicting.


def test_an_untuned_model_says_so_and_uses_threshold_128(model, practice, tmp_path, capsys):
    copy = shutil.copytree(model, tmp_path / "model")
    (copy / "tuning.json").unlink(missing_ok=True)
    found = predict(copy, practice, tmp_path / "out.csv")
    assert "not tuned, so threshold 128 and no cuts" in capsys.readouterr().out
    assert csv_file.check_csv(tmp_path / "out.csv", practice / "sample_submission_v2.csv")[0] == []
    network, _ = load_model(copy)
    for image, name in enumerate(found.ids):
        pixels = tf.io.decode_jpeg((practice / "test_v2" / name).read_bytes())[None]
        inside = network(pixels, training=False).numpy()[0]
        predicted = dense.to_labels(found, image) > 0
        decided = (
            abs(inside - 127.5 / 255) > 1e-3
        )  # a batch of another size may sum in another order
        assert np.array_equal(predicted[decided], (inside > 127.5 / 255)[decided])


def test_tuned_cuts_views_and_scale_are_applied_and_said(copy, few, tmp_path, capsys):
    write_tuning(copy, threshold=140, min_area=20, min_presence=0.2, tta=8)
    found = predict(copy, few, tmp_path / "out.csv", networks=make_detector())
    said = capsys.readouterr().out
    assert (
        "tuning.json: threshold 140, at least 20 px, presence of an object at least 0.200" in said
        and "other weights" not in said
    )
    ids = csv_masks.read_ids(few / "sample_submission_v2.csv")
    expected = predict_by_hand(
        few, ids, [make_detector()], Cuts(threshold=140, min_area=20, min_presence=0.2), 8
    )
    assert (
        found == expected
        and len(expected.labels) > 2
        and (table.count_objects(expected) == 0).any()
    )
    report = json.loads((tmp_path / "out.json").read_text())
    assert report["cuts"]["threshold"] == 140 and (report["tta"], report["scale"]) == (8, 1)
    assert (
        report["holdout"] == {"f2": 0.5, "f2_blank": 0.25}
        and report["tensorflow"] == tf.__version__
    )
    assert (
        report["models"][0]["weights"] == digest_file(copy / "best.weights.h5")
        and report["models"][0]["steps"] == 1
    )


def test_the_gate_cuts_between_any_two_probabilities(copy, few, tmp_path):
    ids = csv_masks.read_ids(few / "sample_submission_v2.csv")
    pixels = tf.io.decode_jpeg((few / "test_v2" / ids[1]).read_bytes())[None]
    likely = float(collect([make_mapper(make_detector())(pixels)])[1][0])
    for cut, kept in (
        (likely, True),
        (np.nextafter(likely, 1), False),
    ):  # as float32 the two cuts are one
        write_tuning(copy, min_presence=float(cut))
        found = predict(copy, few, tmp_path / "out.csv", networks=make_detector())
        assert bool(table.count_objects(found)[1]) == kept


def test_other_views_than_tuned_are_used_and_said(copy, few, tmp_path, capsys):
    write_tuning(copy, tta=8)
    found = predict(copy, few, tmp_path / "out.csv", networks=make_detector(), tta=4, scale=1)
    said = capsys.readouterr().out
    assert "--tta 4, but these cuts were chosen with --tta 8" in said and "--scale" not in said
    assert (
        json.loads((tmp_path / "out.json").read_text())["holdout"] == {}
    )  # its figure is not of this
    assert found == predict_by_hand(few, found.ids, [make_detector()], tta=4)


def test_a_tuning_of_other_weights_is_used_and_said(copy, few, tmp_path, capsys):
    write_tuning(copy, models=[{"name": "model", "weights": "0" * 64, "fold": 0}])
    predict(copy, few, tmp_path / "out.csv", networks=make_detector())
    assert "was chosen for other weights than these; kit tune" in capsys.readouterr().out
    assert json.loads((tmp_path / "out.json").read_text())["holdout"] == {}


def test_models_that_were_tuned_apart_are_refused(folds, few, tmp_path):
    one, two, _ = (shutil.copytree(folder, tmp_path / folder.name) for folder in folds)
    networks = [make_detector(), make_detector(150.0, False)]
    write_tuning(one)
    (two / "tuning.json").unlink(missing_ok=True)
    with pytest.raises(
        KitError,
        match=r"two: was not tuned together with \S+one; "
        r"choose cuts for all: kit tune \S+one \S+two",
    ):
        predict([one, two], few, tmp_path / "out.csv", networks=networks)
    write_tuning(two, threshold=129)
    with pytest.raises(KitError, match="was not tuned together"):
        predict([one, two], few, tmp_path / "out.csv", networks=networks)


def test_several_models_are_averaged(folds, few, tmp_path, capsys):
    one, two, three = (shutil.copytree(folder, tmp_path / folder.name) for folder in folds)
    models = [
        {"name": "model", "weights": digest_file(folder / "best.weights.h5")}
        for folder in (three, two, one)
    ]
    for folder in (one, two, three):
        write_tuning(folder, min_presence=0.2, models=models)
    networks = [folds[folder]() for folder in folds]
    found = predict([one, two, three], few, tmp_path / "out.csv", networks=networks)
    assert "other weights" not in capsys.readouterr().out
    assert found == predict_by_hand(few, found.ids, networks, Cuts(min_presence=0.2))
    assert found != predict_by_hand(few, found.ids, networks[:1], Cuts(min_presence=0.2))


@pytest.mark.parametrize(
    "fields",
    [
        {"tta": 3},
        {"scale": "2"},
        {"models": [3]},
        {"models": 4},
        {"threshold": 0},
        {"min_area": None},
    ],
)
def test_a_damaged_tuning_is_named(copy, few, tmp_path, fields):
    write_tuning(copy, **fields)
    with pytest.raises(KitError, match=r"tuning\.json: "):
        predict(copy, few, tmp_path / "out.csv", networks=make_detector())


def test_where_blank_scores_most_no_image_is_looked_at(copy, few, tmp_path, passes):
    write_tuning(copy, blank=True)
    found = predict(copy, few, tmp_path / "out.csv", networks=make_detector())
    assert len(found) == 7 and not len(found.labels) and not passes
    assert (
        csv_file.check_csv(tmp_path / "out.csv", few / "sample_submission_v2.csv", shape=(48, 48))[
            0
        ]
        == []
    )


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_gives_the_bytes_of_its_folder(copy, few, tmp_path, compression):
    with zipfile.ZipFile(tmp_path / "few.zip", "w", compression) as archive:
        for path in sorted(few.rglob("*.*")):
            archive.write(path, path.relative_to(few))
    found = predict(copy, few, tmp_path / "a.csv", networks=make_detector())
    assert (
        predict(copy, tmp_path / "few.zip", tmp_path / "b.csv", networks=make_detector()) == found
        and len(found.labels) > 2
    )
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    a, b = (json.loads((tmp_path / name).read_text()) for name in ("a.json", "b.json"))
    assert all(a[name] == b[name] for name in a if name not in ("submission", "when"))
    assert {path.name for path in tmp_path.iterdir()} == {
        "model",
        "few",
        "few.zip",
        "a.csv",
        "a.json",
        "b.csv",
        "b.json",
    }


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_killed_prediction_goes_on_to_the_same_bytes(copy, small, tmp_path, passes, when, capsys):
    place = small / "competition"
    predict(copy, place, tmp_path / "whole.csv", networks=make_detector())
    assert sum(passes) == 300 > PART_SIZE
    paths = map(str, (copy, place, tmp_path / "out.csv"))
    status, _, errors = finish(killed.predict_one_part, *paths, when)
    assert status == -signal.SIGKILL and not (tmp_path / "out.csv").exists(), errors
    del passes[:]
    predict(copy, place, tmp_path / "out.csv", networks=make_detector())
    assert sum(passes) == (300 if when == "before" else 300 - PART_SIZE)
    assert (when == "after") == (
        f"resuming: {PART_SIZE} of 300 images are done" in capsys.readouterr().out
    )
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert not (tmp_path / "out.csv.parts").exists()


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


def spoil(path, how):
    data = path.read_bytes()
    if how == "truncated":
        path.write_bytes(data[: len(data) // 2])
    elif how == "lost":  # its scan names tables that it lacks; header and end are whole
        at = data.index(b"\xff\xda") + 6
        path.write_bytes(data[:at] + b"\x33" + data[at + 1 :])
    elif how == "small":
        Image.new("RGB", (48, 32)).save(path)
    elif how == "gray":
        Image.new("L", (48, 48)).save(path)
    elif how == "text":
        path.write_text("no image")
    elif how == "empty":
        path.write_bytes(b"")


SPOILED = {
    "truncated": "does not end as a whole JPEG does",
    "lost": "cannot be decoded",
    "small": "is 48 px wide and 32 high, the competition's images are 48 x 48",
    "gray": "its colors are L, expected RGB",
    "text": "is not a JPEG or PNG",
    "empty": "is not a JPEG or PNG",
}


@pytest.mark.parametrize("how", SPOILED)
def test_a_bad_image_is_predicted_blank_and_listed(copy, few, tmp_path, capsys, passes, how):
    spoil(few / "test_v2" / "032.jpg", how)
    found = predict(copy, few, tmp_path / "out.csv", networks=make_detector())
    assert passes == [2, 2, 2, 1]  # it keeps its place in the batch
    rest = [name for name in found.ids if name != "032.jpg"]
    assert table.select_ids(found, rest) == predict_by_hand(few, rest, [make_detector()])
    assert not table.count_objects(table.select_ids(found, ["032.jpg"])).any()
    listed = json.loads((tmp_path / "out.json").read_text())["unreadable"]
    assert list(listed) == ["032.jpg"] and SPOILED[how] in listed["032.jpg"]
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "could not be read" in line]
    assert "032.jpg" in line


def test_an_image_that_cannot_be_read_now_ends_it_and_the_same_call_goes_on(
    copy, few, tmp_path, monkeypatch
):
    """It may be whole: a blank prediction would stay in a finished part."""
    former = sources.list_images

    def lose(*arguments):
        found = former(*arguments)
        shutil.move(few / "test_v2" / "032.jpg", tmp_path)
        return found

    with monkeypatch.context() as patch:
        patch.setattr("kit.competition.sources.list_images", lose)
        with pytest.raises(KitError, match=r"032\.jpg: no such file"):
            predict(copy, few, tmp_path / "out.csv", networks=make_detector())
    assert not (tmp_path / "out.csv").exists()
    shutil.move(tmp_path / "032.jpg", few / "test_v2")
    found = predict(copy, few, tmp_path / "out.csv", networks=make_detector())
    assert found == predict_by_hand(few, found.ids, [make_detector()])


@pytest.mark.parametrize("name", ["load_model", "open_holdout"])
def test_weights_that_change_meanwhile_are_an_error(copy, few, tmp_path, monkeypatch, name):
    from kit.tf.inference import inference

    former = getattr(inference, name)

    def change(*arguments, **options):
        found = former(*arguments, **options)
        with open(copy / "best.weights.h5", "ab") as file:
            file.write(b"0")
        return found

    monkeypatch.setattr(inference, name, change)
    with pytest.raises(KitError, match="its weights changed meanwhile"):
        if name == "load_model":
            predict(copy, few, tmp_path / "out.csv", networks=make_detector())
        else:
            tune(copy, empty_share=0.5, networks=make_detector())
    assert not (tmp_path / "out.csv").exists() and not (copy / "tuning.json").exists()


def test_images_that_are_all_bad_are_an_error(copy, few, tmp_path, passes):
    for path in (few / "test_v2").iterdir():
        spoil(path, "gray")
    with pytest.raises(KitError, match="its colors are L, expected RGB.*is it the right source"):
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


def test_models_of_two_competitions_are_not_mixed(copy, few, small, tmp_path):
    other = shutil.copytree(copy, tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    changed = dataclasses.replace(find_competition(str(small / "competition.json")), height=96)
    (other / "config.json").write_text(json.dumps(config | {"competition": to_json(changed)}))
    with pytest.raises(KitError, match="trained on another competition"):
        predict(
            [copy, other], few, tmp_path / "out.csv", networks=[make_detector(), make_detector()]
        )


def test_what_cannot_be_is_refused_before_any_time_is_spent(copy, few, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "kit.tf.inference.inference.load_model", lambda *_: pytest.fail("the model was loaded")
    )
    for out, settings, words in (
        (tmp_path / "missing" / "out.csv", {}, "there is no folder"),
        (tmp_path / "out.json", {}, "another ending"),
        (tmp_path / "out.csv", {"tta": 2}, "--tta 2"),
        (tmp_path / "out.csv", {"scale": 0}, "--scale 0"),
    ):
        with pytest.raises(KitError, match=words):
            predict(copy, few, out, **settings)


def test_prediction_does_not_depend_on_the_progress_bar(copy, few, tmp_path, monkeypatch):
    expected = predict(copy, few, tmp_path / "a.csv", networks=make_detector())
    monkeypatch.setenv("TQDM_DISABLE", "1")
    assert predict(copy, few, tmp_path / "b.csv", networks=make_detector()) == expected


def test_presence_of_stored_maps_is_that_of_the_network(folds, small):
    index = open_index(small / "records", [0])
    stored = map_files.read_presence(next(iter(folds)) / "maps")
    expected = np.concatenate(
        [collect([make_mapper(make_detector())(images)])[1] for _, images, _ in scan(index, 2)]
    )
    assert np.array_equal(
        average_presence([np.array([stored[name] for name in index.truth.ids])]), expected
    )
    assert all(stored[name] == float(value) for name, value in zip(index.truth.ids, expected))
