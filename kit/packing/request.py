"""What kit pack was asked to do (tests: packing/test_plan.py)."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from ..competition import conventions, csv_masks
from ..competition.conventions import Competition
from ..competition.sizes import LARGEST
from ..competition.sources import Source
from ..masks import rle
from ..masks.table import Masks
from ..settings import PackSettings
from ..system import seals


@dataclass(frozen=True)
class Request:
    """Source, settings and truth: all that a plan depends on, except the images."""

    source: Source
    competition: Competition
    settings: PackSettings
    truth: bytes  # the truth CSV

    @property
    def fields(self) -> dict[str, Any]:
        """What a later run must ask for to resume a plan, as JSON fields.

        They leave out the workers, which change no byte, and the source, which may move.
        """
        settings = dataclasses.asdict(self.settings)
        del settings["workers"]
        return {
            "competition": conventions.to_json(self.competition),
            "settings": settings,
            "truth_sha256": seals.digest(self.truth),
        }

    def read_truth(self, shapes: dict[str, tuple[int, int]] | None = None) -> Masks:
        """The masks of the truth CSV. Raises KitError at the first illegal row.

        shapes: height and width of each image by id, px, if the competition has no common size.
        """
        sizes = None if shapes is None else _Sizes(shapes)
        found: Masks = csv_masks.read_csv(
            (self.competition.truth_csv, self.truth), self.competition, shapes=sizes
        )
        return found

    def read_misfits(self, shapes: dict[str, tuple[int, int]]) -> tuple[Masks, dict[str, str]]:
        """The masks of the truth CSV, and the reason for each image that is too small for its runs.

        shapes: as in `read_truth`. Raises KitError if a row is illegal in any other way.
        """
        file = (self.competition.truth_csv, self.truth)
        found, problems = csv_masks.read_csv(
            file, self.competition, shapes=_Sizes(shapes), strict=False
        )
        if set(problems.kind) - {rle.PROBLEMS[5]}:
            self.read_truth(shapes)
        return found, {
            image: f"row {row}: {detail}"
            for image, row, detail in zip(problems.image, problems.row, problems.detail)
        }


class _Sizes(dict[str, tuple[int, int]]):
    """Image sizes. An image without a size gets the largest possible one.

    So its rows can be read; the image itself is left out later.
    """

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> tuple[int, int]:
        return LARGEST
