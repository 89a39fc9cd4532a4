"""The colors that all plots share (tests: plots/test_contact_sheet.py)."""

TRUTH, PREDICTION = "#56B4E9", "#FFB000"  # sky blue and amber: distinct with any color vision
