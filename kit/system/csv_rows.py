"""Small CSV files with known columns: they are read whole and every cell is checked."""

import csv
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..errors import KitError


def read_rows(
    path: Path | str, columns: Mapping[str, Callable[[str], Any]], *, key: str | None = None
) -> list[dict[str, Any]]:
    """The rows of a UTF-8 CSV with a header, each a dictionary of the requested columns.

    Other columns are ignored.

    Args:
        path: the file.
        columns: for each column, the function that converts a cell; it raises ValueError if the
            cell has no legal value.
        key: the column whose values must all differ; None: any may repeat.

    Raises:
        KitError: if the file is missing or not a CSV, a column is missing, a cell has no legal
            value, or a key repeats.
    """
    found: list[dict[str, Any]] = []
    seen: set[Any] = set()
    try:
        with open(path, newline="", encoding="utf-8") as file:
            lines = csv.DictReader(file, strict=True)
            missing = [name for name in columns if name not in (lines.fieldnames or ())]
            if missing:
                raise KitError(
                    f"{path}: has no column {missing[0]}; its columns must be {', '.join(columns)}"
                )
            for cells in lines:  # the reader skips blank lines
                where = f"{path} row {lines.line_num}"
                row = {name: _convert(where, name, cells, columns[name]) for name in columns}
                found.append(row)
                if key is not None:
                    if row[key] in seen:
                        raise KitError(f"{where}: {key} {row[key]} appears twice")
                    seen.add(row[key])
    except FileNotFoundError:
        raise KitError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise KitError(f"{path}: cannot be read as a CSV: {error}") from None
    return found


def _convert(where: str, name: str, cells: dict[Any, Any], convert: Callable[[str], Any]) -> Any:
    try:
        if None in cells or cells[name] is None:
            raise ValueError("more or fewer cells than the header has")
        return convert(cells[name])
    except ValueError as error:
        raise KitError(f"{where}: {name} {str(cells[name])[:80]!r}: {error}") from None
