"""Self-contained HTML pages about models and data."""
