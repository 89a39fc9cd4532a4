"""What is where in a synthetic scene: coast, clouds, ships (tests: practice/test_drawing.py).

Every texture is a random crop of a few periodic fields that all scenes of a seed share
(`Textures`). A crop is cheap and the same at any step, so ships find water at an eighth of the
resolution, and tiles are chosen before anything is drawn (by `kit.practice.drawing`).
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import scipy.fft

TILE, STRIDE = 768, 256  # px: side of a tile, and what offsets of tiles are multiples of
PERIOD = 1024  # px, of the shared textures
GRID = 8  # px: the step at which ships look for water

# Images with 1, 2, 3 ... 15 ships in the competition's training set.
SHIP_COUNTS = [27104, 7674, 2954, 1622, 925, 657, 406, 318, 243, 168, 144, 124, 75, 66, 66]
SHIPS_PER_IMAGE = np.array(SHIP_COUNTS) / sum(SHIP_COUNTS)


@dataclass(frozen=True)
class Box:
    """A rotated rectangle.

    Its center in px, the angle of its length from the x axis in radians (a ship's bow points
    there), its length and width in px.
    """

    x: float
    y: float
    angle: float
    length: float
    width: float

    def frame(
        self, shape: tuple[int, int], margin: float = 2.0, back: float = 0.0
    ) -> tuple[slice, slice, np.ndarray, np.ndarray]:
        """Rows and columns around the box, and the distance of each pixel there from its center.

        Args:
            shape: height and width of the picture, px.
            margin: px by which the box is grown on all sides.
            back: px by which it is grown behind.

        Returns:
            (rows, columns, along, across): two slices, empty if the box lies outside the picture,
            and two float32 arrays of px.
        """
        c, s = math.cos(self.angle), math.sin(self.angle)
        ends = -self.length / 2 - margin - back, self.length / 2 + margin
        sides = -self.width / 2 - margin, self.width / 2 + margin
        xs = [self.x + u * c - v * s for u in ends for v in sides]
        ys = [self.y + u * s + v * c for u in ends for v in sides]
        x0, x1 = max(0, math.floor(min(xs))), min(shape[1], math.ceil(max(xs)) + 1)
        y0, y1 = max(0, math.floor(min(ys))), min(shape[0], math.ceil(max(ys)) + 1)
        x = np.arange(x0, max(x0, x1), dtype=np.float32)[None] - np.float32(self.x)
        y = np.arange(y0, max(y0, y1), dtype=np.float32)[:, None] - np.float32(self.y)
        along, across = x * np.float32(c) + y * np.float32(s), y * np.float32(c) - x * np.float32(s)
        return slice(y0, max(y0, y1)), slice(x0, max(x0, x1)), along, across


@dataclass(frozen=True)
class Scene:
    """The plan of a scene."""

    seed: int
    index: int
    shape: tuple[int, int]  # height and width, px
    coast: bool  # whether there is land
    ships: tuple[Box, ...] = ()
    moving: tuple[bool, ...] = ()  # for each ship, whether it draws a wake
    clutter: float = 1.0  # 0 to 1: how much land, cloud and rock there is

    def stream(self, purpose: int) -> np.random.Generator:
        """The scene's own random numbers for one purpose; every call starts them anew."""
        return np.random.default_rng((self.seed, 1, self.index, purpose))

    def labels(self) -> np.ndarray:
        """The truth, int16 (height, width): 0 is no ship, k the rotated rectangle of ship k.

        A pixel belongs to at most one ship.
        """
        out = np.zeros(self.shape, np.int16)
        for k, ship in enumerate(self.ships, 1):
            rows, columns, u, v = ship.frame(self.shape)
            near = out[rows, columns]
            inside = (np.abs(u) <= ship.length / 2) & (np.abs(v) <= ship.width / 2)
            near[inside & (near == 0)] = k
        return out


class Textures:
    """Periodic random fields of one seed, float32 (PERIOD, PERIOD), of mean 0 and deviation 1."""

    def __init__(self, seed: int):
        rng = np.random.default_rng((seed, 0))
        ky = scipy.fft.fftfreq(PERIOD).astype(np.float32)[:, None]
        kx = scipy.fft.rfftfreq(PERIOD).astype(np.float32)[None]
        k = np.maximum(np.hypot(ky, kx), 0.5 / PERIOD)

        def field(amplitude: np.ndarray) -> np.ndarray:
            noise = rng.standard_normal((PERIOD, PERIOD), dtype=np.float32)
            out: np.ndarray = scipy.fft.irfft2(scipy.fft.rfft2(noise) * amplitude)
            out = ((out - out.mean()) / out.std()).astype(np.float32)
            return out

        def waves(length: float) -> np.ndarray:
            wind = rng.uniform(0, math.pi)
            across = np.abs(kx * math.cos(wind) + ky * math.sin(wind)) / k
            energy = np.exp(-0.6 * (1 / length / k) ** 1.5 - (k / 0.36) ** 4)
            return field(energy * k**-1.1 * (0.1 + across**4))

        self.waves = [waves(length) for length in (4, 6, 8, 11, 15, 24)]  # px
        self.ground = field(k**-1.9)
        self.cloud = field(k**-1.4 * np.exp(-((k / 0.12) ** 2)))
        self.rough = field(k**-0.6 * np.exp(-((k / 0.33) ** 4)))


def crop(
    field: np.ndarray, rng: np.random.Generator, shape: tuple[int, int], step: int = 1
) -> np.ndarray:
    """A random crop of a periodic field, mirrored at random.

    Args:
        field: float32 (PERIOD, PERIOD).
        rng: draws place and mirroring; equal draws give the same crop at any step.
        shape: height and width of the crop, px.
        step: only every `step`-th pixel of it is returned.
    """
    turned = field[:: rng.choice((-1, 1)), :: rng.choice((-1, 1))]
    starts = rng.integers(0, PERIOD, 2)
    places = [(start + np.arange(0, side, step)) % PERIOD for start, side in zip(starts, shape)]
    return turned[np.ix_(*places)]


def ramp(low: float, high: float, value: np.ndarray) -> np.ndarray:
    """0 up to `low`, 1 from `high` on, smooth between."""
    t: np.ndarray = np.clip((value - low) / np.float32(high - low), 0, 1)
    t = t * t * (3 - 2 * t)
    return t


def find_ground(scene: Scene, textures: Textures, step: int = 1) -> np.ndarray | None:
    """Height of the land over the sea at every `step`-th pixel; None in open water."""
    if not scene.coast:
        return None
    rng, (h, w) = scene.stream(2), scene.shape
    bumps = crop(textures.ground, rng, scene.shape, step)
    turn = rng.uniform(0, 2 * math.pi)
    c, s = np.float32(math.cos(turn)), np.float32(math.sin(turn))
    x = np.arange(0, w, step, dtype=np.float32)[None] - np.float32(w / 2)
    y = np.arange(0, h, step, dtype=np.float32)[:, None] - np.float32(h / 2)
    edge = rng.uniform(-0.3, 0.8) * (abs(c) * w + abs(s) * h) / 2
    return x * c + y * s - np.float32(edge) + np.float32(rng.uniform(50, 130)) * bumps


def find_clouds(scene: Scene, textures: Textures, step: int = 1) -> np.ndarray | None:
    """Opacity of the clouds, 0 to 1, at every `step`-th pixel; None under a clear sky."""
    rng = scene.stream(3)
    if rng.random() > 0.3 * scene.clutter:
        return None
    low = rng.uniform(0.3, 1.8)
    field = crop(textures.cloud, rng, scene.shape, step)
    return np.float32(rng.choice((0.35, 0.8, 1.0))) * ramp(low, low + rng.uniform(1.2, 2.2), field)


def plan(
    seed: int, index: int, textures: Textures, clutter: float = 1.0, ship_area: float = 280.0
) -> Scene:
    """The plan of scene `index`; scenes of even index have ships if there is room, others none.

    Args:
        seed: of the practice competition.
        index: of the scene, from 0.
        textures: those of `seed`.
        clutter: 0 to 1, how much land, cloud and rock there is.
        ship_area: median of the ships' areas, px.
    """
    rng = np.random.default_rng((seed, 2, index))
    height, width = TILE + STRIDE * rng.choice(4, 2, p=(0.2, 0.4, 0.27, 0.13))
    coast = bool(rng.random() < 0.4 * clutter)
    bare = Scene(seed, index, (int(height), int(width)), coast, clutter=clutter)
    if index % 2:
        return bare
    ships = _place_ships(bare, textures, rng, ship_area)
    moving = tuple(bool(moves) for moves in rng.random(len(ships)) < 0.4)
    return replace(bare, ships=ships, moving=moving)


def _draw_hull(rng: np.random.Generator, median: float) -> tuple[float, float]:
    """Length and width of a ship, px: its area is log-normal, a long ship is slim."""
    # A larger median leaves less room below the largest.
    spread = 1.55 * min(1.0, math.log(20000 / median) / math.log(20000 / 280))
    area = float(np.clip(np.exp(rng.normal(math.log(median), spread)), 5, 20000))
    slim = float(np.clip(rng.normal(2.6 + 0.45 * max(0.0, math.log(area / 60)), 0.55), 1.6, 7.5))
    return math.sqrt(area * slim), math.sqrt(area / slim)


def _place_ships(
    scene: Scene, textures: Textures, rng: np.random.Generator, ship_area: float
) -> tuple[Box, ...]:
    """Ships on free water, around one place; some lie side by side and touch."""
    taken = np.zeros([-(-side // GRID) for side in scene.shape], bool)
    fields = find_ground(scene, textures, GRID), find_clouds(scene, textures, GRID)
    for field, level in zip(fields, (-5, 0.4)):
        if field is not None:
            taken |= field > level

    def cover(ship: Box, gap: float) -> tuple[tuple[slice, slice], np.ndarray]:
        sizes = (ship.x, ship.y, ship.length, ship.width)
        x, y, length, width = (size / GRID for size in sizes)
        rows, columns, u, v = Box(x, y, ship.angle, length, width).frame(taken.shape)
        return (rows, columns), (np.abs(u) <= length / 2 + gap) & (np.abs(v) <= width / 2 + gap)

    def is_free(ship: Box, gap: float) -> bool:
        place, near = cover(ship, gap)
        inside = 0 <= ship.x < scene.shape[1] and 0 <= ship.y < scene.shape[0]
        return inside and bool(near.any()) and not (taken[place] & near).any()

    wanted = 1 + int(rng.choice(len(SHIPS_PER_IMAGE), p=SHIPS_PER_IMAGE))
    focus, spread = rng.uniform(0, 1, 2) * scene.shape, rng.uniform(90, 260)
    ships: list[Box] = []
    for _ in range(40 * wanted):
        if len(ships) == wanted:
            break
        length, width = _draw_hull(rng, ship_area)
        y, x = rng.normal(focus, spread) if wanted > 1 else rng.uniform(0, 1, 2) * scene.shape
        ship = Box(x, y, rng.uniform(0, 2 * math.pi), length, width)
        if not is_free(ship, 0.9):
            continue
        ships.append(ship)
        if len(ships) < wanted and rng.random() < 0.2:  # a second one that touches it
            c, s = math.cos(ship.angle), math.sin(ship.angle)
            second = replace(ship, x=x - width * s, y=y + width * c, length=0.9 * length)
            if is_free(second, 0.1):
                ships.append(second)
        for ship in ships[-2:]:
            place, near = cover(ship, 0.3)
            taken[place] |= near
    return tuple(ships)
