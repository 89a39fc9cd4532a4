"""Tuning: threshold and cuts from the maps of a holdout."""
