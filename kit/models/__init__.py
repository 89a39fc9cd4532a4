"""A model folder, read and written without TensorFlow."""
