"""Runs the notebooks in a folder of their own, on a practice competition, and keeps what they show.

Run: python notebooks/fill.py [NAME.ipynb...] (an hour on two cores for all of them). Left out are the error stream with its progress bars,
the folder's path, and pages of HTML.
"""

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parent


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for path in [FOLDER / name for name in sys.argv[1:]] or sorted(FOLDER.glob("*.ipynb")):
            print(path.name, flush=True)
            book = nbformat.read(path, 4)
            os.environ["KERAS_HOME"] = folder  # weights that are somewhere here are not everybody's
            NotebookClient(
                book, timeout=None, kernel_name="python3", resources={"metadata": {"path": folder}}
            ).execute()
            for cell in book.cells:
                cell.metadata.pop("execution", None)  # when it ran
                if cell.cell_type == "code":
                    cell.outputs = [
                        clean(output, folder)
                        for output in cell.outputs
                        if output.get("name") != "stderr"
                    ]
            book.metadata = {
                "kernelspec": book.metadata["kernelspec"],
                "language_info": {"name": "python"},
            }
            nbformat.write(book, path)


def clean(output, folder: str):
    """An output without the path of the folder, and without what is no text, picture or table."""
    if "text" in output:
        output.text = output.text.replace(folder, ".")
    for kind, text in list(output.get("data", {}).items()):
        if isinstance(text, str) and "<iframe" in text:
            del output.data[kind]
        elif kind.startswith("text/"):
            output.data[kind] = text.replace(folder, ".")
    return output


if __name__ == "__main__":
    main()
