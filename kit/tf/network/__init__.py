"""The U-Nets, their precision, weights, losses and outputs."""
