"""What every benchmark asks first: are its peers installed, and how large is it?"""

import importlib.util
import os
import sys
from typing import TypeVar

Size = TypeVar("Size")


def need(*modules: str) -> None:
    """Ends the process with a line and status 0 if a module is missing."""
    for name in modules:
        if importlib.util.find_spec(name) is None:
            print(f"skipped: needs {name}; pip install -e '.[train,test]' brings it")
            sys.exit(0)


def choose(usual: Size, smallest: Size) -> Size:
    """`usual`, or `smallest` if the environment has SMALLEST, only to see that all of it runs."""
    return smallest if os.environ.get("SMALLEST") else usual
