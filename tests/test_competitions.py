"""Every competition that the kit knows goes read, pack, score, write, check in its own form."""

import dataclasses
import re

import pytest
from PIL import Image

import kit
from kit.competition.catalog import COMPETITIONS
from kit.competition.listing import list_images
from kit.competition.sources import find_source
from kit.masks import table
from tests.competition.forms import FORMS

NAMES = [(form, form.split()[0]) for form in FORMS]


def sizes(form):
    """Every size by hand, for the competitions whose images differ in size."""
    shape = form.scored_at or form.shape
    return dict.fromkeys(re.findall(r"^([^,\n]+),", form.truth, re.MULTILINE), shape)


def read(text, name, form, **options):
    differ = COMPETITIONS[name].height is None
    return kit.read_csv(text.encode(), name, shapes=sizes(form) if differ else None, **options)


def test_every_competition_has_a_form():
    assert set(COMPETITIONS) == {name for _, name in NAMES}


@pytest.mark.parametrize(("key", "name"), NAMES)
def test_the_truth_is_read(key, name):
    form = FORMS[key]
    found = read(form.truth, name, form)
    assert table.count_objects(found).tolist() == form.objects
    assert (found.shapes == form.shape).all()
    # Written again it is the same but for spaces, other columns and joined runs.
    assert read(kit.format_csv(found, name).decode(), name, form) == found


@pytest.mark.parametrize(("key", "name"), NAMES)
def test_a_prediction_is_scored_by_the_competitions_formula(key, name):
    form = FORMS[key]
    images = sizes(form) if COMPETITIONS[name].height is None else None
    options = {"competition": name, "images": images, "shape": form.scored_at}
    truth = form.truth
    if form.scored_at:
        with pytest.raises(kit.KitError, match="the truth's are 1400 x 2100"):
            kit.score_csv(truth.encode(), form.prediction.encode(), competition=name)
        truth = form.prediction.replace("Fish,", "Fish,9 9")
    if not form.score:
        with pytest.raises(kit.KitError, match=f"{name}: its score is not set"):
            kit.score_csv(truth.encode(), form.prediction.encode(), **options)
        return
    found = kit.score_csv(truth.encode(), form.prediction.encode(), **options)
    assert {name: found[name] for name in form.score} == pytest.approx(form.score)


@pytest.mark.parametrize(("key", "name"), NAMES)
def test_a_submission_is_written_in_the_samples_form_and_passes(key, name, tmp_path):
    form, out = FORMS[key], tmp_path / "out.csv"
    images = sizes(form) if COMPETITIONS[name].height is None else None
    sample = form.sample.encode()
    kit.write_csv(read(form.prediction, name, form, submission=True), out, name, sample=sample)
    assert out.read_text() == form.prediction
    options = {"images": images, "competition": name}
    assert kit.check_csv(out, sample, **options)[0] == []
    all_but_one = "".join(form.prediction.splitlines(keepends=True)[:-1]).encode()
    problems = kit.check_csv(all_but_one, sample, **options)[0]
    assert [problem.detail for problem in problems] == [
        "the sample names it, the submission does not"
    ]


@pytest.mark.tensorflow
@pytest.mark.parametrize(("key", "name"), [pair for pair in NAMES if FORMS[pair[0]].image])
def test_images_are_packed_in_their_real_mode_or_refused_in_one_line(key, name, tmp_path):
    form, folder = FORMS[key], tmp_path / "competition"
    competition = COMPETITIONS[name]
    truth = read(form.truth, name, form)
    for image in truth.ids:
        path = folder / form.image.replace("{id}", image).replace("{tail}", image[-4:])
        path.parent.mkdir(parents=True, exist_ok=True)
        # The header of a TIFF says what it is; its 800 million pixels need not be there.
        picture = Image.new("L", (30, 40) if path.suffix == ".tiff" else form.shape[::-1], 9)
        picture.convert("I" if form.mode == "I;16" else form.mode).convert(form.mode).save(path)
    (folder / competition.truth_csv).write_text(form.truth)
    options = {"competition": name, "folds": 2, "workers": 1}
    if form.refused:
        with pytest.raises(kit.KitError, match=form.refused) as error:
            kit.pack(folder, tmp_path / "records", **options)
        assert "\n" not in str(error.value)
        return
    assert not kit.pack(folder, tmp_path / "records", **options)["skipped"]
    packed = kit.open_index(tmp_path / "records").truth
    assert table.select_ids(packed, truth.ids) == truth


def test_sizes_and_ids_are_read_from_paths(tmp_path):
    form, wisconsin = FORMS["uw-madison"], COMPETITIONS["uw-madison"]
    path = tmp_path / form.image.replace("{tail}", "0001")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no byte of it is read")
    found = list_images(
        find_source(tmp_path, wisconsin), wisconsin.train_images, wisconsin.image_id
    )
    assert list(found) == ["case123_day20_slice_0001"]
    (path.parent / "slice_0002_360_266_1.50_1.50.png").write_bytes(b"")
    sample, prediction = form.sample.encode(), form.prediction.encode()
    options = {"competition": "uw-madison", "images": tmp_path}
    assert kit.check_csv(prediction, sample, **options)[0] == []
    (problem,) = kit.check_csv(
        form.prediction.replace("28094", "95759").encode(), sample, **options
    )[0]
    assert problem.kind == "run past the last pixel"
    (path.parent / "slice_0001_266_266_1.50_1.50.png").write_bytes(b"another one of that id")
    with pytest.raises(kit.KitError, match="are both image case123_day20_slice_0001"):
        list_images(find_source(tmp_path, wisconsin), wisconsin.train_images, wisconsin.image_id)


def test_a_submission_of_another_form_than_the_samples_is_told(tmp_path):
    old, new = FORMS["severstal with suffixes"], FORMS["severstal"]
    with pytest.raises(kit.KitError, match="column ImageId_ClassId is missing"):
        kit.check_csv(new.prediction.encode(), old.sample.encode(), competition="severstal")
    with pytest.raises(kit.KitError, match="column ImageId is missing"):
        kit.check_csv(old.prediction.encode(), new.sample.encode(), competition="severstal")


def test_labels_that_are_not_set_are_those_of_the_sample(tmp_path):
    open_labels = dataclasses.replace(COMPETITIONS["clouds"], labels=())
    form = FORMS["clouds"]
    options = {"competition": open_labels}
    assert kit.check_csv(form.prediction.encode(), form.sample.encode(), **options)[0] == []
    wrong = form.prediction.replace("Fish", "Fisch").encode()
    kinds = {problem.kind for problem in kit.check_csv(wrong, form.sample.encode(), **options)[0]}
    assert kinds == {
        "unknown label",
        "image and label missing",
        "image and label not in the sample",
    }
    with pytest.raises(kit.KitError, match=r'names no labels.*\{"labels": \[\.\.\.\]\}'):
        kit.read_csv(form.truth.encode(), open_labels)
