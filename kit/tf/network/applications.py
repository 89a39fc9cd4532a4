"""The encoders of keras.applications: EfficientNetV2, ConvNeXt and ResNetV2.

Of each, the part that makes its features is kept; what only a classifier needs is left out.
"""

from collections.abc import Callable

import keras


def application_encoder(name: str, weights: str | None) -> keras.Model:
    """Builds a model from floats (batch, height, width, 3) to features by ascending stride.

    Args:
        name: of the encoder in ENCODERS.
        weights: path of an .h5 file with its weights without the classifier; None: random ones.
    """
    build, find, options = APPLICATIONS[name]
    whole = build(include_top=False, weights=weights, input_shape=(None, None, 3), **options)
    return keras.Model(whole.input, find(whole))


def _find_efficientnet(whole: keras.Model) -> list:
    """What the stages give before the next halves the size, and what the last one gives."""
    blocks = [layer for layer in whole.layers if layer.name.startswith("block")]
    stages = {layer.name[len("block")]: layer.output for layer in blocks}  # the last layer wins
    return [stages[stage] for stage in ("1", "2", "3", "5", max(stages))]


def _find_convnext(whole: keras.Model) -> list:
    """What the stages give before the next halves the size, and the last one's, normalized."""
    halving = [f"{whole.name}_downsampling_block_{stage}" for stage in range(3)]
    return [*(whole.get_layer(name).input for name in halving), whole.output]


def _find_resnet(whole: keras.Model) -> list:
    """What the halving block of each stage, its last one, reads, and what the last stage gives."""
    names = ("conv2_block3_preact", "conv3_block4_preact", "conv4_block6_preact", "post")
    layers = ["conv1_conv", *(f"{name}_relu" for name in names)]
    return [whole.get_layer(name).output for name in layers]


# Of each encoder: its builder, what finds its features, options of the builder. Pixels come scaled.
APPLICATIONS: dict[str, tuple[Callable, Callable, dict]] = {
    **{
        f"efficientnetv2-{size.lower()}": (
            getattr(keras.applications, f"EfficientNetV2{size}"),
            _find_efficientnet,
            {"include_preprocessing": False},
        )
        for size in ("B0", "B1", "B2", "B3", "S", "M")
    },
    **{
        f"convnext_{size.lower()}": (
            getattr(keras.applications, f"ConvNeXt{size}"),
            _find_convnext,
            {"include_preprocessing": False},
        )
        for size in ("Tiny", "Small")
    },
    "resnet50v2": (keras.applications.ResNet50V2, _find_resnet, {}),
}
