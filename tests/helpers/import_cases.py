"""A small source with images, and how to spoil it."""

import json

import numpy as np
from PIL import Image

from mmseg_sparse.labels.classes import make_classes

CLASSES = make_classes(['sky', 'tree', 'road'])
SIZES = {'a': (40, 30), 'b': (30, 40), 'sub/c': (20, 20)}


def shape(label, kind, *points):
    return {'label': label, 'shape_type': kind, 'points': list(points)}


def labelme(image, *shapes, size=None, flags=None):
    width, height = size or SIZES[image.removesuffix('.jpg')]
    return {
        'imagePath': image, 'imageData': None, 'imageWidth': width,
        'imageHeight': height, 'shapes': list(shapes), 'flags': flags or {},
    }  # fmt: skip


CONTENT = {
    'a': labelme(
        'a.jpg',
        shape('sky', 'linestrip', [2, 3], [30, 5], [45, 5]),
        shape('tree', 'rectangle', [10, 2], [20, 9]),
    ),
    'b': labelme('b.jpg', shape('road', 'point', [3.5, 35.5])),
    'c': labelme('sub/c.jpg', flags={'road': True, 'sky': False}),
}


def make_source(folder, content=CONTENT):
    """Write images and LabelMe files; return the folder of the latter."""
    for name, (width, height) in SIZES.items():
        path = folder / 'images' / f'{name}.jpg'
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', (width, height)).save(path)
    source = folder / 'json'
    source.mkdir(exist_ok=True)
    for name, item in content.items():
        (source / f'{name}.json').write_text(json.dumps(item))
    return source


def labels_of(path):
    with Image.open(path) as picture:
        assert picture.mode == 'P'
        return np.asarray(picture)
