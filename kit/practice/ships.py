"""How a synthetic ship looks: hull, deck, shadow, wake (tests: practice/test_drawing.py)."""

import math

import numpy as np

from .scenery import Box, Textures, crop, ramp

HULLS = np.array(
    [
        (34, 32, 36),
        (104, 50, 42),
        (128, 62, 50),
        (48, 60, 88),
        (128, 130, 130),
        (222, 222, 216),
        (206, 204, 194),
        (70, 88, 76),
        (24, 26, 30),
        (160, 98, 58),
        (92, 84, 76),
    ],
    np.float32,
)
SMALL = (
    np.array([6, 2, 2, 4, 12, 34, 20, 4, 4, 3, 9]) / 100
)  # how often a boat has each of these colors
LARGE = np.array([14, 13, 10, 11, 13, 10, 7, 5, 8, 3, 6]) / 100  # and a ship
DECKS = np.array(
    [
        (136, 70, 54),
        (120, 122, 120),
        (72, 98, 82),
        (164, 148, 122),
        (190, 188, 180),
        (96, 62, 52),
        (66, 70, 78),
    ],
    np.float32,
)
CARGO = np.array(
    [
        (150, 66, 56),
        (60, 84, 122),
        (176, 172, 164),
        (96, 100, 102),
        (164, 112, 72),
        (80, 112, 98),
        (110, 52, 52),
        (58, 70, 92),
    ],
    np.float32,
)


def blend(picture: np.ndarray, layer, alpha) -> None:
    """Lays `layer` (planes, or one color) over the planes of `picture` where `alpha` is 1, in place."""
    for plane, paint in zip(picture, layer):
        plane += (paint - plane) * alpha


def soften(picture: np.ndarray) -> None:
    """A sensor's blur, 1 2 1 down and across, in place; the border stays."""
    for plane in picture:
        plane[1:-1] = plane[1:-1] * np.float32(0.5) + (plane[:-2] + plane[2:]) * np.float32(0.25)
        plane[:, 1:-1] = plane[:, 1:-1] * np.float32(0.5) + (
            plane[:, :-2] + plane[:, 2:]
        ) * np.float32(0.25)


def draw_wake(picture: np.ndarray, ship: Box, rng: np.random.Generator, textures: Textures) -> None:
    """White water behind a moving ship, and the two arms of its bow wave, in place."""
    reach = float(ship.length * rng.uniform(1.5, 6) + rng.uniform(15, 90))
    bright = rng.uniform(0.3, 1.0) * (1 if ship.length < 60 else 0.6)
    spread, arms = (
        math.tan(math.radians(rng.uniform(1.5, 5))),
        math.tan(math.radians(rng.uniform(6, 13))),
    )
    wide = Box(
        ship.x, ship.y, ship.angle, ship.length, ship.width + 2 * (reach + ship.length) * arms + 8
    )
    rows, columns, u, v = wide.frame(picture.shape[1:], back=reach)
    if not u.size:
        return
    noise = crop(textures.rough, rng, u.shape)
    bend = crop(textures.fractal[3], rng, u.shape)
    back = np.float32(ship.length * -0.46) - u  # px behind the stern
    aside = np.abs(v + bend * np.clip(back, 0, None) * np.float32(0.02))
    fade = np.clip(1 - back / np.float32(reach), 0, 1) * np.clip(back / 2 + 1, 0, 1)
    half = np.float32(ship.width * 0.35 + 0.5) + np.clip(back, 0, None) * np.float32(spread)
    core = (
        ramp(0, 0.7, 1 - aside / half)
        * fade
        * fade
        * np.clip(np.float32(0.75) + np.float32(0.3) * noise, 0, 1.2)
    )
    front = np.float32(ship.length * 0.4) - u  # px behind the bow, where the arms begin
    arm = np.float32(ship.width * 0.3) + np.clip(front, 0, None) * np.float32(arms)
    thick = 1 + np.clip(front, 0, None) * np.float32(0.03)
    arm = (
        np.exp(-(((aside - arm) / thick) ** 2))
        * np.clip(1 - front / np.float32(0.7 * (reach + ship.length)), 0, 1)
        * (front > 0)
    )
    arm *= np.clip(np.float32(0.35) + np.float32(0.45) * noise, 0, 1) * np.float32(
        rng.uniform(0.1, 0.7)
    )
    blend(
        picture[:, rows, columns],
        (218, 228, 230),
        np.clip((core + arm) * np.float32(bright), 0, 0.95),
    )


def _outline(ship, u, v, soft=0.5):
    """Opacity of the hull: its rectangle with a pointed bow; `soft` px to both sides of the edge."""
    length, width = np.float32(ship.length / 2), np.float32(ship.width / 2)
    bow = np.float32(min(ship.width * 1.1, ship.length * 0.3))
    taper = np.sqrt(np.clip((length - u) / bow, 0, 1)) if ship.width > 4 else np.float32(1)
    edge = np.float32(2 * soft)
    return np.clip((width * taper - np.abs(v)) / edge + 0.5, 0, 1) * np.clip(
        (length - np.abs(u)) / edge + 0.5, 0, 1
    )


def draw_shadow(picture: np.ndarray, ship: Box, sun: float) -> None:
    """A hull's shadow on the water, cast towards `sun` (radians), in place."""
    high = min(6.0, 0.09 * ship.width + 0.4)
    cast = Box(
        ship.x + high * math.cos(sun),
        ship.y + high * math.sin(sun),
        ship.angle,
        ship.length,
        ship.width,
    )
    rows, columns, u, v = cast.frame(picture.shape[1:])
    blend(picture[:, rows, columns], (8, 12, 16), _outline(cast, u, v, 1.0) * np.float32(0.55))


def draw_ship(picture: np.ndarray, ship: Box, rng: np.random.Generator, textures: Textures) -> None:
    """Hull, deck, cargo and bridge, in place."""
    rows, columns, u, v = ship.frame(picture.shape[1:])
    if not u.size:
        return
    patch = picture[:, rows, columns]
    water = patch.mean((1, 2))
    for _ in range(6):  # most ships stand out from their surroundings
        hull = HULLS[rng.choice(len(HULLS), p=SMALL if ship.length < 40 else LARGE)] * np.float32(
            rng.uniform(0.85, 1.15)
        )
        if abs(float((hull - water).mean())) > 38 or rng.random() < 0.06:
            break
    paint = np.broadcast_to(hull[:, None, None], (3, *u.shape)).copy()
    if ship.width >= 5:
        _furnish(paint, ship, u, v, hull, rng)
    elif ship.length > 7:  # a boat's cabin
        cabin = np.clip(
            np.float32(ship.length * 0.16)
            - np.abs(u + np.float32(ship.length * rng.uniform(-0.1, 0.25)))
            + 0.5,
            0,
            1,
        )
        blend(
            paint,
            (232, 232, 228) if hull.mean() < 160 else (120, 122, 126),
            cabin * np.float32(0.8),
        )
    paint *= (
        1
        + np.float32(0.05) * crop(textures.rough, rng, u.shape)
        + np.float32(0.06) * crop(textures.fractal[2], rng, u.shape)
    )
    if ship.width >= 4:
        soften(paint)
    blend(patch, paint, _outline(ship, u, v))


def _furnish(paint, ship, u, v, hull, rng):
    """Deck, holds, and a bridge house with its shadow, on a hull at least 5 px wide, in place."""
    length, width = np.float32(ship.length), np.float32(ship.width)
    across, along = np.abs(v) / width, u / length  # 0.5 is the edge
    inner = np.clip(
        (np.float32(0.5) - across) * width - np.float32(max(1.0, 0.05 * ship.width)), 0, 1
    ) * (np.abs(along) < 0.47)
    deck = DECKS[rng.integers(len(DECKS))] * np.float32(rng.uniform(0.75, 1.15))
    blend(paint, deck, inner * np.float32(0.85))
    stern = float(rng.choice((-0.4, -0.34, 0.28), p=(0.62, 0.2, 0.18)))
    middle = -0.09 if stern > 0 else 0.07
    hold = (np.abs(along - np.float32(middle)) < 0.33) & (across < 0.36)
    kind = rng.choice(5, p=(0.34, 0.2, 0.2, 0.16, 0.1))
    if kind == 0:  # hatches
        part = ((along + 1) * np.float32(rng.integers(4, 10))) % 1
        blend(
            paint,
            deck * np.float32(rng.choice((0.6, 0.75, 1.3))),
            inner * (hold & (part > 0.22) & (part < 0.9)),
        )
    elif kind == 1 and ship.width >= 9:  # containers, in bays
        row, bay = (
            ((v + width) / max(2.2, ship.width / 8)).astype(np.int32),
            ((u + length) / max(5.0, ship.width / 3)).astype(np.int32),
        )
        colors = CARGO[rng.integers(len(CARGO), size=256)] * rng.uniform(0.7, 1.1, (256, 1)).astype(
            np.float32
        )
        blend(paint, colors.T[:, (bay * 37 + row * 11) & 255], inner * hold * np.float32(0.85))
    elif kind == 2:  # pipes down the middle, and a manifold
        blend(paint, deck * np.float32(1.45), inner * (hold & (across < 0.06)))
        blend(
            paint,
            deck * np.float32(0.6),
            inner * (hold & (np.abs(along - np.float32(middle)) < 0.025)),
        )
    elif kind == 3:  # one long dark hold, as of a barge
        blend(paint, deck * np.float32(0.5), inner * hold * np.float32(0.8))
    size, tone = np.float32(rng.uniform(0.03, 0.065)), np.float32(rng.uniform(165, 232))
    house = np.clip((size - np.abs(along - np.float32(stern))) * length + 0.5, 0, 1) * np.clip(
        (np.float32(0.38) - across) * width + 0.5, 0, 1
    )
    blend(
        paint,
        deck * np.float32(0.4),
        ((np.abs(along - np.float32(stern + 1.5 * size)) < size * 0.8) & (across < 0.38))
        * np.float32(0.7),
    )
    blend(paint, (tone, tone, tone * np.float32(0.98)), house)
    if ship.width >= 8:  # funnel and deck gear
        for place, wide in (
            (stern - 0.3 * float(size), 1.6),
            *((rng.uniform(-0.4, 0.4), rng.uniform(0.5, 1.1)) for _ in range(4)),
        ):
            aside = np.float32(rng.uniform(-0.25, 0.25) * ship.width if wide < 1.5 else 0)
            spot = np.clip(
                np.float32(wide * ship.width / 12)
                + 0.7
                - np.hypot(u - np.float32(place) * length, v - aside),
                0,
                1,
            )
            blend(
                paint,
                hull * np.float32(0.7) + np.float32(rng.choice((0, 90))),
                spot * np.float32(0.8),
            )
