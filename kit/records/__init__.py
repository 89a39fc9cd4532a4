"""The format of records, read: manifest, TFRecords, index, folds."""
