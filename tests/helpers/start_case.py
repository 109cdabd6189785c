"""A small data set of one's own for tests of ``init`` and ``predict``."""

from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (96, 80)  # width, height


def image(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 255, (*SIZE[::-1], 3))
    Image.fromarray(noise.astype(np.uint8)).save(path)
    return path


def png(path: Path, labels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(labels.astype(np.uint8)).save(path)
    return path


def mask() -> np.ndarray:
    """Background 0, with areas of the classes 1 and 2."""
    labels = np.zeros(SIZE[::-1], np.uint8)
    labels[10:40, 20:60] = 1
    labels[50:75, 30:90] = 2
    return labels


def strokes(unlabelled: int = 255, first: int = 0) -> np.ndarray:
    labels = np.full(SIZE[::-1], unlabelled, np.uint8)
    labels[4:7, 5:80] = first
    labels[20:23, 25:55] = first + 1
    labels[60:63, 35:85] = first + 2
    return labels


def points() -> np.ndarray:
    labels = np.full(SIZE[::-1], 255, np.uint8)
    labels[5, 5], labels[22, 40], labels[60, 60] = 0, 1, 2
    return labels


def block() -> np.ndarray:
    labels = np.full(SIZE[::-1], 255, np.uint8)
    labels[15:38, 25:55] = 1
    return labels


def write(root: Path, names: list[str], labels: np.ndarray, suffix: str = ''):
    """Write images, and the same labels for each of them."""
    for seed, name in enumerate(names):
        image(root / f'images/{name}.jpg', seed)
        png(root / f'labels/{name}{suffix}.png', labels)
    return root / 'images', root / 'labels'
