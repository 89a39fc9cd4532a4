"""Masks as runs: the table of images and objects, kernels on runs, their text, dense pixels."""
