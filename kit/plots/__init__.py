"""Drawings: charts, contact sheets, outlines, small pictures."""
