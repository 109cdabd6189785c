"""LabelMe and X-AnyLabeling: their files, written ones and broken ones."""

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
from mmseg_sparse.labels.importers.readers import labelme
from mmseg_sparse.utils.untrusted import FormatError

from ....helpers.drawn import (
    LABELS,
    NAMES,
    lines,
    pixel_regions,
    points,
    regions,
)
from ....helpers.fuzzing import MODEST, as_values
from ....helpers.writers_a import labelme as write
from ....helpers.writers_a import png_base64

MASK = np.array([[0, 1, 1], [1, 0, 1]], bool)


def shape(kind: str, *xy: list[float], **more: Any) -> dict[str, Any]:
    return {
        'label': 'road', 'points': list(xy), 'group_id': None,
        'description': '', 'shape_type': kind, 'flags': {}, 'mask': None,
    } | more  # fmt: skip


#: What LabelMe 5.5 writes, a shape of every type.
LABELME = {
    'version': '5.5.0',
    'flags': {'night': False, 'rain': True},
    'shapes': [
        shape('point', [100.5, 60.25]),
        shape('points', [1.0, 2.0], [3.0, 4.0]),
        shape('line', [10.0, 20.0], [30.0, 25.0]),
        shape('linestrip', [1.0, 1.0], [5.0, 5.0], [9.0, 1.0]),
        shape('polygon', [0.0, 0.0], [8.0, 0.0], [8.0, 6.0]),
        shape('rectangle', [40.0, 30.0], [20.0, 50.0]),
        shape('circle', [50.0, 40.0], [53.0, 44.0]),
        shape('mask', [12.0, 7.0], [14.0, 8.0], mask=png_base64(MASK)),
        shape(
            'oriented_rectangle',
            [5.0, 0.0], [9.0, 4.0], [6.0, 7.0], [2.0, 3.0],
        ),
    ],
    'imagePath': 'apc2016_obj3.jpg',
    'imageData': None,
    'imageHeight': 200,
    'imageWidth': 300,
}  # fmt: skip
#: What X-AnyLabeling 2.4 writes: four corners, keys of its own.
X_ANYLABELING = {
    'version': '2.4.4',
    'flags': {},
    'shapes': [
        {'label': 'dog', 'score': 0.87, 'points': [
            [10.0, 10.0], [40.0, 10.0], [40.0, 20.0], [10.0, 20.0]],
         'group_id': 1, 'description': None, 'difficult': False,
         'shape_type': 'rectangle', 'flags': {}, 'attributes': {'pose': 'x'},
         'kie_linking': []},
        {'label': 'ship', 'score': None, 'points': [
            [5.0, 0.0], [9.0, 4.0], [6.0, 7.0], [2.0, 3.0]],
         'group_id': None, 'description': None, 'difficult': False,
         'shape_type': 'rotation', 'flags': {}, 'attributes': {},
         'direction': 0.785, 'kie_linking': []},
    ],
    'imagePath': 'dota.png', 'imageData': None,
    'imageHeight': 64, 'imageWidth': 80, 'description': '',
}  # fmt: skip


def read_one(path: Path, content: Any) -> ImageAnnotation:
    path.write_text(json.dumps(content))
    (annotation,) = labelme.read(path)
    return annotation


def test_every_type_of_labelme(tmp_path: Path) -> None:
    read = read_one(tmp_path / 'a.json', LABELME)
    assert (read.image, read.size) == ('apc2016_obj3.jpg', (300, 200))
    assert read.tags == ('rain',)
    click, one, two, line, strip, outline, box, circle, mask, turned = (
        read.shapes
    )
    assert {s.label for s in read.shapes} == {'road'}
    assert isinstance(click, Point)
    assert click.xy == (100.5, 60.25)
    assert click.entry == 'shapes[0]'
    assert [one.xy, two.xy] == [(1, 2), (3, 4)]
    assert isinstance(line, Stroke)
    assert line.points.tolist() == [[10, 20], [30, 25]]
    assert isinstance(strip, Stroke)
    assert len(strip.points) == 3
    assert outline.rings[0].tolist() == [[0, 0], [8, 0], [8, 6]]
    assert box.rings[0].tolist() == [[20, 30], [40, 30], [40, 50], [20, 50]]
    radii = np.hypot(*(circle.rings[0] - (50, 40)).T)
    np.testing.assert_allclose(radii, 5)
    middles = (circle.rings[0] + np.roll(circle.rings[0], 1, 0)) / 2
    assert np.hypot(*(middles - (50, 40)).T).min() > 4.89
    assert isinstance(mask, PixelRegion)
    assert mask.origin == (12, 7)
    np.testing.assert_array_equal(mask.pixels, MASK)
    assert turned.rings[0].tolist() == [[5, 0], [9, 4], [6, 7], [2, 3]]


def test_x_anylabeling(tmp_path: Path) -> None:
    box, turned = read_one(tmp_path / 'a.json', X_ANYLABELING).shapes
    assert box.label == 'dog'
    assert box.rings[0].tolist() == [[10, 10], [40, 10], [40, 20], [10, 20]]
    assert turned.label == 'ship'
    assert turned.rings[0].tolist() == [[5, 0], [9, 4], [6, 7], [2, 3]]


def test_folder_and_what_old_files_lack(tmp_path: Path) -> None:
    old = {'imagePath': 'z.jpg', 'shapes': [
        {'label': 'a', 'points': [[0, 0], [4, 0], [4, 4]]}]}  # fmt: skip
    (tmp_path / 'b.json').write_bytes(
        b'\xef\xbb\xbf' + json.dumps(old).encode()
    )
    (tmp_path / 'a.json').write_text(json.dumps(LABELME))
    (tmp_path / 'notes.txt').write_text('no labels')
    first, second = labelme.read(tmp_path)
    assert (first.image, second.image) == ('apc2016_obj3.jpg', 'z.jpg')
    assert (second.size, second.tags) == (None, ())
    assert isinstance(second.shapes[0], Region)
    assert second.source == str(tmp_path / 'b.json')


@pytest.mark.parametrize(('path', 'expected'), [
    ('a.jpg', 'x/y/a.jpg'), ('sub/a.jpg', 'x/y/sub/a.jpg'),
    ('../../images/a.jpg', 'x/y/a.jpg'), ('D:\\a.jpg', 'x/y/a.jpg'),
])  # fmt: skip
def test_images_are_beside_their_files(
    tmp_path: Path, path: str, expected: str
) -> None:
    (tmp_path / 'x' / 'y').mkdir(parents=True)
    content = json.dumps(LABELME | {'imagePath': path})
    (tmp_path / 'x' / 'y' / 'a.json').write_text(content)
    (annotation,) = labelme.read(tmp_path)
    names = possible_names(annotation.image, annotation.base)
    assert expected in names[:2]
    assert annotation.source == str(tmp_path / 'x' / 'y' / 'a.json')


STROKES = st.builds(Stroke, LABELS, lines(least=2))


@given(
    st.lists(points() | STROKES | regions(holes=0) | pixel_regions(),
             max_size=5),
    NAMES, st.none() | st.tuples(st.integers(1, 9999), st.integers(1, 9999)),
    st.lists(LABELS, unique=True),
)  # fmt: skip
@MODEST
def test_round_trip(
    tmp_path: Path, shapes: list, name: str, size: Any, tags: list
) -> None:
    annotation = ImageAnnotation(name, '', size, tuple(shapes), tuple(tags))
    read = read_one(tmp_path / 'ü.json', write(annotation))
    assert (read.image, read.size) == (name, size)
    assert read.tags == tuple(tags)
    assert [*map(as_values, read.shapes)] == [*map(as_values, shapes)]


@pytest.mark.parametrize(('path', 'expected'), [
    ('../images/a.jpg', 'a.jpg'), ('..\\..\\x\\a.jpg', 'a.jpg'),
    ('sub\\a.jpg', 'sub/a.jpg'), ('/data/a.jpg', 'a.jpg'),
    ('x/../../a', 'a'), ('C:\\my data\\a.jpg', 'a.jpg'),
    ('\\\\server\\a.jpg', 'a.jpg'), ('https://x.org/b/a.jpg', 'a.jpg'),
    ('C:a.jpg', 'a.jpg'), ('..', None), ('', None), ('/', None),
])  # fmt: skip
def test_image_path(tmp_path: Path, path: str, expected: str | None) -> None:
    content = LABELME | {'imagePath': path}
    if expected is None:
        with pytest.raises(FormatError, match=r'a\.json: imagePath: .*name'):
            read_one(tmp_path / 'a.json', content)
    else:
        image = read_one(tmp_path / 'a.json', content).image
        assert expected in possible_names(image)


def test_boxes_of_masks_without_their_last_pixel(tmp_path: Path) -> None:
    drawn = shape('mask', [12, 7], [15, 9], mask=png_base64(MASK))
    read = read_one(tmp_path / 'a.json', LABELME | {'shapes': [drawn]})
    assert read.shapes[0].origin == (12, 7)


@pytest.mark.parametrize(('box', 'origin'), [
    ([[7.4, 9.6], [12.4, 12.6]], (7, 10)),  # as LabelMe rounds its corner
    ([[0.5, 1.5], [4, 4]], (0, 2)),  # halves to even
    ([[15.9, 9.2], [12.2, 7.8]], (12, 8)),  # the corners swapped
    ([[0, 0], [9, 1]], (0, 0)),  # of another size than its picture
    ([[3, 2], [3, 2]], (3, 2)),
])  # fmt: skip
def test_a_mask_has_the_size_of_its_picture(
    tmp_path: Path, box: list, origin: tuple
) -> None:
    drawn = shape('mask', *box, mask=png_base64(MASK))
    read = read_one(tmp_path / 'a.json', LABELME | {'shapes': [drawn]})
    (region,) = read.shapes
    assert region.origin == origin
    np.testing.assert_array_equal(region.pixels, MASK)


def test_a_shape_without_a_type_is_a_polygon(tmp_path: Path) -> None:
    drawn = shape('polygon', [0, 0], [4, 0], [4, 4])
    for item in (drawn | {'shape_type': None}, {
        key: value for key, value in drawn.items() if key != 'shape_type'
    }):  # fmt: skip
        read = read_one(tmp_path / 'a.json', LABELME | {'shapes': [item]})
        assert isinstance(read.shapes[0], Region)
