"""Is this machine ready; its encoders; a notebook's folders on Kaggle."""
