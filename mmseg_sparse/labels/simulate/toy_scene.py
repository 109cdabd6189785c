"""Procedural scenes of the toy data set: textured shapes on clutter."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class SceneStyle:
    """What makes scenes easy or hard.

    Attributes:
        size: Height and width in pixels.
        shapes: Least and greatest number of shapes.
        radius: Least and greatest radius of a shape, as a share of ``size``.
        period: Least and greatest period of a texture in pixels.
        clutter: Number of patches that are of no class.
        contrast: Least and greatest contrast of textures and clutter.
        fade: How much of its contrast a texture may lose across a shape.
        turn: Greatest turn of a texture, in degrees.
        noise: Standard deviation of the pixel noise, in grey levels.
    """

    size: int = 64
    shapes: tuple[int, int] = (2, 4)
    radius: tuple[float, float] = (0.18, 0.34)
    period: tuple[float, float] = (5.0, 6.0)
    clutter: int = 8
    contrast: tuple[float, float] = (90.0, 200.0)
    fade: float = 0.5
    turn: float = 15.0
    noise: float = 5.0


def render(
    rng: np.random.Generator, style: SceneStyle
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Render one scene.

    Colours of shapes, clutter and ground come from one distribution, so they
    tell nothing of the class; the outlines of shapes and clutter do too.

    Args:
        rng: Where all randomness comes from.
        style: How scenes look.

    Returns:
        Image ``(H, W, 3)`` and mask ``(H, W)``, both ``uint8``: 0 is the
        background, ``i + 1`` the texture ``TEXTURES[i]``.
    """
    size = style.size
    image = _ground(rng, style)
    labels = np.zeros((size, size), np.uint8)
    for _ in range(style.clutter):
        inside, local = _shape(rng, style, scale=rng.uniform(0.3, 1.0))
        painter = _CLUTTER[rng.integers(len(_CLUTTER))]
        _paint(image, inside, painter(*local, rng), rng, style)
    for _ in range(rng.integers(style.shapes[0], style.shapes[1] + 1)):
        value = int(rng.integers(len(TEXTURES)))
        inside, local = _shape(rng, style, scale=1.0)
        texture = list(TEXTURES.values())[value]
        _paint(image, inside, texture(*local, rng), rng, style)
        labels[inside] = value + 1
    image += _smooth_noise(rng, size, size / 4, 1)[..., None] * 18  # light
    image += rng.normal(0, style.noise, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8), labels


# Textures: values in [0, 1] over local coordinates in periods. -----------


def _stripes(u: Array, v: Array, rng: np.random.Generator) -> Array:
    return _edge(np.sin(2 * np.pi * u) + rng.uniform(-0.4, 0.4))


def _checker(u: Array, v: Array, rng: np.random.Generator) -> Array:
    return _edge(2 * np.sin(np.pi * u) * np.sin(np.pi * v))


def _dots(u: Array, v: Array, rng: np.random.Generator) -> Array:
    distance = np.hypot(u - np.rint(u), v - np.rint(v))
    return _edge((rng.uniform(0.26, 0.38) - distance) * 6)


def _rings(u: Array, v: Array, rng: np.random.Generator) -> Array:
    phase = rng.uniform(0, 2 * np.pi)
    return _edge(np.sin(2 * np.pi * np.hypot(u, v) + phase))


def _zigzag(u: Array, v: Array, rng: np.random.Generator) -> Array:
    wave = np.abs((u / 2) % 1 - 0.5) * 2
    return _edge(np.sin(2 * np.pi * (v + wave)) + rng.uniform(-0.4, 0.4))


def _bricks(u: Array, v: Array, rng: np.random.Generator) -> Array:
    row = np.floor(v)
    along = u / 2 + 0.5 * (row % 2)
    joint = np.minimum(
        2 * np.abs(along - np.rint(along)), np.abs(v - np.rint(v))
    )
    return _edge((joint - rng.uniform(0.13, 0.2)) * 12)


def _edge(value: Array) -> Array:
    return 0.5 + 0.5 * np.tanh(2 * value)


#: Class name -> its texture, in the order of the class ids from 1.
TEXTURES: dict[str, Callable[[Array, Array, np.random.Generator], Array]] = {
    'stripes': _stripes,
    'checker': _checker,
    'dots': _dots,
    'rings': _rings,
    'zigzag': _zigzag,
    'bricks': _bricks,
}


# What belongs to no class.


def _plain(u: Array, v: Array, rng: np.random.Generator) -> Array:
    return np.full(u.shape, rng.random(), np.float32)


def _gradient(u: Array, v: Array, rng: np.random.Generator) -> Array:
    return np.clip(0.5 + 0.15 * u, 0, 1)


def _blotches(u: Array, v: Array, rng: np.random.Generator) -> Array:
    noise = _smooth_noise(rng, u.shape[0], rng.uniform(1.5, 4.0), 1)
    return _edge(1.5 * noise)


def _speckle(u: Array, v: Array, rng: np.random.Generator) -> Array:
    return rng.random(u.shape).astype(np.float32)


_CLUTTER = (_plain, _gradient, _blotches, _speckle)


def _ground(rng: np.random.Generator, style: SceneStyle) -> Array:
    """Return a ground of blotches in two colours under a colour drift."""
    mix = _edge(_smooth_noise(rng, style.size, rng.uniform(2, 10), 1))
    first, second = _colours(rng, style)
    image = first + mix[..., None] * (second - first)
    drift = _smooth_noise(rng, style.size, style.size / 5, 3)
    return (image + 25 * drift).astype(np.float32)


def _paint(
    image: Array,
    inside: NDArray[np.bool_],
    texture: Array,
    rng: np.random.Generator,
    style: SceneStyle,
) -> None:
    """Paint a texture in two random colours; its contrast fades."""
    first, second = _colours(rng, style)
    fading = 0.5 + 0.5 * np.tanh(_smooth_noise(rng, len(image), 12, 1) * 1.5)
    strength = 1 - style.fade * fading
    value = 0.5 + (texture - 0.5) * strength
    colour = first + value[..., None] * (second - first)
    image[inside] = colour[inside]


def _colours(
    rng: np.random.Generator, style: SceneStyle
) -> tuple[Array, Array]:
    """Draw two colours whose distance is the contrast."""
    middle = rng.uniform(60, 195, 3)
    # Dark against light, in a random hue and either way round.
    direction = rng.choice((-1, 1)) + 0.35 * rng.normal(size=3)
    direction /= np.linalg.norm(direction)
    half = 0.5 * rng.uniform(*style.contrast) * direction
    return (middle - half).astype(np.float32), (middle + half).astype(
        np.float32
    )


def _shape(
    rng: np.random.Generator, style: SceneStyle, *, scale: float
) -> tuple[NDArray[np.bool_], tuple[Array, Array]]:
    """Draw a random outline; return its inside and local coordinates."""
    size = style.size
    centre = rng.uniform(0.08, 0.92, 2) * size
    radius = rng.uniform(*style.radius) * size * scale
    y, x = np.mgrid[:size, :size].astype(np.float32)
    y, x = y - centre[0], x - centre[1]
    # The radius as a function of the angle: a few random harmonics.
    angle = np.arctan2(y, x)
    outline = np.ones_like(angle)
    for order in (2, 3, 4, 5):
        outline += (
            rng.uniform(0, 0.5 / order)
            * np.sin(order * angle + rng.uniform(0, 2 * np.pi))
        )  # fmt: skip
    inside = np.hypot(y, x) < radius * outline
    turn = np.deg2rad(rng.uniform(-style.turn, style.turn))
    period = rng.uniform(*style.period)
    u = (np.cos(turn) * x + np.sin(turn) * y) / period
    v = (np.cos(turn) * y - np.sin(turn) * x) / period
    return inside, (u, v)


def _smooth_noise(
    rng: np.random.Generator, size: int, sigma: float, channels: int
) -> Array:
    """Return Gaussian noise of unit variance, smooth over ``sigma``."""
    white = rng.standard_normal((size, size, channels)).astype(np.float32)
    noise: NDArray[Any] = cv2.GaussianBlur(
        white, (0, 0), sigma, borderType=cv2.BORDER_REFLECT
    ).reshape(size, size, channels)
    noise /= noise.std((0, 1)) + 1e-6
    return noise[..., 0] if channels == 1 else noise
