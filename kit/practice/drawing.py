"""Synthetic satellite scenes with ships: draws what `kit.practice.scenery` planned.

A picture is float32 planes (3, height, width) in 0..255 while it is drawn, one layer over the
other: sea, wakes, rocks, land, ships, clouds. A hull fills its truth, a rotated rectangle, to
within a pixel.
"""

import math
from typing import Any

import numpy as np

from .scenery import Box, Scene, Textures, crop, find_clouds, find_ground, ramp

# Colors (RGB): of the sea and what it drifts to, of vegetation and bare ground, of hulls and decks.
SEAS = np.array(
    [
        [(8, 38, 56), (14, 52, 66)],
        [(12, 28, 58), (18, 38, 72)],
        [(22, 52, 63), (34, 70, 76)],
        [(14, 82, 90), (30, 118, 112)],
        [(60, 82, 92), (74, 92, 98)],
        [(112, 156, 138), (124, 164, 146)],
        [(112, 104, 82), (124, 118, 96)],
        [(9, 12, 17), (14, 18, 24)],
        [(18, 34, 30), (36, 58, 48)],
    ],
    np.float32,
)
GREENS = np.array([(44, 62, 34), (58, 74, 44), (72, 84, 52)], np.float32)
BARES = np.array([(128, 106, 80), (104, 92, 70), (150, 144, 132)], np.float32)
HULLS = np.array(
    [(34, 32, 36), (120, 58, 48), (48, 60, 88), (128, 130, 130), (222, 222, 216), (160, 98, 58)],
    np.float32,
)
DECKS = np.array([(136, 70, 54), (120, 122, 120), (72, 98, 82), (190, 188, 180)], np.float32)
FOAM = (218, 228, 230)


def draw_scene(scene: Scene, textures: Textures) -> np.ndarray:
    """The picture of a planned scene, RGB uint8 (height, width, 3)."""
    rng = scene.stream(4)
    picture = _draw_sea(scene, textures, rng)
    height = find_ground(scene, textures)
    for ship, moves in zip(scene.ships, scene.moving):
        if moves:
            _draw_wake(picture, ship, rng)
    _draw_rocks(picture, scene, textures, rng)
    if height is not None:
        rough = crop(textures.rough, rng, scene.shape)
        green, bare = GREENS[rng.integers(len(GREENS))], BARES[rng.integers(len(BARES))]
        share = ramp(-0.6, 0.6, crop(textures.ground, rng, scene.shape) + rng.normal(0, 0.5))
        land = green[:, None, None] + (bare - green)[:, None, None] * share + 10 * rough
        blend(picture, land, np.clip(height / 2 + 0.5, 0, 1))
        blend(picture, FOAM, np.clip(1 - np.abs(height + 2) / 3, 0, 1) * np.float32(0.4))
    for ship in scene.ships:
        draw_ship(picture, ship, rng, textures)
    alpha = find_clouds(scene, textures)
    if alpha is not None:
        bumps = 13 * crop(textures.cloud, rng, scene.shape)
        blend(picture, [rng.uniform(150, 185) + 45 * alpha + bumps] * 3, alpha)
    picture = np.clip(picture + np.float32(0.5), 0, 255)
    return np.ascontiguousarray(picture.astype(np.uint8).transpose(1, 2, 0))


def blend(picture: np.ndarray, layer: Any, alpha: Any) -> None:
    """Lays `layer` (planes, or one color) over the planes of `picture` where `alpha` is 1."""
    for plane, paint in zip(picture, layer):
        plane += (paint - plane) * alpha


def _draw_sea(scene: Scene, textures: Textures, rng: np.random.Generator) -> np.ndarray:
    """Water: two colors that drift into each other, and waves from calm to rough."""
    first, second = SEAS[rng.integers(len(SEAS))] * np.float32(rng.uniform(0.85, 1.15))
    tone = np.clip(
        np.float32(0.15) * crop(textures.ground, rng, scene.shape) + np.float32(0.5), 0, 1
    )
    wave = crop(textures.waves[rng.integers(len(textures.waves))], rng, scene.shape)
    wave += np.float32(rng.uniform(0.1, 0.45)) * crop(textures.rough, rng, scene.shape)
    gain = np.float32(rng.uniform(1.2, 14) ** rng.uniform(0.5, 1))
    swell = np.float32(rng.uniform(4, 8)) * crop(textures.cloud, rng, scene.shape)
    picture: np.ndarray = first[:, None, None] + (second - first)[:, None, None] * tone
    picture += gain * wave + swell
    return picture


def _draw_wake(picture: np.ndarray, ship: Box, rng: np.random.Generator) -> None:
    """White water behind a moving ship."""
    reach = float(ship.length * rng.uniform(1.5, 6) + rng.uniform(15, 90))
    spread = math.tan(math.radians(rng.uniform(1.5, 5)))
    wide = Box(ship.x, ship.y, ship.angle, ship.length, ship.width + 2 * reach * spread)
    rows, columns, u, v = wide.frame(picture.shape[1:], back=reach)
    behind = -ship.length * np.float32(0.46) - u  # px behind the stern
    half = np.float32(ship.width * 0.35 + 0.5) + np.clip(behind, 0, None) * np.float32(spread)
    fade = np.clip(1 - behind / reach, 0, 1) * np.clip(behind / 2 + 1, 0, 1)
    core = ramp(0, 0.7, 1 - np.abs(v) / half) * fade * fade * np.float32(rng.uniform(0.3, 0.8))
    blend(picture[:, rows, columns], FOAM, core)


def _draw_rocks(
    picture: np.ndarray, scene: Scene, textures: Textures, rng: np.random.Generator
) -> None:
    """What a ship is mistaken for on open water: rocks with foam."""
    for _ in range(int(scene.clutter * rng.choice((0, 0, 3, 10)) * rng.random())):
        size = float(np.exp(rng.normal(2.0, 0.75)))
        y, x = rng.uniform(0, scene.shape[0]), rng.uniform(0, scene.shape[1])
        distances = [math.hypot(x - ship.x, y - ship.y) - ship.length for ship in scene.ships]
        if min(distances, default=math.inf) < 4 * size:
            continue
        rows, columns, u, v = Box(x, y, 0, 5 * size, 5 * size).frame(scene.shape)
        height = np.float32(0.6 * size) - np.hypot(u, v)
        height += np.float32(0.4 * size) * crop(textures.rough, rng, height.shape)
        patch = picture[:, rows, columns]
        blend(patch, FOAM, np.clip(1 - np.abs(height + 1) / 2.5, 0, 1) * np.float32(0.4))
        tone = np.array((92, 84, 70), np.float32) * np.float32(rng.uniform(0.55, 1.4))
        blend(patch, tone, np.clip(height, 0, 1))


def draw_ship(picture: np.ndarray, ship: Box, rng: np.random.Generator, textures: Textures) -> None:
    """Draws hull, deck and bridge in place.

    Args:
        picture: float32 (3, height, width), 0 to 255.
        ship: where it lies.
        rng: draws its colors.
        textures: make its paint uneven.
    """
    rows, columns, u, v = ship.frame(picture.shape[1:])
    if not u.size:
        return
    patch = picture[:, rows, columns]
    hulls = HULLS * np.float32(rng.uniform(0.85, 1.15))
    contrast = np.abs((hulls - patch.mean((1, 2))).mean(1))
    visible = np.flatnonzero(contrast > 38)  # most ships stand out from their surroundings
    hull = hulls[rng.choice(visible if len(visible) and rng.random() < 0.9 else len(hulls))]
    length, width = np.float32(ship.length), np.float32(ship.width)
    paint = np.broadcast_to(hull[:, None, None], (3, *u.shape)).copy()
    if width >= 5:
        inner = (np.abs(v) < 0.4 * width) & (np.abs(u) < 0.45 * length)
        blend(paint, DECKS[rng.integers(len(DECKS))], inner * np.float32(0.85))
        stern = np.float32(rng.choice((-0.4, -0.34, 0.28))) * length
        bridge = (np.abs(u - stern) < 0.05 * length + 0.5) & (np.abs(v) < 0.38 * width)
        blend(paint, (rng.uniform(165, 232),) * 3, bridge)
    paint *= 1 + np.float32(0.06) * crop(textures.rough, rng, u.shape)
    bow = np.float32(min(1.1 * ship.width, 0.3 * ship.length))
    taper = np.sqrt(np.clip((length / 2 - u) / bow, 0, 1)) if width > 4 else np.float32(1)
    sides = np.clip(width / 2 * taper - np.abs(v) + 0.5, 0, 1)
    blend(patch, paint, sides * np.clip(length / 2 - np.abs(u) + 0.5, 0, 1))
