"""What is where in a synthetic scene: coast, clouds, ships (tests: practice/test_drawing.py).

Every texture is a random crop of a few periodic fields that one seed's scenes share (`Textures`): cheap, and the same at any step, so
that ships find water at an eighth of the resolution and tiles are chosen before anything is drawn (by `kit.practice.drawing`).
"""

import math
from dataclasses import dataclass

import numpy as np
import scipy.fft

TILE, STRIDE = 768, 256  # px: side of a tile, and what offsets of tiles are multiples of
PERIOD = 1024  # px, of the shared textures

# Images with 1, 2, 3 ... 15 ships in the competition's training set.
SHIPS_AN_IMAGE = np.array(
    [27104, 7674, 2954, 1622, 925, 657, 406, 318, 243, 168, 144, 124, 75, 66, 66]
)
SEAS = 14  # kinds of water


@dataclass(frozen=True)
class Box:
    """A rotated rectangle: center, px; angle of its length from the x axis, radians (a ship's bow points there); length and width, px."""

    x: float
    y: float
    angle: float
    length: float
    width: float

    def frame(self, shape, margin=2.0, back=0.0):
        """(rows, columns, u, v): slices of a picture of `shape` around the box, and there the distances from its center along and across.

        The box is grown by `margin` px, and by `back` px behind; the slices are empty where it lies outside the picture.
        """
        c, s = math.cos(self.angle), math.sin(self.angle)
        u0, u1, r = (
            -self.length / 2 - margin - back,
            self.length / 2 + margin,
            self.width / 2 + margin,
        )
        xs = [self.x + u * c - v * s for u in (u0, u1) for v in (-r, r)]
        ys = [self.y + u * s + v * c for u in (u0, u1) for v in (-r, r)]
        x0, x1 = max(0, math.floor(min(xs))), min(shape[1], math.ceil(max(xs)) + 1)
        y0, y1 = max(0, math.floor(min(ys))), min(shape[0], math.ceil(max(ys)) + 1)
        x = np.arange(x0, max(x0, x1), dtype=np.float32)[None] - np.float32(self.x)
        y = np.arange(y0, max(y0, y1), dtype=np.float32)[:, None] - np.float32(self.y)
        c, s = np.float32(c), np.float32(s)
        return slice(y0, max(y0, y1)), slice(x0, max(x0, x1)), x * c + y * s, y * c - x * s


@dataclass(frozen=True)
class Scene:
    """What is where in a scene: its size in px, its docks (land made by people) and its ships."""

    seed: int
    index: int
    shape: tuple[int, int]
    kind: str  # open, coast or harbor
    sea: int  # kind of water, below SEAS
    docks: tuple[Box, ...]
    ships: tuple[Box, ...]
    moving: tuple[bool, ...]  # one a ship: whether it draws a wake
    clutter: float = 1.0  # 0 to 1: how much of land, clouds and rocks there is

    def stream(self, purpose: int) -> np.random.Generator:
        """The scene's own random numbers for one purpose; every call starts them anew."""
        return np.random.default_rng((self.seed, 1, self.index, purpose))

    def labels(self) -> np.ndarray:
        """The truth, int16 (height, width): 0 is no ship, k the k-th ship's rotated rectangle; a pixel has one ship at most."""
        out = np.zeros(self.shape, np.int16)
        for k, ship in enumerate(self.ships, 1):
            rows, columns, u, v = ship.frame(self.shape)
            part = out[rows, columns]
            part[(np.abs(u) <= ship.length / 2) & (np.abs(v) <= ship.width / 2) & (part == 0)] = k
        return out


class Textures:
    """Periodic random fields of one seed, (PERIOD, PERIOD) float32, mean 0, deviation 1: waves of several winds, and fractal grounds."""

    def __init__(self, seed: int):
        rng = np.random.default_rng((seed, 0))
        ky = scipy.fft.fftfreq(PERIOD).astype(np.float32)[:, None]
        kx = scipy.fft.rfftfreq(PERIOD).astype(np.float32)[None]
        k = np.maximum(np.hypot(ky, kx), 0.5 / PERIOD)

        def field(amplitude):
            white = scipy.fft.rfft2(rng.standard_normal((PERIOD, PERIOD), dtype=np.float32))
            out = scipy.fft.irfft2(white * amplitude)
            return ((out - out.mean()) / out.std()).astype(np.float32)

        self.waves = []
        for wavelength, spread in ((4, 2), (5, 4), (6, 3), (8, 6), (11, 3), (15, 5), (24, 8)):
            wind = rng.uniform(0, math.pi)
            across = np.abs(kx * math.cos(wind) + ky * math.sin(wind)) / k
            peak = 1 / wavelength
            wave = field(
                np.exp(-0.6 * (peak / k) ** 1.5)
                * k**-1.1
                * (0.1 + across**spread)
                * np.exp(-((k / 0.36) ** 4))
            )
            self.waves += [wave, np.ascontiguousarray(wave.T)]
        self.fractal = [
            field(k**-1.9),
            field(k**-1.9),
            field(k**-1.45),
            field(k**-2.4),
            field(k**-1.75 * np.exp(-((k / 0.12) ** 2))),
        ]
        self.rough = field(k**-0.6 * np.exp(-((k / 0.33) ** 4)))


def crop(
    field: np.ndarray, rng: np.random.Generator, shape: tuple[int, int], step: int = 1, shift=(0, 0)
) -> np.ndarray:
    """A random part of a periodic field, mirrored at random, as a new array: `shape` px, of which every `step`-th is taken.

    The same random numbers give the same part at any step, and with a `shift` in px one that lies so much further down and across.
    """
    turned = field[:: rng.choice((-1, 1)), :: rng.choice((-1, 1))]
    top, left = (rng.integers(0, PERIOD, 2) - shift) % PERIOD
    out = np.empty((-(-shape[0] // step), -(-shape[1] // step)), np.float32)
    row = 0
    while (
        row < shape[0]
    ):  # block by block: a third of the time of indexing with the coordinates modulo the period
        y, column = (top + row) % PERIOD, 0
        down = min(PERIOD - y, shape[0] - row)
        while column < shape[1]:
            x = (left + column) % PERIOD
            across = min(PERIOD - x, shape[1] - column)
            skip_y, skip_x = -row % step, -column % step
            part = turned[y + skip_y : y + down : step, x + skip_x : x + across : step]
            i, j = (row + skip_y) // step, (column + skip_x) // step
            out[i : i + part.shape[0], j : j + part.shape[1]] = part
            column += across
        row += down
    return out


def ramp(low: float, high: float, value: np.ndarray) -> np.ndarray:
    """0 up to `low`, 1 from `high` on, smooth between."""
    t = np.clip((value - low) / np.float32(high - low), 0, 1)
    return t * t * (3 - 2 * t)


def ground(scene: Scene, textures: Textures, step: int = 1) -> np.ndarray | None:
    """Height of natural land over the sea, px-like units, every `step`-th pixel; None in open water."""
    rng = scene.stream(2)
    if scene.kind != "coast":
        return None
    h, w = scene.shape
    x, y = (
        np.arange(0, w, step, dtype=np.float32)[None],
        np.arange(0, h, step, dtype=np.float32)[:, None],
    )
    bumps = crop(textures.fractal[0], rng, scene.shape, step) + np.float32(0.6) * crop(
        textures.fractal[1], rng, scene.shape, step
    )
    size = np.float32(rng.uniform(50, 130))
    if rng.random() < 0.25:  # an island
        cx, cy, radius = rng.uniform(0, w), rng.uniform(0, h), rng.uniform(40, 260)
        return np.float32(radius) - np.hypot(x - np.float32(cx), y - np.float32(cy)) + size * bumps
    turn = rng.uniform(0, 2 * math.pi)
    c, s = np.float32(math.cos(turn)), np.float32(math.sin(turn))
    reach = (abs(c) * w + abs(s) * h) / 2
    return (
        (x - w / 2) * c
        + (y - h / 2) * s
        - np.float32(rng.uniform(-0.3, 0.8) * reach)
        + size * bumps
    )


def dock_height(scene: Scene, step: int = 1) -> np.ndarray | None:
    """Distance inside the docks, px, negative over water; None where there is none."""
    if not scene.docks:
        return None
    x, y = (
        np.arange(0, scene.shape[1], step, dtype=np.float32)[None],
        np.arange(0, scene.shape[0], step, dtype=np.float32)[:, None],
    )
    out = np.full((y.shape[0], x.shape[1]), -1e4, np.float32)
    for dock in scene.docks:
        c, s = np.float32(math.cos(dock.angle)), np.float32(math.sin(dock.angle))
        u, v = (x - dock.x) * c + (y - dock.y) * s, (y - dock.y) * c - (x - dock.x) * s
        np.maximum(
            out,
            np.minimum(
                np.float32(dock.length / 2) - np.abs(u), np.float32(dock.width / 2) - np.abs(v)
            ),
            out=out,
        )
    return out


def clouds(scene: Scene, textures: Textures, step: int = 1, shift=(0, 0)) -> np.ndarray | None:
    """Opacity of clouds 0..1, every `step`-th pixel; None under a clear sky."""
    rng = scene.stream(3)
    if rng.random() > 0.3 * scene.clutter:
        return None
    field = crop(textures.fractal[4], rng, scene.shape, step, shift)
    low = rng.uniform(0.3, 1.8)
    return np.float32(rng.choice((0.35, 0.8, 1.0))) * ramp(low, low + rng.uniform(1.2, 2.2), field)


def plan(
    seed: int, index: int, textures: Textures, clutter: float = 1.0, ship_area: float = 280.0
) -> Scene:
    """What is where in scene `index`; those of even index have ships (where there is room), the others none.

    clutter: 0 to 1, how much of land, clouds and rocks there is; ship_area: median of the ships' areas, px.
    """
    rng = np.random.default_rng((seed, 2, index))
    ny, nx = rng.choice(4, 2, p=(0.2, 0.4, 0.27, 0.13))
    shape = int(TILE + STRIDE * ny), int(TILE + STRIDE * nx)
    kind = str(
        rng.choice(
            ("open", "coast", "harbor"), p=(1 - 0.4 * clutter, 0.22 * clutter, 0.18 * clutter)
        )
    )
    bare = Scene(
        seed,
        index,
        shape,
        kind,
        int(rng.integers(SEAS)),
        _docks(rng, shape) if kind == "harbor" else (),
        (),
        (),
        clutter,
    )
    if index % 2:
        return bare
    ships, moving = _ships(bare, textures, rng, ship_area)
    return Scene(seed, index, shape, kind, bare.sea, bare.docks, ships, moving, clutter)


def _docks(rng, shape):
    """A quay that fills one side, with piers at a right angle to it, and a jetty or breakwater along it."""
    h, w = shape
    angle = rng.uniform(0, 2 * math.pi)  # along the quay; the water lies to the side of +v
    c, s = math.cos(angle), math.sin(angle)
    reach = (abs(s) * w + abs(c) * h) / 2
    edge = rng.uniform(-0.75, 0.25) * reach  # v of the quay's edge, from the scene's center

    def box(u, v, length, width, turn=0.0):
        return Box(w / 2 + u * c - v * s, h / 2 + u * s + v * c, angle + turn, length, width)

    docks = [box(0, edge - 2000, 8000, 4000)]
    u = rng.uniform(-700, -300)
    while rng.random() < 0.75 and u < 700:  # piers
        length, width = rng.uniform(80, 330), rng.choice((rng.uniform(8, 16), rng.uniform(30, 90)))
        docks.append(box(u, edge + length / 2 - 2, length, width, math.pi / 2))
        u += width + rng.uniform(90, 330)
    if rng.random() < 0.5:
        docks.append(
            box(
                rng.uniform(-500, 500),
                edge + rng.uniform(380, 560),
                rng.uniform(300, 900),
                rng.uniform(9, 18),
                rng.normal(0, 0.1),
            )
        )
    return tuple(docks)


def _hull(rng, median):
    """Length and width of a ship, px: its area is log-normal, a long ship is slim."""
    spread = 1.55 * min(
        1.0, (math.log(20000 / median)) / math.log(20000 / 280)
    )  # a larger median leaves less room below the largest
    area = float(np.clip(np.exp(rng.normal(math.log(median), spread)), 5, 20000))
    slim = float(np.clip(rng.normal(2.6 + 0.45 * max(0.0, math.log(area / 60)), 0.55), 1.6, 7.5))
    return math.sqrt(area * slim), math.sqrt(area / slim)


def _ships(scene, textures, rng, ship_area):
    """Ships on free water: (boxes, moving). Moored ones lie along docks, some side by side; a group at anchor shares its heading."""
    room = _Room(scene, textures)
    wanted = 1 + int(rng.choice(len(SHIPS_AN_IMAGE), p=SHIPS_AN_IMAGE / SHIPS_AN_IMAGE.sum()))
    focus, spread = rng.uniform(0, 1, 2) * scene.shape, rng.uniform(90, 260)
    heading, anchored = rng.uniform(0, 2 * math.pi), rng.random() < 0.4
    ships: list[Box] = []
    moving: list[bool] = []
    for _ in range(40 * wanted):
        if len(ships) == wanted:
            break
        length, width = _hull(rng, ship_area)
        moored = bool(scene.docks) and rng.random() < 0.7
        if moored:
            ship, side = _moor(scene.docks[rng.integers(len(scene.docks))], length, width, rng)
        else:
            y, x = rng.normal(focus, spread) if wanted > 1 else rng.uniform(0, 1, 2) * scene.shape
            ship = Box(
                x,
                y,
                heading + rng.normal(0, 0.12) if anchored else rng.uniform(0, 2 * math.pi),
                length,
                width,
            )
            side = int(rng.choice((-1, 1)))
        if not room.has(ship, 0.1 if moored else 0.9, 4 if moored else -8):
            continue
        group = [ship]
        if len(ships) + 1 < wanted and rng.random() < (0.35 if moored or anchored else 0.08):
            second = _beside(ship, side, rng)
            if room.has(second, 0.1, 4):
                group.append(second)
        moves = not moored and not anchored and len(group) == 1 and rng.random() < 0.6
        for ship in group:
            room.take(ship)
            ships.append(ship)
            moving.append(moves)
    return tuple(ships), tuple(moving)


def _moor(dock, length, width, rng):
    """A ship along a side of a dock, and on which of its own sides (-1, 1) the water is."""
    side, turned = int(rng.choice((-1, 1))), int(rng.integers(2))
    u = rng.uniform(-1, 1) * max(0.0, min(dock.length, 2400) - length) / 2
    v = side * (dock.width / 2 + width / 2 + rng.uniform(0.5, 3))
    c, s = math.cos(dock.angle), math.sin(dock.angle)
    ship = Box(
        dock.x + u * c - v * s, dock.y + u * s + v * c, dock.angle + math.pi * turned, length, width
    )
    return ship, -side if turned else side


def _beside(ship, side, rng):
    """A second ship of much the same size, touching a ship at its side -1 or 1."""
    width = ship.width * rng.uniform(0.7, 1.1)
    u, v = rng.normal(0, 0.08) * ship.length, side * (ship.width + width) / 2
    c, s = math.cos(ship.angle), math.sin(ship.angle)
    return Box(
        ship.x + u * c - v * s,
        ship.y + u * s + v * c,
        ship.angle,
        ship.length * rng.uniform(0.75, 1.1),
        width,
    )


class _Room:
    """Where a scene has room for a ship, on a grid of 8 px."""

    def __init__(self, scene, textures, step=8):
        self.shape, self.step = scene.shape, step
        self.taken = np.zeros((-(-scene.shape[0] // step), -(-scene.shape[1] // step)), bool)
        for field, level in (
            (ground(scene, textures, step), -5),
            (clouds(scene, textures, step), 0.4),
        ):
            if field is not None:
                self.taken |= field > level
        self.docks = dock_height(scene, step)  # apart, for ships touch docks but not each other

    def _cells(self, ship, gap):
        step = self.step
        rows, columns, u, v = Box(
            ship.x / step, ship.y / step, ship.angle, ship.length / step, ship.width / step
        ).frame(self.taken.shape)
        return (rows, columns), (np.abs(u) <= ship.length / 2 / step + gap) & (
            np.abs(v) <= ship.width / 2 / step + gap
        )

    def has(self, ship, gap, depth):
        """Whether a ship and `gap` cells around it are free, its center in the scene, and it reaches less than `depth` px into docks."""
        part, near = self._cells(ship, gap)
        inside = 0 <= ship.x < self.shape[1] and 0 <= ship.y < self.shape[0]
        if not inside or not near.any() or (self.taken[part] & near).any():
            return False
        return self.docks is None or bool(self.docks[part][near].max() < depth)

    def take(self, ship):
        """Marks a ship's place as taken."""
        part, near = self._cells(ship, 0.3)
        self.taken[part] |= near
