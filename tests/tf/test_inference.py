import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from kit import dense, submission
from kit.errors import KitError
from kit.index import open_index
from kit.objects import Cuts
from kit.tf.inference import compute_maps, load_model, predict, read_cuts, tune


@pytest.fixture(scope="module")
def tuned(model, tmp_path_factory):
    """A copy of the model folder, tuned."""
    copy = shutil.copytree(model, tmp_path_factory.mktemp("tuned") / "model")
    tune(copy, empty_share=0.5)
    return copy


def test_tuning_writes_the_fields_of_the_format(tuned, records):
    result = json.loads((tuned / "tuning.json").read_text())
    assert {"threshold", "empty_share", "f2", "f2_low", "f2_high", "f2_plain", "f2_blank"} <= set(result)
    assert result["f2_low"] <= result["f2"] <= result["f2_high"] and result["empty_share"] == 0.5
    truth = open_index(records, [0]).truth
    assert sorted(path.name for path in (tuned / "maps").glob("*.png")) == sorted(f"{name}.png" for name in truth.ids)


def test_maps_left_by_the_training_are_those_of_the_best_weights(model, tmp_path):
    copy = shutil.copytree(model, tmp_path / "model")
    left = {path.name: path.read_bytes() for path in (copy / "maps").iterdir()}
    shutil.rmtree(copy / "maps")
    compute_maps(copy)
    again = {path.name: path.read_bytes() for path in (copy / "maps").iterdir()}
    assert left == again and len(left) > 5
    (copy / "maps" / "source.sha256").write_text("other weights")
    next((copy / "maps").glob("*.png")).write_bytes(b"stale")
    compute_maps(copy)
    assert left == {path.name: path.read_bytes() for path in (copy / "maps").iterdir()}


def test_prediction_uses_the_tuned_cuts_and_passes_the_check(tuned, practice, tmp_path, capsys):
    predict(tuned, practice, tmp_path / "out.csv")
    assert "tuning.json: threshold" in capsys.readouterr().out
    assert submission.check_csv(tmp_path / "out.csv", practice / "sample_submission_v2.csv")[0] == []


def test_an_untuned_model_says_so_and_uses_threshold_128(model, practice, tmp_path, capsys):
    copy = shutil.copytree(model, tmp_path / "model")
    (copy / "tuning.json").unlink(missing_ok=True)
    found = predict(copy, practice, tmp_path / "out.csv")
    assert "not tuned, so threshold 128 and no cuts" in capsys.readouterr().out and read_cuts(copy) is None
    network, _ = load_model(copy)
    for image, name in enumerate(found.ids):
        pixels = tf.io.decode_jpeg((practice / "test_v2" / name).read_bytes())[None]
        inside = network(pixels, training=False).numpy()[0]
        predicted = dense.to_labels(found, image) > 0
        decided = abs(inside - 127.5 / 255) > 1e-3  # a batch of another size may sum in another order
        assert np.array_equal(predicted[decided], (inside > 127.5 / 255)[decided])


def test_moved_records_are_named_by_an_option(tuned, records, tmp_path):
    copy = shutil.copytree(tuned, tmp_path / "model")
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"records": str(tmp_path / "gone")}))
    with pytest.raises(KitError, match="gone: no such folder of records"):
        tune(copy)
    assert tune(copy, records=records, empty_share=0.5)["threshold"] == read_cuts(tuned).threshold


def test_a_truncated_test_image_is_an_error_before_any_time_is_spent(tuned, practice, tmp_path):
    copy = shutil.copytree(practice, tmp_path / "competition")
    path = sorted((copy / "test_v2").iterdir())[-1]
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(KitError, match=f"{path.name}: is truncated"):
        predict(tuned, copy, tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


def test_an_output_in_a_missing_folder_is_an_error_before_any_time_is_spent(tuned, practice, tmp_path, monkeypatch):
    monkeypatch.setattr("kit.tf.inference.load_model", lambda *_: pytest.fail("the model was loaded"))
    with pytest.raises(KitError, match="there is no folder"):
        predict(tuned, practice, tmp_path / "missing" / "out.csv")


def test_prediction_does_not_depend_on_the_progress_bar(tuned, practice, tmp_path, monkeypatch):
    expected = predict(tuned, practice, tmp_path / "a.csv")
    monkeypatch.setenv("TQDM_DISABLE", "1")
    assert predict(tuned, practice, tmp_path / "b.csv") == expected


@pytest.mark.parametrize("change", [{"decoder": [8]}, {"scale": "x"}, {"competition": {"height": "768"}}, {"fold": None, "seed": -1}])
def test_a_damaged_config_is_named(tuned, practice, tmp_path, change):
    copy = shutil.copytree(tuned, tmp_path / "model")
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(KitError, match=r"config\.json: not the settings of a training"):
        predict(copy, practice, tmp_path / "out.csv")


def test_a_flipped_byte_in_a_shard_is_one_line(tuned, records, tmp_path):
    copy = shutil.copytree(records, tmp_path / "records")
    for path in copy.glob("*fold0*"):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(bytes(data))
    model = shutil.copytree(tuned, tmp_path / "model", ignore=shutil.ignore_patterns("maps"))  # else no image would be read
    with pytest.raises(KitError, match="a shard of the records is damaged"):
        tune(model, records=copy)


def test_weights_of_another_encoder_are_an_error(tuned, practice, tmp_path):
    copy = shutil.copytree(tuned, tmp_path / "model")
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"encoder": "resnet34"}))
    with pytest.raises(KitError, match="not the weights of a U-Net with encoder resnet34"):
        predict(copy, practice, tmp_path / "out.csv")


def test_cuts_come_back_as_tuned(tuned):
    fields = json.loads((tuned / "tuning.json").read_text())
    assert read_cuts(tuned) == Cuts(fields["threshold"], fields["min_area"], fields["min_confidence"])
