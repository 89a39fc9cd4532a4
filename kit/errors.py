"""The one error that users see: what is wrong, where, and the way out (tests: test_cli.py)."""

import contextlib
from collections.abc import Iterator

# Modules of the extra `train`, with what segmentation_models needs.
_TRAIN = {"tensorflow", "keras", "tensorflow_datasets", "sklearn", "segmentation_models"}
_TRAIN |= {"classification_models", "efficientnet", "keras_applications"}


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


@contextlib.contextmanager
def naming_extra() -> Iterator[None]:
    """Turns the error that a module of an extra is not installed into a KitError that names both.

    It is also a decorator of functions.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        name = (error.name or "").split(".")[0]
        if name not in _TRAIN:
            raise
        raise KitError(f"this needs {name}; in the kit's folder: pip install '.[train]'") from None
