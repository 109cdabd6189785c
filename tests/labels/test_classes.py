"""Class names from arguments, and labels turned into indices."""

import json

import pytest
from mmseg.datasets import PascalVOCDataset

from mmseg_sparse.labels.classes import (
    ClassMap,
    make_classes,
    parse_class_map,
    parse_classes,
)

NAMES = ('sky', 'tree', 'road')


def test_three_ways_to_name_classes(tmp_path):
    assert parse_classes('sky, tree,road').names == NAMES
    path = tmp_path / 'names.txt'
    path.write_text('sky\r\n\n tree \nroad')
    assert parse_classes(str(path)).names == NAMES
    voc = parse_classes('PascalVOCDataset')
    assert voc.names == tuple(PascalVOCDataset.METAINFO['classes'])
    assert voc.palette[1] == (128, 0, 0)
    assert parse_classes('CamVidDataset').names[10] == 'bicyclist'
    assert parse_classes('road').names == ('road',)
    assert len(set(make_classes([str(i) for i in range(255)]).palette)) == 255


@pytest.mark.parametrize(
    ('text', 'problem'),
    [
        ('CamvidDataset', "'CamvidDataset' is neither a file of class"),
        ('CustomDataset', 'nor a dataset type that has classes'),
        ('missing.txt', "'missing.txt' is neither a file"),
        ('a,b,a', r"classes\[2\]: 'a' comes twice"),
        ('a,,b', r"classes\[1\]: expected a name, got ''"),
        (','.join(map(str, range(256))), 'expected 1 to 255 classes, got 256'),
    ],
)
def test_bad_classes(text, problem):
    with pytest.raises(ValueError, match=problem):
        parse_classes(text)


def test_a_file_without_names(tmp_path):
    (tmp_path / 'a.txt').write_text('\n')
    with pytest.raises(
        ValueError, match=r'a.txt: classes: expected 1 to 255 classes'
    ):
        parse_classes(str(tmp_path / 'a.txt'))
    (tmp_path / 'a.txt').write_bytes(b'\xff')
    with pytest.raises(ValueError, match=r'a.txt: byte 0: not UTF-8'):
        parse_classes(str(tmp_path / 'a.txt'))


def test_class_maps_from_arguments(tmp_path):
    path = tmp_path / 'map.json'
    path.write_text(json.dumps({'Himmel': 'sky', 'x=y': 255}))
    assert parse_class_map([str(path), 'a=b=2', 'Baum=tree']) == {
        'Himmel': 'sky', 'x=y': 255, 'a=b': 2, 'Baum': 'tree',
    }  # fmt: skip
    for items, problem in (
        (['a=1', 'a=2'], "'a' comes twice"),
        (['missing.json'], 'missing.json'),
    ):
        with pytest.raises((ValueError, OSError), match=problem):
            parse_class_map(items)
    for content, problem in (
        ('[1]', r'map.json: expected an object, got \[1\]'),
        ('{"a": 1.5}', 'map.json: a: expected a class or its index, got 1.5'),
        ('{"a": true}', 'got True'),
        ('{', r'map.json: line 1'),
    ):
        path.write_text(content)
        with pytest.raises(ValueError, match=problem):
            parse_class_map([str(path)])


def test_labels():
    names = ClassMap(NAMES, {'Himmel': 'sky', 'car': 255, 'tree': 2, '7': 0})
    labels = ('Himmel', 'car', 'tree', 'road', '7')
    assert [names.index(label) for label in labels] == [0, 255, 2, 2, 0]
    assert names.index('Road') is None
    assert names.index('1') is None
    assert names.used == dict(zip(labels, [0, 255, 2, 2, 0], strict=True))


def test_labels_that_are_numbers():
    zero, one = (ClassMap(NAMES, {'9': 'sky'}, first=f) for f in (0, 1))
    assert [zero.index(label) for label in '0239'] == [0, 2, None, 0]
    assert [one.index(label) for label in '0139'] == [None, 0, 2, 0]
    assert one.describe() == '"sky", "tree", "road" or 1 to 3'
    assert ClassMap(['5', 'a'], first=0).index('5') == 0  # the name goes first


@pytest.mark.parametrize('target', [3, -1, 256, 'Sky', '255'])
def test_maps_to_nowhere(target):
    with pytest.raises(ValueError, match='neither a class, nor an index from'):
        ClassMap(NAMES, {'a': target})


@pytest.mark.parametrize(
    'texts',
    [
        ['sky', 'potted plant', 'road'],
        ['sky,potted plant,road'],
        ['sky,', 'potted plant,', 'road'],
        ['sky,potted plant', 'road'],
        'sky, potted plant, road',
    ],
)
def test_names_with_commas_or_spaces(texts):
    assert parse_classes(texts).names == ('sky', 'potted plant', 'road')


def test_an_empty_name_among_several():
    with pytest.raises(
        ValueError, match=r"classes\[1\]: expected a name, got ''"
    ):
        parse_classes(['sky,,', 'road'])
