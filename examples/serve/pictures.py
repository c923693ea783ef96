"""Generated pictures: a coloured shape on a coloured, noisy ground. The class is the shape."""

from __future__ import annotations

import numpy as np

SIDE = 32
SHAPES = ("disc", "square", "cross", "ring", "stripes", "triangle")


def drawn(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (count, 3, SIDE, SIDE) of uint8, and the places of their shapes in SHAPES."""
    random = np.random.RandomState(seed)
    labels = random.randint(len(SHAPES), size=count)
    return np.stack([_picture(SHAPES[label], random) for label in labels]), labels


def _picture(shape: str, random: np.random.RandomState) -> np.ndarray:
    size = random.uniform(7, 11)
    middle = random.uniform(size, SIDE - size, 2)
    ground = random.uniform(0, 255, 3)
    colour = (ground + random.uniform(80, 175, 3)) % 255  # at least 80 from the ground, in each channel
    inside = _inside(shape, *((np.mgrid[:SIDE, :SIDE] - middle[:, None, None]) / size))
    picture = np.where(inside, colour[:, None, None], ground[:, None, None])
    return np.clip(picture + random.normal(0, 10, picture.shape), 0, 255).astype("uint8")


def _inside(shape: str, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Which pixels a shape covers, given their places from -1 to 1 in its frame."""
    frame = np.maximum(abs(x), abs(y)) < 1
    radius = np.hypot(x, y)
    return {
        "disc": radius < 1,
        "square": frame,
        "cross": frame & (np.minimum(abs(x), abs(y)) < 0.3),
        "ring": (radius < 1) & (radius > 0.6),
        "stripes": frame & (np.floor(y * 2.5) % 2 == 0),
        "triangle": frame & (2 * abs(x) < y + 1),
    }[shape]
