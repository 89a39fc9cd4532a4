"""Masks as runs: the table of many images' objects, kernels on runs, their text, dense pixels."""
