"""Making records: inspection, scenes, selection, planning, shards."""
