"""Checksums, and JSON files that reveal whether they were changed."""

import hashlib
import json
from pathlib import Path
from typing import Any

from ..errors import KitError
from .files import read_json


def seal(fields: dict[str, Any]) -> bytes:
    """A JSON object whose last field is the SHA-256 of all others; one line per field."""
    lines = [
        f"{json.dumps(name)}: {json.dumps(value, allow_nan=False)}"
        for name, value in fields.items()
    ]
    lines.append(f'"sha256": "{digest(" ".join(lines).encode())}"')
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def unseal(path: Path, what: str) -> dict[str, Any]:
    """The fields of a sealed JSON file; `what` says in errors what the file is.

    Raises:
        KitError: if the file is missing or not as it was written.
    """
    fields = read_json(path, what)
    fields.pop("sha256", None)
    try:
        whole = seal(fields) == path.read_bytes()
    except (OSError, ValueError):
        whole = False
    if not whole:
        raise KitError(f"{path}: is damaged, or was changed by hand ({what})")
    return fields


def digest(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def digest_file(path: Path) -> str | None:
    """SHA-256 of a file in hexadecimal; None if the file is missing or unreadable."""
    if not path.is_file():
        return None
    try:
        with open(path, "rb", buffering=0) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
