"""The one error that a user sees: what is wrong, where, and the way out (tests: test_cli.py)."""


class KitError(Exception):
    """An input or a call that cannot be used, or work that could not be finished; `kit` prints it as one line, exit status 2."""

    def __init__(self, message: str):
        super().__init__(printable(" ".join(str(message).split())))


def printable(text: str) -> str:
    """The text with what a terminal would obey (it may be part of a file's name or a CSV's cell) as Python writes it."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)
