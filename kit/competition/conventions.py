"""What a competition's files are called and what their contents mean."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from string import Formatter
from typing import Any, Self

from ..errors import KitError
from ..fields import Checked, setting

ROWS = "object", "image", "image and label"
_WRONG = "not the fields of a competition"


@dataclass(frozen=True)
class Competition(Checked):
    """The conventions of one competition, by default the Airbus Ship Detection Challenge.

    It is data alone and is saved as JSON. A text of "", a size of None and labels of () are not
    set; where the code needs one, `need` raises an error.

    Raises:
        KitError: if a field has no legal value, or two fields contradict each other.

    >>> Competition(name="mine", row="image", height=256, width=256).shape
    (256, 256)
    """

    name: str = setting("airbus", "the competition's name")
    train_images: str = setting(
        "train_v2/{id}",
        "path of a training image inside the competition folder; {width} and {height} are digits, "
        "any other {name} is a part that `image_id` may name",
    )
    test_images: str = setting("test_v2/{id}", "as train_images, of a test image")
    image_id: str = setting("{id}", "the image id, made of the parts that the paths name")
    truth_csv: str = setting("train_ship_segmentations_v2.csv", "path of the truth")
    sample_csv: str = setting(
        "sample_submission_v2.csv",
        "path of the sample: its ids are those to predict, its runs are placeholders",
    )
    kaggle: str = setting(
        "airbus-ship-detection", "the competition's name in Kaggle's addresses and mounts"
    )
    id_column: str = setting("ImageId", "the truth's column with the id cell")
    runs_column: str = setting("EncodedPixels", "the truth's column with the runs")
    label_column: str = setting("", "the truth's column with an object's label, if it has one")
    label_separator: str = setting(
        "",
        "one character: the id cell is image id, this character, label (if there is a label "
        "column, the submission's id cell only)",
    )
    labels: tuple[str, ...] = setting(
        (), "label k of an object is written labels[k]; (): labels are written as whole numbers"
    )
    sample_id_column: str = setting("", "the submission's id column, if not the truth's")
    sample_runs_column: str = setting("", "the submission's runs column, if not the truth's")
    row: str = setting("object", "what one row of a CSV holds", choices=ROWS)
    sample_row: str = setting(
        "", "what one row of the submission holds, if not as in the truth", choices=("", *ROWS)
    )
    order: str = setting(
        "down", "runs go down the columns or across the rows", choices=("down", "across", "")
    )
    relative: bool = setting(
        False,
        "a start counts from the end of the run before, from 0; otherwise it is a pixel's number, "
        "from 1",
    )
    empty: str = setting("", "the runs cell of an image (or image and label) without an object")
    absent_is_empty: bool = setting(
        False, "an image without a row in the truth has no object, instead of being unknown"
    )
    height: int | None = setting(
        768,
        "of every image, px; None: it differs from image to image, or is not known here",
        low=1,
        high=2**31 - 1,
    )
    width: int | None = setting(768, "as height", low=1, high=2**31 - 1)
    sample_height: int | None = setting(
        None, "of the submission's masks, px, if not the image's", low=1, high=2**31 - 1
    )
    sample_width: int | None = setting(None, "as sample_height", low=1, high=2**31 - 1)
    score: str = setting(
        "object-f2",
        "the competition's score",
        choices=("object-f2", "object-jaccard", "dice", "global-dice", ""),
    )
    scenes: str = setting(
        "shared blocks",
        'how tiles of one scene are recognized: by shared blocks of 256 px; "": not at all',
        choices=("shared blocks", ""),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for field in dataclasses.fields(self):
            value, name = getattr(self, field.name), self._spell(field.name)
            for text in value if isinstance(value, tuple) else (value,):
                if isinstance(text, str) and not text.isprintable():
                    raise KitError(f"{name} {text!r}: must be printable text")
            if field.name.endswith(("_images", "_csv")) and value and not _is_inside(value):
                raise KitError(f"{name} {value!r}: must be a path inside the competition folder")
            if field.name.endswith("_images") and value:
                missing = _list_parts(self.image_id) - _list_parts(value)
                if missing:
                    raise KitError(f"{name} {value!r}: must contain {{{min(missing)}}}")
        separator = self.label_separator
        if len(separator) > 1 or not separator.isascii():
            raise KitError(f"{_WRONG}: label_separator {separator!r}: must be one ASCII character")
        if len(set(self.labels)) != len(self.labels) or "" in self.labels:
            raise KitError(f"{_WRONG}: labels must be distinct and not empty")
        if separator and any(separator in label for label in self.labels):
            raise KitError(f"{_WRONG}: a label holds the separator {separator!r}")
        columns = {self.id_column, self.runs_column, self.label_column}
        if not self.id_column or not self.runs_column or len(columns) < 3:
            raise KitError(
                f"{_WRONG}: id_column, runs_column and label_column must be different names"
            )
        if self.empty.isdecimal() or any(mark in self.empty for mark in ' ,"'):
            raise KitError(f"{_WRONG}: empty {self.empty!r}: could be mistaken for other cells")
        for height, width in ((self.height, self.width), (self.sample_height, self.sample_width)):
            if (height or 1) * (width or 1) >= 2**31:
                raise KitError(f"{_WRONG}: {height} x {width} px: must be below 2^31 px")

    @staticmethod
    def _spell(name: str) -> str:
        return f"{_WRONG}: {name}"

    def __repr__(self) -> str:
        """The name, and the fields that differ from Airbus's."""
        other = [
            f", {field.name}={getattr(self, field.name)!r}"
            for field in dataclasses.fields(self)
            if field.name != "name" and getattr(self, field.name) != field.default
        ]
        return f"Competition({self.name!r}{''.join(other)})"

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) in px; raises KitError if it is not set."""
        return self.need("height"), self.need("width")

    def with_shape(self, shape: tuple[int, int] | str | None) -> Self:
        """The same conventions for images of another size; None: the same images.

        shape: (height, width) in px, or the text HEIGHTxWIDTH.
        """
        if shape is None:
            return self
        if isinstance(shape, str):
            shape = read_shape(shape)
        return dataclasses.replace(
            self, height=shape[0], width=shape[1], sample_height=None, sample_width=None
        )

    def need(self, field: str) -> Any:
        """The value of a field; raises KitError if it is not set."""
        value = getattr(self, field)
        if value in ("", None, ()):
            way = f'give it in a JSON file: {{"{field}": ...}} with --competition'
            if field in ("height", "width"):
                way = "give --shape HxW, or --images with a folder or CSV if sizes differ"
            raise KitError(
                f"competition {self.name}: its {field} is not set, but needed here; {way}"
            )
        return value


def _list_parts(pattern: str) -> set[str]:
    """The names in braces of a path or an id."""
    try:
        found = [
            "" if form or conversion else name  # a form such as {id:>9999} may fill the memory
            for _, name, form, conversion in Formatter().parse(pattern)
            if name is not None
        ]
    except ValueError:
        found = [""]
    if not found or not all(name.isidentifier() for name in found):
        raise KitError(f"{_WRONG}: {pattern!r}: must have names in braces, such as {{id}}")
    return set(found)


def _is_inside(path: str) -> bool:
    """Whether a path of a competition's file stays in its folder."""
    pure = PurePosixPath(path)
    return not pure.is_absolute() and ".." not in pure.parts and "\\" not in path


AIRBUS = Competition()


def read_shape(text: str) -> tuple[int, int]:
    """Height and width in px from HEIGHTxWIDTH.

    >>> read_shape("768x512")
    (768, 512)

    Raises:
        KitError: if the text is anything else, or the image too large.
    """
    sides = text.lower().split("x")
    if len(sides) == 2 and all(side.isdecimal() and int(side) for side in sides):
        height, width = map(int, sides)
        if height * width < 2**31:
            return height, width
    raise KitError(f"{text!r}: expected HEIGHTxWIDTH in px, such as 768x768")


def to_json(competition: Competition) -> dict[str, Any]:
    """The fields as a JSON object."""
    return dataclasses.asdict(competition)


def from_json(fields: dict[str, Any]) -> Competition:
    """The reverse of `to_json`; fields left out are Airbus's.

    Raises:
        KitError: if a field is unknown or has no legal value.
    """
    try:
        return Competition(**fields)
    except TypeError as error:
        raise KitError(f"{_WRONG}: {error}") from None


def image_path(folder: Path, pattern: str, image_id: str) -> Path:
    """The path of one image.

    Ids come from a CSV, and no path may leave the folder: an id must be a plain file name.

    Raises:
        KitError: if it is not.
    """
    if (
        image_id != Path(image_id).name
        or image_id in {"", ".", ".."}
        or "\\" in image_id
        or "\0" in image_id
    ):
        raise KitError(f"image id {image_id!r} is not a plain file name")
    return folder / pattern.replace("{id}", image_id)
