"""`python -m kit`, the command line (tests: test_cli.py)."""

from .cli import run

if __name__ == "__main__":
    run()
