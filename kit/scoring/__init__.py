"""Hits first, then scores as small functions of them, with intervals and explanations."""
