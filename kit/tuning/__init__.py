"""Threshold and cuts from the maps of a holdout."""
