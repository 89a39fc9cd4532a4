"""EfficientNet-Lite 0, 1 and 2 (Tan 2019, EfficientNet, and TensorFlow's variant for phones).

It has no squeeze-and-excitation and ReLU6 for swish. The weights are PyTorch's conversion of
TensorFlow's own.
"""

import keras

from ...errors import KitError
from ...system.torch_file import read_torch

# Of each stage: blocks, kernel size, stride, expansion, filters. The stem has 32 filters.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_DEEPER = (1, 3, 3, 4, 4, 5, 1)  # the blocks of Lite1 and Lite2
_WIDER = (16, 24, 48, 88, 120, 208, 352)  # the filters of Lite2
STEM, HEAD, CLASSES = 32, 1280, 1000
# What our layers are called in the file.
_PARTS = {
    "expand": ("_expand_conv", "_bn0"),
    "depthwise": ("_depthwise_conv", "_bn1"),
    "project": ("_project_conv", "_bn2"),
}
_ENDS = {"stem": ("_conv_stem", "_bn0"), "head": ("_conv_head", "_bn1")}
_NORM = ("weight", "bias", "running_mean", "running_var")


def lite_encoder(name: str, weights: str | None) -> keras.Model:
    """Builds a model from floats (batch, height, width, 3) to features at strides 2, 4, 8, 16, 32.

    Features are outputs of whole blocks: 16, 24, 40, 112 and 320 channels in Lite0.

    Args:
        name: efficientnetlite0, efficientnetlite1 or efficientnetlite2.
        weights: path of the file of PyTorch; None: random weights.

    Raises:
        KitError: if the file is damaged or belongs to another network.
    """
    images = keras.Input((None, None, 3), name="values")
    found = _build_blocks(images, name)
    encoder = keras.Model(images, [found[stage] for stage in (0, 1, 2, 4, 6)])
    return encoder if weights is None else _fill(encoder, weights, name)


def lite_classifier(name: str, weights: str | None) -> keras.Model:
    """Builds the whole classifier, from floats to the logits of ImageNet's classes (batch, 1000).

    Arguments and errors are those of `lite_encoder`.
    """
    images = keras.Input((None, None, 3), name="values")
    values = _convolve(_build_blocks(images, name)[-1], "head", keras.layers.Conv2D, HEAD, 1)
    values = keras.layers.GlobalAveragePooling2D(name="average")(values)
    classifier = keras.Model(images, keras.layers.Dense(CLASSES, name="classes")(values))
    return classifier if weights is None else _fill(classifier, weights, name)


def _build_blocks(values, name: str) -> list:
    """Adds the stem and all blocks; returns what each stage gives."""
    number = int(name[-1])
    values = _convolve(values, "stem", keras.layers.Conv2D, STEM, 3, 2)
    found, block = [], 0
    for stage, (blocks, kernel, stride, expansion, filters) in enumerate(_STAGES):
        for repeat in range(_DEEPER[stage] if number else blocks):
            values = _build_block(
                values,
                f"block{block}",
                kernel=kernel,
                stride=1 if repeat else stride,
                expansion=expansion,
                filters=_WIDER[stage] if number == 2 else filters,
            )
            block += 1
        found.append(values)
    return found


def _build_block(values, name: str, *, kernel: int, stride: int, expansion: int, filters: int):
    """Adds an inverted residual block (Sandler 2018, MobileNetV2)."""
    layers, start, channels = keras.layers, values, values.shape[-1]
    if expansion > 1:
        values = _convolve(values, f"{name}_expand", layers.Conv2D, channels * expansion, 1)
    values = _convolve(values, f"{name}_depthwise", layers.DepthwiseConv2D, kernel, stride)
    values = _convolve(values, f"{name}_project", layers.Conv2D, filters, 1, active=False)
    if stride > 1 or channels != filters:
        return values
    return layers.Add(name=f"{name}_add")([start, values])


def _convolve(values, name: str, make, *form, active: bool = True):
    """Adds a convolution made by `make(*form)`, a batch norm and, if `active`, a ReLU6."""
    spread = keras.initializers.VarianceScaling(2.0, "fan_out")
    kernel = (
        "depthwise_initializer" if make is keras.layers.DepthwiseConv2D else "kernel_initializer"
    )
    options = {"padding": "same", "use_bias": False, kernel: spread}
    values = make(*form, name=f"{name}_conv", **options)(values)
    values = keras.layers.BatchNormalization(epsilon=1e-3, name=f"{name}_norm")(values)
    return keras.layers.ReLU(6.0, name=f"{name}_relu")(values) if active else values


def _fill(network: keras.Model, path: str, name: str) -> keras.Model:
    """Gives a network the weights of a file."""
    arrays = read_torch(path)
    try:
        for layer in network.layers:
            if layer.weights:
                layer.set_weights(_pick(arrays, layer))
    except (KeyError, ValueError) as error:
        raise KitError(f"{path}: not the weights of {name}: {error}") from None
    return network


def _pick(arrays: dict, layer: keras.layers.Layer) -> list:
    """The weights of a layer, in Keras's order of axes."""
    owner, _, part = layer.name.rpartition("_")
    if layer.name == "classes":
        return [arrays["_fc.weight"].T, arrays["_fc.bias"]]
    if owner in _ENDS:
        prefix, names = "", _ENDS[owner]
    else:
        block, _, kind = owner.partition("_")
        prefix, names = f"_blocks.{block[len('block') :]}.", _PARTS[kind]
    convolution, norm = (prefix + each for each in names)
    if part == "norm":
        return [arrays[f"{norm}.{each}"] for each in _NORM]
    # PyTorch's kernels are (filters, channels, height, width), a depthwise one (channels, 1, ...).
    axes = (2, 3, 0, 1) if isinstance(layer, keras.layers.DepthwiseConv2D) else (2, 3, 1, 0)
    return [arrays[f"{convolution}.weight"].transpose(axes)]
