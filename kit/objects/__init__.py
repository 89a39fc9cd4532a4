"""From a probability map to its objects."""
