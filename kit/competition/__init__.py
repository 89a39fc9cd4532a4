"""What a competition's files are called and hold: conventions, sources, images, CSVs."""
