"""The one error that a user sees: what is wrong, where, and the way out, in one line."""


class KitError(Exception):
    """An input or a call that cannot be used, or work that could not be finished; `kit` prints it as one line, exit status 2."""

    def __init__(self, message: str):
        super().__init__(" ".join(str(message).split()))
