"""Supervisely JSON: a faithful sample, written ones and broken files."""

import base64
import io
import json
import zlib
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mmseg_sparse.labels.importers.annotation import ImageAnnotation
from mmseg_sparse.labels.importers.readers import supervisely
from mmseg_sparse.utils.untrusted import FormatError

from ....helpers.drawn import (
    FLOATS,
    LABELS,
    WHOLE,
    pixel_regions,
    points,
    regions,
    strokes,
)
from ....helpers.fuzzing import MODEST, as_values, fuzz_json
from ....helpers.writers_b import bitmap_data, save_json
from ....helpers.writers_b import supervisely as write

#: An L of five pixels in 3 rows and 4 columns.
MASK = np.array([[1, 0, 0, 0], [1, 0, 0, 0], [1, 1, 1, 0]], bool)


def vector(kind: str, exterior: list, interior: list = ()) -> dict[str, Any]:
    return {
        'id': 497521359, 'classId': 1661571, 'description': '',
        'geometryType': kind, 'labelerLogin': 'max', 'tags': [],
        'createdAt': '2020-08-22T09:32:48.010Z',
        'updatedAt': '2020-08-22T09:33:08.926Z',
        'classTitle': 'lemon',
        'points': {'exterior': exterior, 'interior': list(interior)},
    }  # fmt: skip


SAMPLE = {
    'description': '',
    'tags': [
        {'id': 86458971, 'tagId': 28283797, 'name': 'cars', 'value': 3,
         'labelerLogin': 'max'},
        'night',
    ],
    'size': {'height': 800, 'width': 1067},
    'objects': [
        vector('point', [[1, 2]]),
        vector('line', [[10, 20], [30, 45], [50, 20]]),
        vector('polygon', [[0, 0], [9, 0], [9, 9]],
               [[[2, 2], [5, 2], [5, 4]]]),
        vector('rectangle', [[30, 8], [21, 4]]),
        {'classTitle': 'kiwi', 'geometryType': 'bitmap', 'tags': [],
         'bitmap': {'data': bitmap_data(MASK), 'origin': [535, 66]}},
    ],
}  # fmt: skip


def read_content(folder: Path, content: Any) -> ImageAnnotation:
    path = save_json(folder / 'IMG_1836.jpeg.json', content)
    annotation, *others = supervisely.read(path)  # one for each who drew
    assert annotation.image == 'IMG_1836.jpeg'
    assert annotation.source == str(path)
    shapes = sum((other.shapes for other in others), annotation.shapes)
    return replace(annotation, shapes=shapes)


def test_sample_of_whole_pixels(tmp_path: Path) -> None:
    annotation = read_content(tmp_path, SAMPLE)
    assert annotation.size == (1067, 800)
    assert annotation.tags == ('cars', 'night')
    assert [as_values(shape) for shape in annotation.shapes] == [
        ('point', 'lemon', (1.5, 2.5)),
        ('stroke', 'lemon', [[10.5, 20.5], [30.5, 45.5], [50.5, 20.5]], None),
        ('region', 'lemon', [
            [[0.5, 0.5], [9.5, 0.5], [9.5, 9.5]],
            [[2.5, 2.5], [5.5, 2.5], [5.5, 4.5]],
        ]),
        # Both corners' pixels belong to it: columns 21..30, rows 4..8.
        ('region', 'lemon', [[[21, 4], [31, 4], [31, 9], [21, 9]]]),
        ('pixels', 'kiwi', MASK.tolist(), (535, 66)),
    ]  # fmt: skip
    assert [s.entry for s in annotation.shapes][::4] == [
        'objects[0]', 'objects[4].bitmap.data',
    ]  # fmt: skip


def test_one_fraction_makes_all_coordinates_exact(tmp_path: Path) -> None:
    content = deepcopy(SAMPLE)
    content['objects'][1]['points']['exterior'][0][0] = 10.25
    shapes = [as_values(s) for s in read_content(tmp_path, content).shapes]
    assert shapes[0] == ('point', 'lemon', (1, 2))
    assert shapes[1][2] == [[10.25, 20], [30, 45], [50, 20]]
    assert shapes[3][2] == [[[21, 4], [30, 4], [30, 8], [21, 8]]]
    assert shapes[4][3] == (535, 66)


def test_a_bitmap_packed_by_the_tool(tmp_path: Path) -> None:
    # Versions differ in the PNG: opaque where it is set, or white.
    picture = Image.fromarray(np.dstack([MASK * 255] * 4).astype(np.uint8))
    grey = Image.fromarray(MASK.astype(np.uint8) * 255)
    for image in (picture, grey, grey.convert('1'), grey.convert('LA')):
        file = io.BytesIO()
        if image.mode == 'LA':
            image.putalpha(grey)
        image.save(file, format='PNG')
        content = deepcopy(SAMPLE)
        data = base64.b64encode(zlib.compress(file.getvalue())).decode()
        content['objects'][4]['bitmap']['data'] = data
        region = read_content(tmp_path, content).shapes[4]
        assert np.array_equal(region.pixels, MASK), image.mode


SHAPES = st.lists(
    points() | strokes() | regions() | pixel_regions(), max_size=5
)
PIXELS = WHOLE.map(lambda index: index + 0.5)
TAGS = st.lists(LABELS, max_size=3).map(tuple)


@given(SHAPES, points(FLOATS.filter(lambda v: v % 1 != 0)), TAGS)
@MODEST
def test_round_trip(
    tmp_path: Path, shapes: list, last: Any, tags: tuple
) -> None:
    shapes = [*shapes, last]
    written = ImageAnnotation('', '', (90, 60), tuple(shapes), tags)
    read = read_content(tmp_path, write(written))
    assert (read.size, read.tags) == ((90, 60), tags)
    assert [*map(as_values, read.shapes)] == [*map(as_values, shapes)]


@given(
    st.lists(points(PIXELS) | strokes(PIXELS) | regions(PIXELS), max_size=5)
)
@MODEST
def test_round_trip_of_pixels(tmp_path: Path, shapes: list) -> None:
    written = ImageAnnotation('', '', (90, 60), tuple(shapes))
    read = read_content(tmp_path, write(written, pixels=True))
    assert [*map(as_values, read.shapes)] == [*map(as_values, shapes)]


def test_folders(tmp_path: Path) -> None:
    for name in ('two/ann/b.png', 'one/ann/c.png', 'one/ann/a.png'):
        path = tmp_path / f'{name}.json'
        path.parent.mkdir(parents=True, exist_ok=True)
        save_json(path, SAMPLE)
    (tmp_path / 'meta.json').write_text('{"classes": [], "tags": []}')
    images = {a.image: a.folders for a in supervisely.read(tmp_path)}
    assert list(images) == ['a.png', 'c.png', 'b.png']
    assert list(images.values()) == [('one',), ('one',), ('two',)]
    images = {a.image: a.folders for a in supervisely.read(tmp_path / 'two')}
    assert images == {'b.png': ()}
    (tmp_path / 'none').mkdir()
    with pytest.raises(FormatError, match=r'no \*\.json in the folder'):
        list(supervisely.read(tmp_path / 'none'))


@given(st.integers(0, 2**32))
@MODEST
def test_fuzz(tmp_path: Path, seed: int) -> None:
    sample = json.loads(json.dumps(SAMPLE))
    for turn in range(4):
        fuzz_json(supervisely.read, tmp_path / 'a.json', sample, seed + turn)


def test_places_of_bitmaps_are_rounded_half_to_even(tmp_path: Path) -> None:
    content = deepcopy(SAMPLE)
    content['objects'][4]['bitmap']['origin'] = [0.5, 1.6]
    assert read_content(tmp_path, content).shapes[4].origin == (0, 2)
