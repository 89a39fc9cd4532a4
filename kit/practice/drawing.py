"""Synthetic satellite scenes with ships: draws what `kit.practice.scenery` planned, and gives the truth with it.

Pictures are float32 planes (3, height, width) in 0..255 while they are drawn; one layer over the other: sea, wakes, land, docks, rocks,
ships, clouds. A hull fills the rotated rectangle that is its truth to within a pixel.
"""

import math

import numpy as np

from .scenery import Box, Scene, Textures, clouds, crop, dock_height, ground, plan, ramp
from .ships import blend, draw_shadow, draw_ship, draw_wake, soften

# Sea: color (RGB), and the second color that it drifts to.
SEAS = np.array(
    [
        [(8, 38, 56), (14, 52, 66)],
        [(12, 28, 58), (18, 38, 72)],
        [(22, 52, 63), (34, 70, 76)],
        [(6, 44, 60), (10, 70, 86)],
        [(14, 82, 90), (30, 118, 112)],
        [(60, 82, 92), (74, 92, 98)],
        [(70, 96, 92), (86, 112, 104)],
        [(112, 156, 138), (124, 164, 146)],
        [(96, 112, 92), (112, 122, 98)],
        [(112, 104, 82), (124, 118, 96)],
        [(9, 12, 17), (14, 18, 24)],
        [(38, 66, 70), (52, 84, 80)],
        [(30, 42, 54), (44, 56, 66)],
        [(18, 34, 30), (36, 58, 48)],
    ],
    np.float32,
)
BOXES = np.array(
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
ROOFS = np.array(
    [
        (152, 92, 70),
        (136, 80, 64),
        (168, 112, 88),
        (176, 172, 164),
        (124, 120, 116),
        (206, 204, 198),
        (96, 92, 90),
        (140, 132, 120),
    ],
    np.float32,
)

GREENS = np.array([(44, 62, 34), (58, 74, 44), (72, 84, 52), (36, 56, 30)], np.float32)
BARES = np.array([(128, 106, 80), (104, 92, 70), (88, 84, 60), (142, 122, 96)], np.float32)
FIELDS = np.array(
    [(96, 104, 60), (130, 116, 84), (70, 88, 50), (112, 92, 66), (146, 136, 104)], np.float32
)
CONCRETES = np.array(
    [(150, 144, 132), (128, 124, 118), (172, 162, 144), (112, 106, 98)], np.float32
)


def scene(seed: int, index: int) -> tuple[np.ndarray, np.ndarray]:
    """Scene `index` of `seed`: RGB uint8 (height, width, 3), and labels int16 (height, width), 0 background, 1..n its ships.

    Both sides are 768 px plus 0 to 3 times 256 px. Scenes of an even index have ships where there is room, the others have none.
    """
    textures = Textures(seed)
    planned = plan(seed, index, textures)
    return draw_scene(planned, textures), planned.labels()


def draw_scene(scene: Scene, textures: Textures) -> np.ndarray:
    """The picture of a planned scene, RGB uint8 (height, width, 3)."""
    rng = scene.stream(4)
    picture = _sea(scene, textures, rng)
    natural, depth = ground(scene, textures), dock_height(scene)
    free = np.ones(scene.shape, bool)
    if natural is not None:
        _shallows(picture, natural, rng)
        free &= natural < -12
    if depth is not None:
        free &= depth < -12
    for ship, moves in zip(scene.ships, scene.moving):
        if moves:
            draw_wake(picture, ship, rng, textures)
    _rocks(picture, scene, free, rng, textures)
    if natural is not None and (part := _inside(natural > -2)):
        above = natural[part]
        blend(
            picture[:, *part],
            _land(above.shape, textures, rng, above),
            np.clip(above * np.float32(0.5) + 0.5, 0, 1),
        )
    if depth is not None and (part := _inside(depth > -14)):
        blend(picture[:, *part], *_quay(scene, textures, rng, depth[part]))
    sun = rng.uniform(0, 2 * math.pi)
    for ship in scene.ships:
        draw_shadow(picture, ship, sun)
    for ship in scene.ships:
        draw_ship(picture, ship, rng, textures)
    _cover(picture, scene, textures, rng)
    if rng.random() < 0.15:
        blend(picture, (146, 156, 166), np.float32(rng.uniform(0.06, 0.3)))  # haze
    np.clip(picture, 0, 255, out=picture)
    return np.ascontiguousarray((picture + np.float32(0.5)).astype(np.uint8).transpose(1, 2, 0))


def _sea(scene, textures, rng):
    """Water: two colors that drift into each other, waves, and in some scenes sun glint or white caps."""
    first, second = SEAS[scene.sea] * np.float32(rng.uniform(0.85, 1.15))
    drift = crop(textures.fractal[3], rng, scene.shape)
    state = int(rng.choice(4, p=(0.36, 0.37, 0.17, 0.1)))  # calm, breeze, rough, glint
    gain = np.float32(rng.uniform(*((1.2, 3), (3, 6.5), (6, 14), (12, 34))[state]))
    fine = len(textures.waves) if state < 3 else 8  # glint sparkles on short waves
    wave = crop(textures.waves[rng.integers(fine)], rng, scene.shape)
    if rng.random() < 0.5:
        wave = wave * np.float32(0.8) + np.float32(0.6) * crop(
            textures.waves[rng.integers(fine)], rng, scene.shape
        )
    if state == 3:
        first = first * np.float32(0.3) + np.float32(rng.uniform(40, 190))
        second = first * np.float32(rng.uniform(0.75, 1))
    wave += np.float32(rng.uniform(0.1, 0.45)) * crop(textures.rough, rng, scene.shape)
    if rng.random() < 0.6:
        wave *= 1 + np.float32(0.3) * drift  # gusts
    if state:
        wave += np.float32(0.25) * (wave * np.abs(wave))  # crests flash: a skewed brightness
    caps = None
    if state == 2 and rng.random() < 0.6:
        low = rng.uniform(4.2, 5.8)
        caps = ramp(
            low,
            low + 1.8,
            wave + np.float32(rng.uniform(0.7, 1.1)) * crop(textures.rough, rng, scene.shape),
        )
    wave *= gain
    picture = np.empty((3, *scene.shape), np.float32)
    tone = np.clip(drift * np.float32(0.3) + np.float32(0.5), 0, 1)
    fringe = rng.random() < 0.5  # bands of a sensor never register exactly
    for plane, (a, b, share) in enumerate(zip(first, second, (0.85, 1.0, 1.05))):
        np.multiply(tone, b - a, out=picture[plane])
        picture[plane] += a
        picture[plane] += (np.roll(wave, plane - 1, 1) if fringe else wave) * np.float32(share)
    if caps is not None:
        blend(picture, (215, 222, 225), caps)
    return picture


def _shallows(picture, height, rng):
    """Lighter water over a shore's sand, and foam at its edge."""
    shallow = np.clip(1 + height / np.float32(rng.uniform(30, 160)), 0, 1)
    shallow *= shallow
    blend(
        picture,
        (rng.uniform(40, 100), rng.uniform(100, 145), rng.uniform(100, 140)),
        shallow * np.float32(rng.uniform(0.1, 0.75)),
    )
    if rng.random() < 0.5:
        blend(
            picture,
            (222, 226, 224),
            np.clip(1 - np.abs(height + 2) / np.float32(3), 0, 1) * np.float32(0.5),
        )


def _blocks(shape, rng, cell, turn, warp=None):
    """A turned grid of blocks with sides `cell` px: (u, v) inside the block 0..1, its number below 1024, its column and row."""
    c, s = math.cos(turn), math.sin(turn)
    x, y = (
        np.arange(shape[1], dtype=np.float32)[None],
        np.arange(shape[0], dtype=np.float32)[:, None],
    )
    u = x * np.float32(c / cell[0]) + y * np.float32(s / cell[0]) + np.float32(1000)
    v = y * np.float32(c / cell[1]) - x * np.float32(s / cell[1]) + np.float32(1000)
    if warp is not None:
        u += warp / np.float32(cell[0])
        v += warp / np.float32(cell[1])
    column, row = u.astype(np.int32), v.astype(np.int32)
    return (
        u - column,
        v - row,
        (column * 613 + row * 1031 + (column * row) % 89) & 1023,
        column,
        row,
    )


def _palette(rng, colors, jitter):
    """1024 colors (3, 1024), each one of `colors` with its brightness jittered."""
    return np.ascontiguousarray(
        (
            colors[rng.integers(len(colors), size=1024)]
            + rng.normal(0, jitter, (1024, 1)).astype(np.float32)
        ).T
    )


def _houses(layer, rng, where, colors, cell, turn, fill, streets, warp=None):
    """Roofs in blocks with streets between, each with its shadow, laid over `layer` where the mask `where` is true."""
    u, v, block, column, row = _blocks(where.shape, rng, cell, turn, warp)
    wide, deep = (rng.uniform(*fill, 1024).astype(np.float32) for _ in range(2))
    wide[rng.random(1024) < 0.12] = 0  # gardens and squares
    built = (u < wide[block]) & (v < deep[block]) & where
    if streets is not None:
        built &= (column % streets[0] != 0) & (row % streets[1] != 0)
    shadow = np.roll(built, (2, 1), (0, 1)) & ~built
    shadow[:2], shadow[:, :1] = False, False
    blend(layer, (38, 40, 44), shadow * np.float32(0.6))
    blend(layer, _palette(rng, colors, 14)[:, block], built * np.float32(0.9))


def _land(shape, textures, rng, height):
    """Natural land in color: vegetation and bare ground, fields, a town; sand at the shore; lit by its relief."""
    mix, detail, where = (crop(textures.fractal[k], rng, shape) for k in (0, 2, 3))
    rough = crop(textures.rough, rng, shape)
    green = GREENS[rng.integers(len(GREENS))]
    bare = BARES[rng.integers(len(BARES))]
    level = rng.uniform(-0.6, 0.9)
    share = ramp(level - 0.6, level + 0.6, mix + np.float32(0.5) * detail)
    layer = green[:, None, None] + (bare - green)[:, None, None] * share
    woods = ramp(0.3, 0.6, detail + np.float32(0.4) * rough - share)
    blend(layer, green * np.float32(0.62), woods * np.float32(0.75))
    if rng.random() < 0.5:
        u, v, block, _, _ = _blocks(
            shape, rng, rng.uniform(18, 90, 2), rng.uniform(0, math.pi), mix * np.float32(14)
        )
        tilled = ramp(0.1, 0.3, where)
        blend(layer, _palette(rng, FIELDS, 9)[:, block], tilled * np.float32(0.7))
        blend(
            layer,
            green * np.float32(0.7),
            tilled * ((u < 0.05) | (v < 0.05)) * np.float32(rng.uniform(0, 0.6)),
        )  # hedges
    light = np.zeros(shape, np.float32)
    light[2:, 2:] = mix[2:, 2:] - mix[:-2, :-2]
    layer += (
        light * np.float32(rng.uniform(50, 150))
        + rough * np.float32(rng.uniform(6, 15))
        + detail * np.float32(rng.uniform(3, 8))
    )
    if rng.random() < 0.55:
        town = -where + np.float32(0.35) * detail > rng.uniform(-0.3, 0.8)
        blend(layer, (112, 108, 101), town * np.float32(0.7))
        cell = rng.uniform(6, 14) * np.array((1, rng.uniform(1, 1.6)))
        _houses(
            layer,
            rng,
            town,
            ROOFS,
            cell,
            rng.uniform(0, math.pi),
            (0.66, 1.0),
            rng.integers(4, 10, 2),
            mix * np.float32(12),
        )
    road = np.abs(where - np.float32(rng.uniform(-0.6, 0.6))) / np.float32(
        0.006
    )  # it follows a contour of a smooth field
    blend(layer, (150, 146, 138), np.clip(1.6 - road, 0, 1) * np.float32(0.7))
    if height is not None:
        sand = np.clip(1 - np.abs(height - np.float32(3)) / np.float32(rng.uniform(3, 14)), 0, 1)
        blend(layer, (174, 160, 130), sand * np.float32(rng.uniform(0.15, 0.9)))
    soften(layer)
    return layer


def _quay(scene, textures, rng, depth):
    """Docks in color, and their opacity: concrete, yards, stacks of containers, sheds; behind the apron a town or open ground."""
    shape, turn = depth.shape, scene.docks[0].angle
    rough, stain = crop(textures.rough, rng, shape), crop(textures.fractal[0], rng, shape)
    base = CONCRETES[rng.integers(len(CONCRETES))]
    layer = base[:, None, None] + stain * np.float32(6) + rough * np.float32(4)
    cell = rng.uniform(60, 220), rng.uniform(40, 110)
    u, v, yard, _, _ = _blocks(shape, rng, cell, turn)
    tones = rng.normal(0, 14, 1024).astype(np.float32)
    layer += tones[yard]
    blend(layer, (70, 70, 72), ((v < 0.07) | (u < 0.03)) * np.float32(0.35))  # lanes
    kinds = rng.choice(4, 1024, p=(0.35, 0.25, 0.25, 0.15))[yard]
    inside = (v > 0.12) & (u > 0.06) & (depth > 9)
    if rng.random() < 0.7:
        _houses(layer, rng, inside & (kinds == 1), BOXES, (13, 5), turn, (0.8, 1.0), (6, 7))
    _houses(
        layer,
        rng,
        inside & (kinds == 2),
        ROOFS,
        (rng.uniform(30, 80), rng.uniform(20, 44)),
        turn,
        (0.5, 0.9),
        None,
    )
    blend(layer, base * np.float32(1.15), (np.abs(depth - np.float32(3)) < 2.5) * np.float32(0.6))
    alpha = np.clip(depth + np.float32(0.5), 0, 1)
    if rng.random() < 0.4:  # cranes, their booms over the water
        crane = (np.abs(u - 0.5) * cell[0] < 1.5) & (np.abs(depth - 4) < 16) & (yard % 3 == 0)
        blend(layer, (54, 58, 66), crane)
        alpha = np.maximum(alpha, crane)
    soften(layer)
    apron = rng.uniform(40, 330)
    inland = ramp(apron, apron + 3, depth)
    if inland.any():
        blend(layer, _land(shape, textures, rng, None), inland)
    return layer, alpha


def _inside(mask):
    """The rows and columns that hold all of a mask, as two slices; None where it is empty."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)) if len(rows) else None


def _rocks(picture, scene, free, rng, textures):
    """What a ship is mistaken for on open water: rocks and islets with foam, and buoys."""
    for _ in range(
        int(
            scene.clutter
            * rng.choice((0, 0, 3, 10))
            * rng.random()
            * (2 if scene.kind == "coast" else 1)
        )
    ):
        size = float(np.exp(rng.normal(2.0, 0.75)))
        y, x = rng.uniform(0, scene.shape[0]), rng.uniform(0, scene.shape[1])
        if not free[int(y), int(x)] or any(
            math.hypot(x - ship.x, y - ship.y) < ship.length / 2 + 4 * size for ship in scene.ships
        ):
            continue
        rows, columns, u, v = Box(x, y, rng.uniform(0, math.pi), 5 * size, 5 * size).frame(
            scene.shape
        )
        bumps = crop(textures.fractal[0], rng, u.shape)
        bumps = (bumps - bumps.mean()) / (bumps.std() + np.float32(1e-3))
        height = np.float32(size) * (
            np.float32(0.6)
            - np.hypot(u * np.float32(rng.uniform(0.8, 1.8)), v) / np.float32(size)
            + np.float32(0.75) * bumps
        )
        height -= np.float32(5) * np.clip(
            np.hypot(u, v) - np.float32(2 * size), 0, None
        )  # nothing at the patch's border
        patch, rough = picture[:, rows, columns], crop(textures.rough, rng, u.shape)
        foam = np.clip(1 - np.abs(height + 1) / np.float32(2.5), 0, 1) * np.clip(
            np.float32(0.3) + np.float32(0.4) * rough, 0, 0.9
        )
        blend(patch, (222, 226, 226), foam)
        tone = np.array((92, 84, 70), np.float32) * np.float32(rng.uniform(0.55, 1.4))
        blend(
            patch,
            tone[:, None, None] + bumps * np.float32(12) + rough * np.float32(10),
            np.clip(height, 0, 1),
        )
        if size > 22:
            blend(patch, GREENS[0], ramp(4, 9, height) * np.float32(0.8))
    for _ in range(int(rng.integers(1, 4)) if rng.random() < 0.15 else 0):
        y, x = rng.uniform(4, scene.shape[0] - 4), rng.uniform(4, scene.shape[1] - 4)
        if free[int(y), int(x)] and all(
            math.hypot(x - ship.x, y - ship.y) > ship.length for ship in scene.ships
        ):
            rows, columns, u, v = Box(x, y, 0, 4, 4).frame(scene.shape)
            color = np.array([(210, 150, 50), (200, 70, 50), (210, 190, 60)], np.float32)[
                rng.integers(3)
            ]
            blend(
                picture[:, rows, columns],
                color,
                np.clip(rng.uniform(0.8, 1.6) + 0.5 - np.hypot(u, v), 0, 1),
            )


def _cover(picture, scene, textures, rng):
    """Clouds and their shadows."""
    alpha = clouds(scene, textures)
    if alpha is None:
        return
    dy, dx = rng.choice((-1, 1), 2) * rng.integers(30, 220, 2)
    picture *= 1 - np.float32(0.5) * clouds(scene, textures, shift=(int(dy), int(dx)))
    tone = (
        np.float32(rng.uniform(150, 185))
        + alpha * np.float32(45)
        + crop(textures.fractal[4], rng, scene.shape) * np.float32(13)
    )
    for plane, cast in enumerate((0.985, 1.0, 1.015)):
        picture[plane] += (tone * np.float32(cast) - picture[plane]) * alpha
