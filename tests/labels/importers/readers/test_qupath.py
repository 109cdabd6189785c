"""QuPath's GeoJSON: a faithful sample, written ones and broken files."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmseg_sparse.labels.importers.annotation import ImageAnnotation
from mmseg_sparse.labels.importers.readers import qupath
from mmseg_sparse.utils.untrusted import FormatError

from ....helpers.drawn import points, regions, strokes
from ....helpers.fuzzing import MODEST, as_values, fuzz_json
from ....helpers.writers_b import qupath as write
from ....helpers.writers_b import save_json


def feature(kind: str, coordinates: Any, **properties: Any) -> dict[str, Any]:
    return {
        'type': 'Feature',
        'id': '4c4b6f0e-2a4e-4a3c-8f43-6b8a6b0f0d11',
        'geometry': {'type': kind, 'coordinates': coordinates},
        'properties': {
            'objectType': 'annotation',
            'classification': {'name': 'Tumor', 'color': [200, 0, 0]},
            **properties,
        },
    }


SQUARE = [[0, 0], [9, 0], [9, 9], [0, 9], [0, 0]]
HOLE = [[2, 2], [4, 2], [4, 4], [2, 2]]
SAMPLE = {
    'type': 'FeatureCollection',
    'features': [
        feature('Polygon', [SQUARE, HOLE], isLocked=True, name='core'),
        feature('MultiPolygon', [[SQUARE, HOLE], [HOLE]]),
        feature('Point', [1204.5, 33.25], classification={
            'names': ['Immune cells', 'Positive'], 'color': [1, 2, 3],
        }),
        feature('MultiPoint', [[1.5, 2.5], [3.5, 4.5]], classification={
            'name': 'Stroma', 'colorRGB': -6895466,
        }),
        feature('LineString', [[1, 2], [3, 4.5]], objectType='detection'),
        feature('MultiLineString', [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]),
    ],
}  # fmt: skip


def read_content(folder: Path, content: Any, **options: Any) -> list:
    path = save_json(folder / 'slide 1.ndpi.geojson', content)
    (annotation,) = qupath.read(path, **options)
    assert annotation.source == str(path)
    assert annotation.image == 'slide 1.ndpi'
    assert annotation.size is None
    return [as_values(shape) for shape in annotation.shapes]


def test_sample(tmp_path: Path) -> None:
    square, hole = SQUARE[:-1], HOLE[:-1]
    expected = [
        ('region', 'Tumor', [square, hole]),
        ('region', 'Tumor', [square, hole]),
        ('region', 'Tumor', [hole]),
        ('point', 'Immune cells: Positive', (1204.5, 33.25)),
        ('point', 'Stroma', (1.5, 2.5)),
        ('point', 'Stroma', (3.5, 4.5)),
        ('stroke', 'Tumor', [[1, 2], [3, 4.5]], None),
        ('stroke', 'Tumor', [[1, 2], [3, 4]], None),
        ('stroke', 'Tumor', [[5, 6], [7, 8]], None),
    ]
    assert read_content(tmp_path, SAMPLE) == expected
    assert read_content(tmp_path, SAMPLE['features']) == expected
    assert read_content(tmp_path, SAMPLE['features'][0]) == expected[:1]


def test_entries(tmp_path: Path) -> None:
    (annotation,) = qupath.read(save_json(tmp_path / 'a.json', SAMPLE))
    assert [shape.entry for shape in annotation.shapes[1:4]] == [
        'features[1].geometry.coordinates[0]',
        'features[1].geometry.coordinates[1]',
        'features[2].geometry.coordinates',
    ]


@given(st.lists(points() | strokes() | regions(), max_size=5))
@MODEST
def test_round_trip(tmp_path: Path, shapes: list) -> None:
    content = write(ImageAnnotation('', '', shapes=tuple(shapes)))
    assert read_content(tmp_path, content) == [*map(as_values, shapes)]


def test_a_folder_in_order(tmp_path: Path) -> None:
    save_json(tmp_path / 'b.geojson', SAMPLE)
    save_json(tmp_path / 'a.json', [])
    (tmp_path / 'notes.txt').write_text('-')
    assert [(a.image, len(a.shapes)) for a in qupath.read(tmp_path)] == [
        ('a', 0), ('b', 9),
    ]  # fmt: skip


def test_folders_within_are_read(tmp_path: Path) -> None:
    for name in ('b/x', 'a/x', 'c'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        save_json(tmp_path / f'{name}.geojson', SAMPLE)
    read = [a.image for a in qupath.read(tmp_path)]
    assert read == ['a/x', 'b/x', 'c']


def test_measurements_may_be_nan_and_coordinates_not(tmp_path: Path) -> None:
    measured = feature(
        'Point', [1, 2],
        measurements={'Area': float('nan'), 'Max': float('inf')},
        classification={'name': 'a "NaN", -Infinity \\'},
    )  # fmt: skip
    assert read_content(tmp_path, [measured]) == [
        ('point', 'a "NaN", -Infinity \\', (1, 2))
    ]
    broken = feature('Point', [float('nan'), 2])
    with pytest.raises(FormatError, match=r"expected a number, got 'NaN'"):
        read_content(tmp_path, [broken])


@pytest.mark.parametrize('properties', [
    {'objectType': 'annotation'}, {'classification': None},
])  # fmt: skip
def test_objects_without_a_class(tmp_path: Path, properties: dict) -> None:
    content = deepcopy(SAMPLE)
    content['features'][1]['properties'] = properties
    with pytest.raises(
        FormatError,
        match=r'features\[1\]\.properties\.classification: .* without a class',
    ):
        read_content(tmp_path, content)
    shapes = read_content(tmp_path, content, skip_unclassified=True)
    assert len(shapes) == 7


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ({'type': 'Topology'}, r"type: expected FeatureColl.* got 'Topology'"),
        ({}, r'type: missing'),
        ('x', r"expected an object or a list, got 'x'"),
        ([feature('Circle', [1, 2])], r"\[0\]\.geometry\.type: .* 'Circle'"),
        ([{'properties': {'classification': {'name': 'a'}},
           'geometry': {'type': 'GeometryCollection', 'geometries': []}}],
         r"geometry\.type: expected Point, .* got 'GeometryCollection'"),
        ([feature('Point', [[1, 2]])],
         r'coordinates\[0\]: expected a number, got \[1'),
        ([feature('Point', [1e7, 2])],
         r'expected a number <= 1000000\.0, got 10000000'),
        ([feature('Polygon', [])], r'coordinates: a polygon without'),
        ([feature('Polygon', [[[1, 1], [2, 2], [1, 1]]])],
         r'coordinates\[0\]: .* at least 3 points, got 2'),
        ([feature('Point', [1, 2], classification={'name': ''})],
         r"properties\.classification\.name: .*name of a class, got ''"),
        ([feature('Point', [1, 2], classification={'names': []})],
         r"classification\.names: .*name of a class, got ''"),
        ([{'type': 'Feature', 'geometry': None}], r'\[0\]\.properties: miss'),
    ],
)  # fmt: skip
def test_errors_name_file_entry_and_value(
    tmp_path: Path, content: Any, message: str
) -> None:
    with pytest.raises(FormatError, match=rf'ndpi\.geojson: .*{message}'):
        read_content(tmp_path, content)


@given(st.integers(0, 2**32))
@MODEST
def test_fuzz(tmp_path: Path, seed: int) -> None:
    sample = json.loads(json.dumps(SAMPLE))
    for turn in range(4):
        fuzz_json(qupath.read, tmp_path / 'a.geojson', sample, seed + turn)


def test_a_text_without_end_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / 'a.geojson'
    text = b'NaN"' + rb'\"' * 200_000
    # One constant and one text; each quote would be tried as one otherwise.
    assert len(list(qupath._CONSTANT.finditer(text))) == 2
    path.write_bytes(text)
    with pytest.raises(FormatError, match=r'a\.geojson'):
        list(qupath.read(path))
