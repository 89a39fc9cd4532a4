"""From objects to a checked CSV that Kaggle takes."""
