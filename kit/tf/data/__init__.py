"""Images and masks of records and folders, as tf.data batches."""
