"""The format of records, made: inspection, scenes, selection, plan, shards."""
