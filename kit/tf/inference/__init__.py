"""Inference: from a trained network to maps, tuned cuts and a submission."""
