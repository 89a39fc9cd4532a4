"""Small CSV files with known columns: they are read whole and every cell is checked."""

import csv
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..errors import KitError
from .csv_bytes import load_text


def read_rows(
    source: Any, columns: Mapping[str, Callable[[str], Any]], *, key: str | None = None
) -> list[dict[str, Any]]:
    """The rows of a UTF-8 CSV with a header, each a dictionary of the requested columns.

    Other columns are ignored.

    Args:
        source: a path, bytes, (name, bytes), or a DataFrame of pandas or polars.
        columns: for each column, the function that converts a cell; it raises ValueError if the
            cell has no legal value.
        key: the column whose values must all differ; None: any may repeat.

    Raises:
        KitError: if the source is missing or not a CSV, a column is missing, a cell has no legal
            value, or a key repeats.
    """
    found: list[dict[str, Any]] = []
    seen: set[Any] = set()
    name, data = load_text(source)
    if isinstance(source, str | Path):
        name = str(source)
    try:
        text = io.StringIO(data.tobytes().decode("utf-8-sig"), newline="")
        lines = csv.DictReader(text, strict=True)
        lines.fieldnames = [title.strip() for title in lines.fieldnames or ()]
        missing = [title for title in columns if title not in lines.fieldnames]
        if missing:
            raise KitError(
                f"{name}: has no column {missing[0]}; its columns must be {', '.join(columns)}"
            )
        for cells in lines:  # the reader skips blank lines
            where = f"{name} row {lines.line_num}"
            row = {title: _convert(where, title, cells, columns[title]) for title in columns}
            found.append(row)
            if key is not None:
                if row[key] in seen:
                    raise KitError(f"{where}: {key} {row[key]} appears twice; remove one row")
                seen.add(row[key])
    except csv.Error as error:
        raise KitError(f"{name}: cannot be read as a CSV: {error}") from None
    return found


def _convert(where: str, name: str, cells: dict[Any, Any], convert: Callable[[str], Any]) -> Any:
    try:
        if None in cells or cells[name] is None:
            raise ValueError("more or fewer cells than the header has")
        return convert(cells[name])
    except ValueError as error:
        raise KitError(f"{where}: {name} {str(cells[name])[:80]!r}: {error}") from None
