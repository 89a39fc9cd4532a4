"""What a competition's files are called and mean."""

from __future__ import annotations

import dataclasses
import typing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..errors import KitError
from ..fields import fits
from ..system.files import read_json

CHOICES = {
    "row": ("object", "image", "image and label"),
    "order": ("down", "across", ""),
    "score": ("object-f2", "object-jaccard", "dice", ""),
    "scenes": ("shared blocks", ""),
}


@dataclass(frozen=True)
class Competition:
    """The conventions of one competition; the defaults are those of the Airbus Ship Detection Challenge. It is data: saved as JSON.

    A text of "" or a size of None where the code needs one is open: `need` says so in one line.
    """

    name: str = "airbus"
    train_images: str = "train_v2/{id}"  # path of a training image inside the competition folder
    test_images: str = "test_v2/{id}"
    truth_csv: str = "train_ship_segmentations_v2.csv"
    sample_csv: str = (
        "sample_submission_v2.csv"  # its ids are those to predict, its runs are placeholders
    )
    kaggle: str = "airbus-ship-detection"  # its name in Kaggle's addresses and mounts
    id_column: str = "ImageId"
    runs_column: str = "EncodedPixels"
    label_column: str = ""  # the truth's column with an object's label, if it has one
    label_separator: str = ""  # one character: the id cell is image id, this, label (with a label column: the submission's id cell only)
    labels: tuple[
        str, ...
    ] = ()  # label k of an object is written labels[k]; (): labels are written as whole numbers
    sample_id_column: str = (
        ""  # the submission's columns where they have other names than the truth's
    )
    sample_runs_column: str = ""
    row: str = "object"  # what one row of a CSV holds
    order: str = "down"  # runs go down the columns or across the rows
    relative: bool = False  # a start counts from the end of the run before, from 0; otherwise it is a pixel's number, from 1
    empty: str = ""  # the runs cell of an image (or image and label) without an object
    absent_is_empty: bool = False  # an image without a row in the truth has no object
    height: int | None = (
        768  # px, of every image; None: differs from image to image, or is not known here
    )
    width: int | None = 768
    sample_height: int | None = None  # px, of the submission's masks where they differ
    sample_width: int | None = None
    score: str = "object-f2"
    scenes: str = "shared blocks"  # how tiles of one scene are known: by shared blocks of 256 px; "": not at all

    def __post_init__(self):
        hints = typing.get_type_hints(Competition)
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            legal = fits(value, hints[field.name]) and value in CHOICES.get(field.name, (value,))
            if isinstance(value, int) and not isinstance(value, bool):
                legal &= 0 < value < 2**31
            for text in value if isinstance(value, tuple) else (value,):
                legal &= (
                    not isinstance(text, str) or text.isprintable()
                )  # no line ends, no half characters
            if field.name in ("train_images", "test_images"):
                legal = legal and (value == "" or _is_inside(value, "{id}"))
            elif field.name.endswith("_csv"):
                legal = legal and (value == "" or _is_inside(value, ""))
            if not legal:
                raise KitError(f"not the fields of a competition: {field.name} is {value!r}")
        separator = self.label_separator
        if (
            len(separator) > 1
            or not separator.isascii()
            or len(set(self.labels)) != len(self.labels)
            or "" in self.labels
        ):
            raise KitError(
                "not the fields of a competition: label_separator is one ASCII character, labels are distinct texts"
            )
        if separator and any(separator in label for label in self.labels):
            raise KitError(
                f"not the fields of a competition: a label holds the separator {separator!r}"
            )
        if (
            not self.id_column
            or not self.runs_column
            or len({self.id_column, self.runs_column, self.label_column}) < 3
        ):
            raise KitError(
                "not the fields of a competition: id_column, runs_column and label_column are different names"
            )
        if self.empty.isdecimal() or any(mark in self.empty for mark in ' ,"'):
            raise KitError(
                f"not the fields of a competition: an empty cell of {self.empty!r} cannot be told from others"
            )
        for height, width in ((self.height, self.width), (self.sample_height, self.sample_width)):
            if (height or 1) * (width or 1) >= 2**31:
                raise KitError(
                    f"not the fields of a competition: {height} x {width} px are 2^31 or more"
                )

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) in px; KitError where it is open."""
        return self.need("height"), self.need("width")

    def with_shape(self, shape: tuple[int, int] | None) -> Competition:
        """The same conventions for images of another (height, width)."""
        if shape is None:
            return self
        return dataclasses.replace(
            self, height=shape[0], width=shape[1], sample_height=None, sample_width=None
        )

    def need(self, field: str):
        """The value of a field; KitError where it is open."""
        value = getattr(self, field)
        if value in ("", None, ()):
            way = (
                "give --shape HxW"
                if field in ("height", "width")
                else f'give it in a JSON file: {{"{field}": ...}} with --competition'
            )
            raise KitError(f"competition {self.name}: its {field} is open, and needed here; {way}")
        return value


def _is_inside(path: str, must_hold: str) -> bool:
    """Whether a path of a competition's file stays in its folder."""
    pure = PurePosixPath(path)
    return (
        must_hold in path
        and not pure.is_absolute()
        and ".." not in pure.parts
        and "\\" not in path
        and "\0" not in path
    )


def _publish(name: str, **fields) -> Competition:
    """What is not publicly fixed, or not known here, stays open: "" or None."""
    files = ("train_images", "test_images", "truth_csv", "sample_csv", "kaggle", "score", "scenes")
    return Competition(
        **{"name": name, "height": None, "width": None, **dict.fromkeys(files, ""), **fields}
    )


AIRBUS = Competition()
COMPETITIONS = {
    competition.name: competition
    for competition in (
        AIRBUS,
        _publish(
            "tgs-salt",
            id_column="id",
            runs_column="rle_mask",
            row="image",
            height=101,
            width=101,
            score="object-jaccard",
        ),
        _publish("dsb2018", train_images="stage1_train/{id}/images/{id}.png"),
        _publish(
            "severstal",
            label_column="ClassId",
            label_separator="_",
            sample_id_column="ImageId_ClassId",
            row="image and label",
            absent_is_empty=True,
            height=256,
            width=1600,
            score="dice",
        ),
        _publish(
            "clouds",
            id_column="Image_Label",
            label_separator="_",
            row="image and label",
            height=1400,
            width=2100,
            sample_height=350,
            sample_width=525,
        ),
        _publish("siim-pneumothorax", order="", relative=True, empty="-1"),
        _publish(
            "contrails",
            id_column="record_id",
            runs_column="encoded_pixels",
            row="image",
            empty="-",
            height=256,
            width=256,
        ),
    )
}


def to_json(competition: Competition) -> dict:
    """The fields as a JSON object."""
    return dataclasses.asdict(competition)


def from_json(fields: dict) -> Competition:
    """The reverse of `to_json`; fields left out are Airbus's, unknown or illegal ones raise KitError."""
    values: dict[str, typing.Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()
    }
    try:
        return Competition(**values)
    except TypeError as error:
        raise KitError(f"not the fields of a competition: {error}") from None


def find_competition(name: str) -> Competition:
    """The competition of a name, or the one in a JSON file; KitError where it is neither."""
    if name in COMPETITIONS:
        return COMPETITIONS[name]
    if not name.endswith(".json"):
        raise KitError(
            f"competition {name!r}: not one of {', '.join(COMPETITIONS)}, and not a .json file"
        )
    return from_json(read_json(Path(name), "the fields of a competition"))


def image_path(folder: Path, pattern: str, image_id: str) -> Path:
    """Path of one image by its id, which must be a plain file name (ids come from a CSV: no path may leave the folder)."""
    if (
        image_id != Path(image_id).name
        or image_id in {"", ".", ".."}
        or "\\" in image_id
        or "\0" in image_id
    ):
        raise KitError(f"image id {image_id!r} is not a plain file name")
    return folder / pattern.replace("{id}", image_id)
