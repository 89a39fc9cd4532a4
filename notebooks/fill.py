"""The notebooks, run on a practice competition and saved with what they show.

Run: python notebooks/fill.py [NAME.ipynb...] (all of them take an hour on two cores)

They run in a folder of their own. The saved outputs leave out the error stream with its progress
bars, the folder's path, and pages of HTML.
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
            os.environ["KERAS_HOME"] = folder  # not everybody has the weights of this machine
            NotebookClient(
                book, timeout=None, kernel_name="python3", resources={"metadata": {"path": folder}}
            ).execute()
            for cell in book.cells:
                cell.metadata.pop("execution", None)  # the time when it ran
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
    """An output without the folder's path and without pages of HTML."""
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
