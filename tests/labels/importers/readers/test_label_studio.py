"""Label Studio: what it exports, and written files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmseg_sparse.labels.image_finder import possible_names
from mmseg_sparse.labels.importers.annotation import (
    ImageAnnotation,
    PixelRegion,
    Point,
    Region,
    Stroke,
)
from mmseg_sparse.labels.importers.readers import label_studio

from ....helpers.drawn import LABELS, pixel_regions, points, regions
from ....helpers.fuzzing import MODEST
from ....helpers.writers_a import label_studio as write
from ....helpers.writers_a import whole


def result(kind: str, **value: Any) -> dict[str, Any]:
    """Return a result as Label Studio exports it, of an image 600 x 400."""
    return {
        'original_width': 600, 'original_height': 400, 'image_rotation': 0,
        'value': value, 'id': 'Dx_aB3ISEF', 'from_name': 'label',
        'to_name': 'image', 'type': kind, 'origin': 'manual',
    }  # fmt: skip


def task(*results: Any, **more: Any) -> dict[str, Any]:
    return {
        'id': 41,
        'annotations': [
            {'id': 7, 'completed_by': 1, 'result': list(results),
             'was_cancelled': False, 'ground_truth': False,
             'created_at': '2024-02-20T10:09:44.214Z', 'lead_time': 12.3,
             'draft_created_at': None, 'parent_prediction': None},
        ],
        'file_upload': '3f1c2a9b-street.jpg',
        'drafts': [],
        'predictions': [],
        'data': {'image': '/data/upload/1/3f1c2a9b-street.jpg'},
        'meta': {}, 'inner_id': 1, 'total_annotations': 1, 'project': 1,
    } | more  # fmt: skip


#: What label-studio-sdk 2.1.2 packs a ring of 3 x 3 pixels into, which has
#: its corner at (2, 1) of an image 6 x 5.
RLE = [0, 0, 0, 120, 57, 27, 254, 31, 0, 183, 255, 108, 2, 63, 248, 192, 35,
       255, 182, 1, 111, 255, 13, 128, 0]  # fmt: skip
RING = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], bool)
BRUSH = {
    **result('brushlabels', format='rle', rle=RLE, brushlabels=['Car']),
    'original_width': 6, 'original_height': 5,
}  # fmt: skip
CHOICE = {
    'value': {'choices': ['Rain', 'Night']}, 'id': 'q1', 'type': 'choices',
    'from_name': 'weather', 'to_name': 'image', 'origin': 'manual',
}  # fmt: skip
SHAPES = [
    result('keypointlabels', x=50, y=25, width=0.4, keypointlabels=['Car']),
    result('polygonlabels', points=[[0, 0], [10, 0.5], [10, 20]],
           closed=True, polygonlabels=['Sky']),
    result('rectanglelabels', x=10, y=20, width=50, height=25, rotation=0,
           rectanglelabels=['Car']),
    result('rectanglelabels', x=50, y=50, width=10, height=5, rotation=90,
           rectanglelabels=['Car', 'Truck']),
    result('ellipselabels', x=50, y=50, radiusX=10, radiusY=5, rotation=30,
           ellipselabels=['Car']),
]  # fmt: skip


def read(path: Path, content: Any) -> list[ImageAnnotation]:
    path.write_text(json.dumps(content))
    return list(label_studio.read(path))


def test_an_export_of_label_studio(tmp_path: Path) -> None:
    (back,) = read(tmp_path / 'a.json', [task(*SHAPES, CHOICE)])
    assert 'street.jpg' in possible_names(back.image)
    assert (back.size, back.annotator) == ((600, 400), '1')
    assert back.tags == ('Rain', 'Night')
    click, outline, box, turned, second, oval = back.shapes
    assert isinstance(click, Point)
    assert (click.xy, click.label) == ((300, 100), 'Car')
    assert click.entry == 'tasks[0].annotations[0].result[0]'
    assert isinstance(outline, Region)
    assert outline.rings[0].tolist() == [[0, 0], [60, 2], [60, 80]]
    assert box.rings[0].tolist() == [[60, 80], [360, 80], [360, 180],
                                     [60, 180]]  # fmt: skip
    # Turned about its top left corner, (300, 200); 60 x 20 pixels.
    np.testing.assert_allclose(
        turned.rings[0], [[300, 200], [300, 260], [280, 260], [280, 200]]
    )
    assert [turned.label, second.label] == ['Car', 'Truck']
    far = oval.rings[0][0] - (300, 200)  # 60 pixels along, 20 across
    np.testing.assert_allclose(far, [60 * np.sqrt(0.75), 30])
    assert np.hypot(*(oval.rings[0] - (300, 200)).T).min() < 20.01


def test_a_brush_stroke(tmp_path: Path) -> None:
    (back,) = read(tmp_path / 'a.json', [task(BRUSH)])
    (brush,) = back.shapes
    assert isinstance(brush, PixelRegion)
    assert (brush.origin, brush.label) == ((2, 1), 'Car')
    np.testing.assert_array_equal(brush.pixels, RING)


def test_all_annotations_but_cancelled_ones_count(tmp_path: Path) -> None:
    content = task(SHAPES[0], CHOICE)
    (first,) = content['annotations']
    content['annotations'] += [
        first | {'result': [SHAPES[1]], 'was_cancelled': True},
        first
        | {
            'result': [SHAPES[2], CHOICE],
            'completed_by': {'id': 2, 'email': 'b@x.org'},
        },
    ]
    content['predictions'] = [{'result': [SHAPES[3]]}]
    one, two, none = read(tmp_path / 'a.json', [content, task(annotations=[])])
    assert [[type(s) for s in a.shapes] for a in (one, two)] == [
        [Point], [Region],
    ]  # fmt: skip
    assert len(two.shapes[0].rings[0]) == 4
    assert one.tags == two.tags == ('Rain', 'Night')
    assert (one.annotator, two.annotator) == ('1', 'b@x.org')
    assert one.image == two.image
    assert (none.shapes, none.tags, none.size) == ((), (), None)


def test_shapes_and_labels_by_separate_tags(tmp_path: Path) -> None:
    place = {'x': 50, 'y': 25, 'width': 10, 'height': 10, 'rotation': 0}
    results = [
        result('labels', labels=['Bus'], **place),
        result('rectangle', **place),
        # Remarks on the one shape, not on the image.
        result('choices', choices=['occluded'], **place),
        result('textarea', text=['dirty'], **place),
    ]
    (back,) = read(tmp_path / 'a.json', [task(*results)])
    (box,) = back.shapes
    assert (box.label, back.tags) == ('Bus', ())
    assert box.rings[0].tolist()[0] == [300, 100]


@pytest.mark.parametrize(('data', 'name'), [
    ({'image': '/data/upload/1/abcd1234-name.jpg'}, 'name.jpg'),
    ({'image': '/data/upload/12/abcd1234-B%C3%A4r%20x.jpg'}, 'Bär x.jpg'),
    ({'image': '/data/upload/name-2.jpg'}, 'name-2.jpg'),
    ({'image': 'http://host:8080/data/upload/1/abcd1234-a.jpg?t=1'}, 'a.jpg'),
    ({'image': '/data/local-files/?d=set%20a/b/c.jpg'}, 'set a/b/c.jpg'),
    ({'image': 'https://host/data/local-files/?d=b/c.jpg'}, 'b/c.jpg'),
    ({'image': 'https://host/x/y%20z.jpg?token=a/b.png#top'}, 'y z.jpg'),
    ({'image': 's3://bucket/train/a#1%.jpg'}, 'a#1%.jpg'),
    ({'image': 'train/a.jpg'}, 'train/a.jpg'),
    ({'img': 'a.PNG', 'text': 'no picture', 'n': 3}, 'a.PNG'),
    ({'ocr': 'x.jpg', 'image': 'y.jpg'}, 'y.jpg'),
])  # fmt: skip
def test_names_of_images(tmp_path: Path, data: Any, name: str) -> None:
    (back,) = read(tmp_path / 'a.json', [task(data=data)])
    assert name in possible_names(back.image)


def equal(read: Any, written: Any, size: tuple[int, int]) -> bool:
    if type(read) is not type(written) or read.label != written.label:
        return False
    if isinstance(read, PixelRegion):
        return np.array_equal(whole(read, size), whole(written, size))
    if isinstance(read, Region):
        one, other = read.rings[0], written.rings[0]
        return one.shape == other.shape and np.allclose(one, other, rtol=1e-14)
    return np.allclose(read.xy, written.xy, rtol=1e-14)


@given(
    st.lists(points() | regions(holes=0) | pixel_regions(), max_size=4),
    st.lists(LABELS, unique=True),
)
@MODEST
def test_round_trip(tmp_path: Path, shapes: list, tags: list) -> None:
    shapes = [
        s for s in shapes if not isinstance(s, PixelRegion) or s.pixels.any()
    ]
    size = (51, 53)
    drawn = ImageAnnotation('x y.jpg', '', size, tuple(shapes), tuple(tags))
    (back,) = read(tmp_path / 'ü.json', write([drawn]))
    assert 'x y.jpg' in possible_names(back.image)
    assert back.tags == tuple(tags)
    assert back.size == (size if shapes else None)
    assert len(back.shapes) == len(shapes)
    for shape, written in zip(back.shapes, shapes, strict=True):
        assert equal(shape, written, size)


@pytest.mark.parametrize('kind', ['polygonlabels', 'polygon'])
def test_polygons_that_were_not_closed_are_strokes(
    tmp_path: Path, kind: str
) -> None:
    points = [[10, 10], [30, 10], [30, 50], [10, 50]]
    place = {'points': points, 'original_width': 40, 'original_height': 30}
    labels = result('labels', labels=['road'])
    for closed, form in ((False, Stroke), (True, Region), (None, Region)):
        drawn = result(kind, points=points, closed=closed)
        if kind == 'polygonlabels':
            drawn['value'][kind] = ['road']
        drawn |= {k: v for k, v in place.items() if k != 'points'}
        results = [drawn] if kind == 'polygonlabels' else [labels, drawn]
        (back,) = read(tmp_path / 'a.json', [task(*results)])
        (shape,) = back.shapes
        assert type(shape) is form
        line = shape.points if closed is False else shape.rings[0]
        assert line.tolist() == [[4, 3], [12, 3], [12, 15], [4, 15]]
