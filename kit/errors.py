"""The one error that users see: what is wrong, where, and the way out (tests: test_cli.py)."""


class KitError(Exception):
    """Unusable input, a wrong call, or work that could not be finished.

    `kit` prints the message as one line and ends with exit status 2.
    """

    def __init__(self, message: str):
        super().__init__(printable(" ".join(str(message).split())))


def printable(text: str) -> str:
    r"""The text with control characters escaped, so that no terminal obeys them.

    A file's name or a CSV's cell may hold such characters.

    >>> printable("a\x07.jpg")
    'a\\x07.jpg'
    """
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)
