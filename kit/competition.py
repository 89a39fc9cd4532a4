"""What a competition's files are called and mean, and finding them in a folder."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from .errors import KitError


@dataclass(frozen=True)
class Competition:
    """The conventions of one competition; the defaults are those of the Airbus Ship Detection Challenge. It is data: saved as JSON."""

    train_images: str = "train_v2"  # folder of the training images, inside the competition folder
    test_images: str = "test_v2"  # folder of the test images
    truth_csv: str = "train_ship_segmentations_v2.csv"  # one row an object, a blank cell for an image without one
    sample_csv: str = "sample_submission_v2.csv"  # its ids are those to predict, its runs are placeholders
    id_column: str = "ImageId"
    runs_column: str = "EncodedPixels"
    height: int = 768  # px, of every image
    width: int = 768  # px
    scenes_csv: str = "truth/tiles.csv"  # ImageId,scene,x,y where scenes are known (practice competitions)

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) in px."""
        return self.height, self.width

    def with_shape(self, shape: tuple[int, int] | None) -> Competition:
        """The same conventions for images of another (height, width)."""
        return self if shape is None else dataclasses.replace(self, height=shape[0], width=shape[1])


AIRBUS = Competition()


def to_json(competition: Competition) -> dict:
    """The fields as a JSON object."""
    return dataclasses.asdict(competition)


def from_json(fields: dict) -> Competition:
    """The reverse of `to_json`; unknown or missing fields raise KitError."""
    try:
        found = Competition(**fields)
    except TypeError as error:
        raise KitError(f"not the fields of a competition: {error}") from None
    for field in dataclasses.fields(found):
        value, wanted = getattr(found, field.name), type(field.default)
        if type(value) is not wanted or (isinstance(value, int) and not 0 < value < 2**15):
            raise KitError(f"not the fields of a competition: {field.name} is {value!r}")
    return found


def find_folder(path) -> Path:
    """`path` as the folder of a competition; KitError where it is none."""
    folder = Path(path)
    if not folder.exists():
        raise KitError(f"{folder}: no such folder; give the folder that holds {AIRBUS.truth_csv}, or make one: kit practice {folder}")
    if not folder.is_dir():
        raise KitError(f"{folder}: is not a folder; give the folder that holds {AIRBUS.truth_csv}")
    return folder


def find_file(folder: Path, name: str, what: str) -> Path:
    """The file `name` inside `folder`; KitError naming `what` it is where it is missing."""
    path = folder / name
    if not path.is_file():
        raise KitError(f"{folder}: holds no {name} ({what}); is it the competition's folder?")
    return path


def list_images(folder: Path, name: str) -> dict[str, Path]:
    """Paths of the images in the subfolder `name` by id (the file name), sorted by id; hidden files are passed over."""
    images = folder / name
    if not images.is_dir():
        raise KitError(f"{folder}: holds no folder {name} with images; is it the competition's folder?")
    found = {path.name: path for path in sorted(images.iterdir()) if path.is_file() and not path.name.startswith(".")}
    if not found:
        raise KitError(f"{images}: the folder is empty; copy the competition's images into it")
    return found


def image_path(folder: Path, name: str, image_id: str) -> Path:
    """Path of one image by its id, which must be a plain file name (ids come from a CSV: no path may leave the folder)."""
    if image_id != Path(image_id).name or image_id in {"", ".", ".."} or "\\" in image_id or "\0" in image_id:
        raise KitError(f"image id {image_id!r} is not a plain file name")
    return folder / name / image_id


def read_json(path: Path, what: str) -> dict:
    """The JSON object in `path`; KitError where it is missing, no JSON, or no object."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise KitError(f"{path}: missing ({what})") from None
    except (OSError, ValueError) as error:
        raise KitError(f"{path}: cannot be read as JSON ({what}): {error}") from None
    if not isinstance(found, dict):
        raise KitError(f"{path}: holds no JSON object ({what})")
    return found
