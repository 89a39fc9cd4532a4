"""The gallery of a page: images with the outlines of truth and prediction, the worst first."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ..competition.images import decode
from ..masks import table
from ..models.evaluation import Evaluation
from ..plots import webp
from ..plots.contact_sheet import frame_objects
from ..plots.outlines import trace
from ..plots.webp import Picture
from ..records.index import Index
from ..scoring.groups import COUNTS, group_counts
from ..system.progress import bar

TEXT = 14  # a card is so many times as high as its numbers
# Only the largest predicted objects of an image are outlined: an untrained network finds thousands.
DRAWN = 100
PICTURES = 14_000_000  # characters of a page's pictures and outlines; keeps the page below 15 MB
WORDS = {"alarm": "false alarm", "missed": "missed", "merged": "merged", "split": "split"}


@dataclass(frozen=True)
class Object:
    """A true object of a card."""

    path: str
    iou: float | None  # the best with a predicted object; None: unknown
    x: float  # of the IoU's text, px
    y: float
    below: bool  # whether the text is below the object, since there is no room above


@dataclass(frozen=True)
class Card:
    """One image of the gallery, as one model sees it."""

    name: str
    width: int
    height: int
    frame: tuple[int, int, int, int]  # left, top, width, height in px: around the objects
    truth: list[Object]
    predicted: list[str]  # paths of the largest predicted objects
    found: int  # number of predicted objects
    f2: float | None
    area: int  # px of all true objects
    group: str  # one of COUNTS
    kinds: list[str]  # of mistakes
    picture: Picture | None = None

    @property
    def words(self) -> str:
        """The kinds of mistakes, in words."""
        return ", ".join(WORDS[kind] for kind in self.kinds)

    @property
    def alt(self) -> str:
        """The picture in words, for screen readers."""
        text = f"Image {self.name}: {len(self.truth)} in the truth, {self.found} predicted"
        if self.f2 is not None:
            text += f", F2 {self.f2:.2f}"
        return f"{text}, {self.words}" if self.kinds else text

    @property
    def text(self) -> float:
        """Height of the numbers, px of the image."""
        return round(self.frame[2] / TEXT, 1)

    @property
    def size(self) -> int:
        """Characters that the card takes in addition to its picture, roughly."""
        paths = sum(len(path) + 40 for path in self.predicted)
        paths += sum(len(item.path) + 100 for item in self.truth)
        return 550 + 4 * len(self.name) + paths


def rank_images(evaluation: Evaluation) -> np.ndarray:
    """Places of the images, the worst first: by F2, then by the number of mistakes."""
    mistakes = evaluation.mistakes
    number = mistakes.alarms + mistakes.missed + mistakes.merged + mistakes.split
    return np.lexsort((-number, evaluation.f2))


def fill(
    index: Index, places: Iterable[int], budget: int, make: Callable[[int], list[Card]]
) -> list[list[Card]]:
    """Cards with pictures, of as many images as the budget allows; see `kit.plots.webp.embed`.

    Args:
        index: of the images.
        places: of the images, the most important first.
        budget: characters that all cards together may take.
        make: returns the cards of the image at a place; they share its picture.

    Returns:
        The cards of each image.

    Raises:
        KitError: if an image is damaged.
    """
    places = [int(place) for place in places]
    made: dict[int, list[Card]] = {}
    with bar(len(places), "pictures", leave=False) as progress:

        def read(place: int) -> Image.Image:
            progress.update(progress.n < progress.total)
            return decode(str(index.truth.ids[place]), index.read_bytes(place))

        def measure(place: int) -> int:
            made[place] = make(place)
            return sum(card.size for card in made[place])

        shown = webp.embed(read, places, budget, measure)
    return [
        [dataclasses.replace(card, picture=picture) for card in made[place]]
        for place, picture in shown.items()
    ]


def fill_one(
    index: Index, places: Iterable[int], budget: int, make: Callable[[int], Card]
) -> list[Card]:
    """As `fill`, with one card per image.

    Args:
        index: of the images.
        places: of the images, the most important first.
        budget: characters that all cards together may take.
        make: returns the card of the image at a place.
    """
    return [card for (card,) in fill(index, places, budget, lambda place: [make(place)])]


def make_card(index: Index, place: int, evaluation: Evaluation | None = None) -> Card:
    """The card of the image at a place of the index.

    evaluation: of a model that held the image out; None: the card shows the truth alone.
    """
    truth = table.select(index.truth, [place])
    boxes, first = table.boxes(truth), index.truth.objects[place]
    height, width = (int(side) for side in truth.shapes[0])
    ious = (
        [None] * len(boxes)
        if evaluation is None
        else evaluation.mistakes.iou[first : first + len(boxes)].tolist()
    )
    found = None if evaluation is None else table.select(evaluation.prediction, [place])
    top, left, size = frame_objects(truth if len(boxes) or found is None else found, 0)
    room = size / TEXT  # px that the height of a number takes
    places = [
        (y - top < 1.4 * room, y, bottom, (x + right) / 2) for y, x, bottom, right in boxes.tolist()
    ]
    labels = [
        (min(max(x, left + 1.2 * room), left + size - 1.2 * room), float(bottom if low else y), low)
        for low, y, bottom, x in places
    ]
    return Card(
        name=str(truth.ids[0]),
        width=width,
        height=height,
        frame=(left, top, size, size),
        truth=[
            Object(path, iou, *label) for path, iou, label in zip(trace(truth, 0), ious, labels)
        ],
        predicted=[] if found is None else trace(found, 0, DRAWN),
        found=0 if found is None else len(found.labels),
        f2=None if evaluation is None else float(evaluation.f2[place]),
        area=int(table.areas(truth).sum()),
        group=COUNTS[int(group_counts(len(boxes)))],
        kinds=[] if evaluation is None else evaluation.kinds[place],
    )


def frame_alike(cards: Sequence[Card]) -> list[Card]:
    """Cards of one image by several models, with the frame of the first card that has objects."""
    whole = (0, 0, min(cards[0].width, cards[0].height))
    frame = next((card.frame for card in cards if card.frame[:3] != whole), cards[0].frame)
    return [dataclasses.replace(card, frame=frame) for card in cards]
