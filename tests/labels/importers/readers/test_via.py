"""VIA 2: a faithful project, written exports and broken files."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmseg_sparse.labels.image_finder import possible_names
from mmseg_sparse.labels.importers import reader_options
from mmseg_sparse.labels.importers.annotation import ImageAnnotation
from mmseg_sparse.labels.importers.readers import via
from mmseg_sparse.utils.untrusted import FormatError

from ....helpers.drawn import LABELS, points, regions, strokes
from ....helpers.fuzzing import MODEST, as_values, fuzz_json
from ....helpers.writers_b import save_json
from ....helpers.writers_b import via as write


def region(shape: dict[str, Any], **attributes: Any) -> dict[str, Any]:
    return {'shape_attributes': shape, 'region_attributes': attributes}


LINE = {'all_points_x': [10, 20, 35], 'all_points_y': [5, 9, 30]}
PROJECT = {
    '_via_settings': {
        'ui': {'annotation_editor_height': 25},
        'core': {'buffer_size': 18, 'default_filepath': ''},
        'project': {'name': 'via_project_1Jan2024_10h0m'},
    },
    '_via_img_metadata': {
        'adutta_swan.jpg-1': {
            'filename': 'adutta_swan.jpg',
            'size': -1,
            'regions': [
                region({'name': 'point', 'cx': 3, 'cy': 4.5}, type='bird'),
                region({'name': 'polyline', **LINE}, type={'bird': True}),
                region({'name': 'polygon', **LINE}, type='human '),
                region({'name': 'rect', 'x': 1, 'y': 2, 'width': 30,
                        'height': 40}, type={'bird': False, 'human': True}),
                region({'name': 'circle', 'cx': 50, 'cy': 60, 'r': 10},
                       type='bird'),
                region({'name': 'ellipse', 'cx': 50, 'cy': 60, 'rx': 20,
                        'ry': 10, 'theta': 0.5}, type='bird'),
            ],
            'file_attributes': {
                'caption': 'Swan in a lake', 'public_domain': 'no',
                'image_url': 'http://www.robots.ox.ac.uk/swan.jpg',
                'scene': 'lake', 'weather': {'sunny': True, 'windy': True},
                'note': '',
            },
        },
        'https://x.org/a%20b.jpg?w=3-1': {
            'filename': 'https://x.org/pictures/a%20b.jpg?w=3',
            'size': -1, 'regions': [], 'file_attributes': {},
        },
    },
    '_via_attributes': {
        'region': {'type': {'type': 'dropdown', 'options': {'bird': ''}}},
        'file': {},
    },
    '_via_data_format_version': '2.0.10',
    '_via_image_id_list': ['adutta_swan.jpg-1'],
}  # fmt: skip
IMAGES = PROJECT['_via_img_metadata']


def read_content(folder: Path, content: Any, **options: Any) -> list:
    return list(via.read(save_json(folder / 'via.json', content), **options))


@pytest.mark.parametrize('content', [PROJECT, IMAGES])
def test_sample(tmp_path: Path, content: dict) -> None:
    swan, other = read_content(tmp_path, content)
    assert swan.image == 'adutta_swan.jpg'
    assert 'a b.jpg' in possible_names(other.image)
    assert swan.entry != other.entry
    assert swan.source == str(tmp_path / 'via.json')
    assert swan.tags == ('lake', 'sunny', 'windy')
    assert swan.size is None
    assert (other.shapes, other.tags) == ((), ())
    line = [[10, 5], [20, 9], [35, 30]]
    assert [as_values(shape) for shape in swan.shapes[:4]] == [
        ('point', 'bird', (3, 4.5)),
        ('stroke', 'bird', line, None),
        ('region', 'human', [line]),
        ('region', 'human', [[[1, 2], [31, 2], [31, 42], [1, 42]]]),
    ]
    assert swan.shapes[1].entry == (
        "'adutta_swan.jpg-1'.regions[1].shape_attributes"
    )


def test_circle_and_turned_ellipse(tmp_path: Path) -> None:
    circle, ellipse = read_content(tmp_path, PROJECT)[0].shapes[4:]
    (ring,) = circle.rings
    assert np.allclose(np.hypot(*(ring - (50, 60)).T), 10)
    (ring,) = ellipse.rings
    # Undo the turn of the canvas: clockwise as seen, as y points down.
    c, s = np.cos(0.5), np.sin(0.5)
    x, y = (ring - (50, 60)).T
    along, across = (c * x + s * y) / 20, (c * y - s * x) / 10
    assert np.allclose(np.hypot(along, across), 1)
    tip = np.array([50 + 20 * c, 60 + 20 * s])
    assert np.hypot(*(ring - tip).T).min() < 1e-9
    for outline in (circle.rings[0], ring):
        edges = np.roll(outline, -1, 0) - outline
        assert np.hypot(*edges.T).max() < 4  # close to the curve all round


@given(st.lists(
    st.tuples(
        st.lists(points() | strokes() | regions(holes=0), max_size=4),
        st.lists(LABELS, max_size=3, unique=True),
    ), max_size=3,
))  # fmt: skip
@MODEST
def test_round_trip(tmp_path: Path, images: list) -> None:
    written = [
        ImageAnnotation(f'{i}/ä.jpg', '', None, tuple(shapes), tuple(tags))
        for i, (shapes, tags) in enumerate(images)
    ]
    read = read_content(tmp_path, write(written))
    for one, other in zip(read, written, strict=True):
        assert (one.image, one.tags) == (other.image, other.tags)
        assert [*map(as_values, one.shapes)] == [*map(as_values, other.shapes)]


def test_regions_of_via_1(tmp_path: Path) -> None:
    content = deepcopy(IMAGES)
    image = content['adutta_swan.jpg-1']
    image['regions'] = {str(i): r for i, r in enumerate(image['regions'])}
    swan, _ = read_content(tmp_path, content)
    expected, _ = read_content(tmp_path, IMAGES)
    assert [*map(as_values, swan.shapes)] == [*map(as_values, expected.shapes)]


@pytest.mark.parametrize(
    ('attributes', 'options', 'found'),
    [
        ({'thing': 'a'}, {}, 'a'),
        ({'thing': 'a', 'label': 'b'}, {}, 'b'),
        ({'thing': 'a', 'class': 'c'}, {}, 'c'),
        ({'class': 'c', 'label': 'b'}, {'attribute': 'class'}, 'c'),
        ({'thing': 'a', 'label': 'b'}, {'attribute': 'thing'}, 'a'),
    ],
)
def test_the_attribute_of_the_class(
    tmp_path: Path, attributes: dict, options: dict, found: str
) -> None:
    shape = {'name': 'point', 'cx': 1, 'cy': 2}
    content = {
        'k': {'filename': 'a', 'regions': [region(shape, **attributes)]}
    }
    (annotation,) = read_content(tmp_path, content, **options)
    assert annotation.shapes[0].label == found


def test_regions_without_a_class(tmp_path: Path) -> None:
    shape = {'name': 'point', 'cx': 1, 'cy': 2}
    regions = [region(shape), region(shape, note='left'),
               region(shape, note=''), {'shape_attributes': shape,
                                        'region_attributes': {}}]  # fmt: skip
    content = {'k': {'filename': 'a', 'regions': regions}}
    with pytest.raises(FormatError, match=r'got \[\]; --option class=NAME'):
        read_content(tmp_path, content)
    for attribute, labels in (
        (None, ['cat'] * 4), ('note', ['cat', 'left', 'cat', 'cat'])
    ):  # fmt: skip
        options = {'class_': ' cat', 'attribute': attribute}
        (found,) = read_content(tmp_path, content, **options)
        assert [s.label for s in found.shapes] == labels
    with pytest.raises(FormatError, match="expected 'nota' in one, got"):
        read_content(tmp_path, content, class_='cat', attribute='nota')
    with pytest.raises(FormatError, match='option class: expected the name'):
        read_content(tmp_path, content, class_=' ')
    assert reader_options('via', ['class=cat']) == {'class_': 'cat'}


def test_the_attribute_of_tags(tmp_path: Path) -> None:
    swan, _ = read_content(tmp_path, PROJECT, tag_attribute='scene')
    assert swan.tags == ('lake',)
    swan, _ = read_content(tmp_path, PROJECT, tag_attribute='caption')
    assert swan.tags == ('Swan in a lake',)
    swan, _ = read_content(tmp_path, PROJECT, tag_attribute='no such')
    assert swan.tags == ()


@given(st.integers(0, 2**32))
@MODEST
def test_fuzz(tmp_path: Path, seed: int) -> None:
    sample = json.loads(json.dumps(IMAGES))
    for turn in range(4):
        fuzz_json(via.read, tmp_path / 'via.json', sample, seed + turn)
