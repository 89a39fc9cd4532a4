"""Counts of hits, scores as small functions of them, intervals, and what went wrong."""
