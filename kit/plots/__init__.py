"""What is drawn: charts, contact sheets, outlines, small pictures."""
