"""Reading records: manifest, TFRecords, index, folds."""
