"""A tiny data set of one's own on disk, for tests of datasets."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmseg.registry import DATASETS
from PIL import Image

CLASSES = ('background', 'cat', 'dog')
SIZE = (7, 5)  # width, height: odd, so that a swap shows


def write_image(
    path: Path, size: tuple[int, int] = SIZE, seed: int = 0
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 255, (size[1], size[0], 3))
    assert cv2.imwrite(str(path), noise.astype(np.uint8))
    return path


def write_labels(path: Path, labels: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(labels, np.uint8)).save(path)
    return path


def label_map(*pixels: tuple[int, int, int]) -> np.ndarray:
    """Return 255 everywhere but at (row, column, value)."""
    labels = np.full((SIZE[1], SIZE[0]), 255, np.uint8)
    for row, column, value in pixels:
        labels[row, column] = value
    return labels


def make(root: Path) -> Path:
    """Write four images: a mask, strokes, a click, and tags alone."""
    for name in ('a', 'b', 'c', 'd'):
        write_image(root / 'images' / f'{name}.jpg')
    mask = np.zeros((SIZE[1], SIZE[0]))
    mask[1:3, 2:6] = 2
    write_labels(root / 'masks' / 'a.png', mask)
    write_labels(root / 'scribbles' / 'b.png', label_map((0, 1, 0), (4, 6, 1)))
    write_labels(root / 'points' / 'c.png', label_map((2, 3, 2)))
    (root / 'train.txt').write_text(
        '# name, kind, tags\na dense\n\nb scribble dog\nc point\n'
        'd tag cat, dog\n'
    )
    return root


def build(root: Path, **changes: Any) -> Any:
    """Build the dataset of :func:`make`, with other arguments if given."""
    return DATASETS.build(
        dict(
            type='SparseSegDataset',
            classes=CLASSES,
            data_root=str(root),
            data_prefix=dict(
                img_path='images',
                seg_map_path='masks',
                scribble='scribbles',
                point='points',
            ),
            ann_file='train.txt',
        )
        | changes
    )


def write_sidecar(path: Path, classes: Any, images: Any) -> Path:
    """Write a ``labels.json``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = dict(
        version=1, tool='import_labels', format='test',
        classes=list(classes), class_map={}, options={}, sources={},
        images=images,
    )  # fmt: skip
    path.write_text(json.dumps(content))
    return path
