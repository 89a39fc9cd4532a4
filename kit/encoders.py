"""The encoders of the U-Net, by name (tests: tf/network/test_unet.py)."""

from __future__ import annotations

# What kit.tf knows, named here so that --help need not load it.
ENCODERS = ("resnet18", "resnet34", "efficientnetb0", "mobilenet", "mobilenetv2", "seresnext50", "plain", "slim")
