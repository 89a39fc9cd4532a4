"""A training step of every encoder beside resnet34's, and of every decoder beside unet's.

Run: make bench; some encoders, without the decoders: python benchmarks/encoders.py NAME...

A step is that of kit train by default, 8 crops of 256 px that stay in memory, as kit encoders
--measure takes it. The two peers of a line take turns in the same process; a rate is the median
over the rounds, and so is the ratio. Weights are random: they change no time.
"""

import os
import sys
from collections.abc import Callable
from functools import partial

from start import choose, need
from turns import alternate, compare_rates, spend

from kit.encoders import DECODERS, ENCODERS

BATCH, CROP = 8, choose(256, 64)
PEER = choose("resnet34", "slim")
USUAL = sorted(ENCODERS, key=lambda name: ENCODERS[name].gflops)
DECODED = choose("efficientnetlite0", "slim")  # the encoder of all decoders
ROUNDS = 5


def make_turn(encoder: str, decoder: str | None = None) -> Callable:
    """Work for `alternate`: one training step."""
    from kit.tf.training.measurement import make_work

    return partial(spend, make_work(encoder, decoder, batch=BATCH, crop=CROP), BATCH)


def compare(title: str, turn: Callable, peer: Callable, name: str) -> None:
    seen = alternate({"ours": turn, "peer": peer}, ROUNDS)
    compare_rates(title, seen["ours"], seen["peer"], name)


def main() -> None:
    need("tensorflow", "tensorflow_datasets")
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    peer = make_turn(PEER)
    for name in sys.argv[1:] or choose(USUAL, ["plain"]):
        compare(f"encoder {name}, {BATCH} crops of {CROP} px", make_turn(name), peer, PEER)
    if sys.argv[1:]:
        return
    from kit.tf.network.decoders import DECODER_BUILDERS

    peer = make_turn(DECODED, "unet")
    for decoder in DECODERS:
        if decoder in DECODER_BUILDERS and decoder not in ("unet", "plain"):
            title = f"decoder {decoder} of {DECODED}, {BATCH} crops of {CROP} px"
            compare(title, make_turn(DECODED, decoder), peer, "unet")


if __name__ == "__main__":
    main()
