"""Small CSV files whose columns are known: read whole, every cell checked."""

import csv
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..errors import KitError


def read_rows(
    path: Path | str, columns: Mapping[str, Callable[[str], Any]], *, key: str | None = None
) -> list[dict[str, Any]]:
    """The rows of a CSV in UTF-8 with a header, each a dictionary of the columns asked for; other columns are ignored.

    Args:
        path: the file.
        columns: by name, the function that turns a cell into a value, and raises ValueError if it cannot.
        key: the column whose values must all differ; None: any may repeat.

    Raises:
        KitError: if the file is missing or no CSV, a column is missing, a cell has no legal value, or a key repeats.
    """
    found: list[dict[str, Any]] = []
    seen: set = set()
    try:
        with open(path, newline="", encoding="utf-8") as file:
            lines = csv.DictReader(file, strict=True)
            missing = [name for name in columns if name not in (lines.fieldnames or ())]
            if missing:
                raise KitError(
                    f"{path}: has no column {missing[0]}; its columns must be {', '.join(columns)}"
                )
            for cells in lines:  # blank lines are passed over
                where = f"{path} row {lines.line_num}"
                found.append(
                    {
                        name: _convert(where, name, cells, convert)
                        for name, convert in columns.items()
                    }
                )
                if key is not None:
                    if found[-1][key] in seen:
                        raise KitError(f"{where}: {key} {found[-1][key]} is there twice")
                    seen.add(found[-1][key])
    except FileNotFoundError:
        raise KitError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise KitError(f"{path}: cannot be read as a CSV: {error}") from None
    return found


def _convert(where: str, name: str, cells: dict, convert: Callable[[str], Any]):
    try:
        if None in cells or cells[name] is None:
            raise ValueError("more or fewer cells than the header has")
        return convert(cells[name])
    except ValueError as error:
        raise KitError(f"{where}: {name} {str(cells[name])[:80]!r}: {error}") from None
