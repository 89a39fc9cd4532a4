"""Is this machine ready; a notebook's folders on Kaggle."""
