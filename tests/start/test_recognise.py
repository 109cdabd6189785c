"""Formats and kinds of labels are recognised by what is in the files."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mmseg_sparse.labels.image_finder import ImageFinder
from mmseg_sparse.labels.importers.annotation import (
    ImageAnnotation,
    Point,
    Stroke,
)
from mmseg_sparse.start.recognise import kind_of_map, recognise
from tests.helpers import start_case as case
from tests.helpers import writers_a, writers_b

LINE = Stroke('cat', np.array([[5.5, 8.5], [60.5, 30.5]]), width=3.0)
DOT = Point('dog', (20.5, 40.5))


def annotation(*shapes) -> ImageAnnotation:
    return ImageAnnotation('a.jpg', '', case.SIZE, shapes or (LINE,))


def dump(content) -> bytes:
    return json.dumps(content).encode()


SOURCES: dict[str, tuple[str, Callable[[], bytes]]] = {
    'labelme': ('a.json', lambda: dump(writers_a.labelme(annotation()))),
    'cvat': ('a.xml', lambda: writers_a.cvat([annotation()])),
    'label-studio': (
        'all.json',
        lambda: dump(writers_a.label_studio([annotation(DOT)])),
    ),
    'coco': (
        'all.json',
        lambda: dump(writers_a.coco([annotation(DOT)], compressed=False)),
    ),
    'via': ('all.json', lambda: dump(writers_b.via([annotation()]))),
    'csv': (
        'all.csv',
        lambda: writers_b.csv_points([('a.jpg', DOT)], pixels=False).encode(),
    ),
}


@pytest.mark.parametrize('name', SOURCES)
def test_formats_of_annotation_tools(name: str, tmp_path: Path) -> None:
    case.image(tmp_path / 'images/a.jpg')
    file, content = SOURCES[name]
    (tmp_path / file).write_bytes(content())
    finder = ImageFinder(tmp_path / 'images')
    assert recognise(tmp_path / file, finder) == name


@pytest.mark.parametrize(
    ('labels', 'wanted'),
    [
        (case.strokes(), 'index-png'),
        (case.mask(), 'index-png'),
        (case.strokes(unlabelled=0, first=1), 'label-images'),
    ],
)
def test_label_images(labels, wanted: str, tmp_path: Path) -> None:
    images, folder = case.write(tmp_path, ['a', 'b'], labels, '_mask')
    assert recognise(folder, ImageFinder(images)) == wanted


def test_tags(tmp_path: Path) -> None:
    case.image(tmp_path / 'images/a.jpg')
    np.save(tmp_path / 'tags.npy', {'a': np.array([0, 1], np.uint8)})
    finder = ImageFinder(tmp_path / 'images')
    assert recognise(tmp_path / 'tags.npy', finder) == 'onehot-tags'


def test_labels_of_other_images(tmp_path: Path) -> None:
    case.image(tmp_path / 'images/b.jpg')
    (tmp_path / 'a.xml').write_bytes(writers_a.cvat([annotation()]))
    with pytest.raises(ValueError, match='cvat: no labels of these images'):
        recognise(tmp_path / 'a.xml', ImageFinder(tmp_path / 'images'))


@pytest.mark.parametrize(
    ('labels', 'wanted'),
    [
        (case.strokes(), 'scribble'),
        (case.points(), 'point'),
        (case.block(), 'block'),
        (case.mask(), 'dense'),
        (np.full((9, 7), 255, np.uint8), None),
    ],
)
def test_kinds(labels, wanted: str | None) -> None:
    assert kind_of_map(labels) == wanted
