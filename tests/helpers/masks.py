"""Label maps for tests of the simulators."""

from pathlib import Path

import cv2
import numpy as np
from hypothesis import strategies as st
from scipy import ndimage

EIGHT = np.ones((3, 3))


def blobs(seed: int = 0, size: tuple[int, int] = (90, 140)) -> np.ndarray:
    """A mask of five classes in random smooth regions, with some void."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((5, *size))
    noise = ndimage.gaussian_filter(noise, (0, 6, 6))
    labels = noise.argmax(0).astype(np.uint8)
    labels[:7, :9] = 255
    return labels


def write_masks(root: Path) -> Path:
    """Write 12 masks of blobs, one of them in a folder."""
    (root / 'deep').mkdir(parents=True)
    for number in range(12):
        name = f'{number}.png' if number else 'deep/0.v1.png'
        assert cv2.imwrite(str(root / name), blobs(number))
    return root


def components(labels: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """The 8-connected regions of each class, found one class at a time."""
    found = []
    for value in np.unique(labels[labels != 255]).tolist():
        index, count = ndimage.label(labels == value, EIGHT)
        found += [(value, index == number) for number in range(1, count + 1)]
    return found


def is_connected(pixels: np.ndarray) -> bool:
    return ndimage.label(pixels, EIGHT)[1] == 1


@st.composite
def masks(draw: st.DrawFn) -> np.ndarray:
    """Masks with what is hard to draw on.

    Shapes of any class (255 too) lie on top of each other: lines one pixel
    wide, rings, specks, bars that run into the border; or noise.
    """
    number = st.integers(1, 40)
    height, width = draw(number), draw(number)
    labels = np.full((height, width), draw(st.sampled_from([0, 1, 255])))
    labels = labels.astype(np.uint8)
    if draw(st.booleans()):
        rng = np.random.default_rng(draw(st.integers(0, 9)))
        noise = rng.random((3, height, width))
        smooth = draw(st.sampled_from([0, 1, 3]))
        noise = ndimage.gaussian_filter(noise, (0, smooth, smooth))
        labels[:] = noise.argmax(0)
    x, y = st.integers(-2, width + 1), st.integers(-2, height + 1)
    for _ in range(draw(st.integers(0, 6))):
        start, end = (draw(x), draw(y)), (draw(x), draw(y))
        value = draw(st.sampled_from([0, 1, 2, 3, 255]))
        kind = draw(st.sampled_from(['line', 'ring', 'bar', 'speck']))
        if kind == 'line':
            cv2.line(labels, start, end, value, 1)
        elif kind == 'ring':
            cv2.circle(labels, start, draw(st.integers(1, 15)), value, 1)
        elif kind == 'bar':
            cv2.rectangle(labels, start, end, value, -1)
        else:
            cv2.circle(labels, start, 1, value, -1)
    return labels
