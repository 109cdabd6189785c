"""Which shape has a pixel, and void, through the whole import."""

import json

import numpy as np
import pytest
from PIL import Image

from mmseg_sparse.labels.classes import make_classes, parse_classes
from mmseg_sparse.labels.importers.draw import ImportOptions
from mmseg_sparse.labels.importers.formats import FORMATS, UNORDERED
from mmseg_sparse.labels.importers.import_labels import (
    ImportSummary,
    import_labels,
)
from mmseg_sparse.labels.label_folder import read_sidecar

from ...helpers.import_cases import labelme, labels_of, shape

SIZE = (40, 30)
WINDOW = [[8, 8], [14, 8], [14, 14], [8, 14]]
WALL = [[2, 2], [30, 2], [30, 25], [2, 25]]
#: The window, 36 pixels, comes first; the wall, 644, lies round it.
DRAWN = (('window', WINDOW), ('wall', WALL))
CLASSES = make_classes(['window', 'wall'])


def flat(points):
    return [value for point in points for value in point]


def coco(drawn):
    names = sorted({name for name, _ in drawn})
    return {
        'images': [{'id': 1, 'file_name': 'a.png', 'width': 40, 'height': 30}],
        'categories': [{'id': names.index(n), 'name': n} for n in names],
        'annotations': [
            {'id': i, 'image_id': 1, 'category_id': names.index(name),
             'segmentation': [flat(points)]}
            for i, (name, points) in enumerate(drawn)
        ],
    }  # fmt: skip


def via(drawn):
    return {
        'a.png1': {
            'filename': 'a.png', 'size': 1,
            'regions': [
                {'region_attributes': {'label': name},
                 'shape_attributes': {
                     'name': 'polygon',
                     'all_points_x': [x for x, _ in points],
                     'all_points_y': [y for _, y in points]}}
                for name, points in drawn
            ],
        },
    }  # fmt: skip


def qupath(drawn):
    return [
        {
            'type': 'Feature',
            'properties': {'classification': {'name': name}},
            'geometry': {'type': 'Polygon',
                         'coordinates': [[*points, points[0]]]},
        }
        for name, points in drawn
    ]  # fmt: skip


def from_labelme(drawn):
    return labelme(
        'a.png', *(shape(n, 'polygon', *p) for n, p in drawn), size=SIZE
    )


def label_studio(drawn):
    return [{
        'data': {'image': 'a.png'},
        'annotations': [{'result': [
            {'type': 'polygonlabels', 'id': str(i), 'original_width': 40,
             'original_height': 30,
             'value': {'polygonlabels': [name],
                       'points': [[x / .4, y / .3] for x, y in points]}}
            for i, (name, points) in enumerate(drawn)
        ]}],
    }]  # fmt: skip


def supervisely(drawn):
    return {
        'size': {'width': 40, 'height': 30},
        'objects': [
            {'geometryType': 'polygon', 'classTitle': name,
             'points': {'exterior': [[x + .25, y + .25] for x, y in points]}}
            for name, points in drawn
        ],
    }  # fmt: skip


def cvat(drawn):
    shapes = ''.join(
        f'<polygon label="{name}" points="'
        + ';'.join(f'{x},{y}' for x, y in points)
        + '"/>'
        for name, points in drawn
    )
    return (
        '<annotations><image id="0" name="a.png" width="40" height="30">'
        f'{shapes}</image></annotations>'
    )


#: How each format with areas writes two polygons.
WRITERS = {
    'coco': coco, 'via': via, 'qupath': qupath, 'labelme': from_labelme,
    'label-studio': label_studio, 'supervisely': supervisely, 'cvat': cvat,
}  # fmt: skip


def write(folder, name, drawn):
    """Write the source of a format and the image; return the source."""
    (folder / 'images').mkdir(exist_ok=True)
    Image.new('RGB', SIZE).save(folder / 'images' / 'a.png')
    endings = {'cvat': 'a.xml', 'supervisely': 'a.png.json'}
    path = folder / endings.get(name, 'a.json')
    content = WRITERS[name](drawn)
    path.write_text(
        content if isinstance(content, str) else json.dumps(content)
    )
    return path


def run(folder, name, drawn=DRAWN, classes=CLASSES, class_map=None, **options):
    source = write(folder, name, drawn)
    summary = import_labels(
        name, source, folder / 'out', images=folder / 'images',
        classes=classes, class_map=class_map, overwrite=True,
        options=ImportOptions(**options),
    )  # fmt: skip
    return summary, labels_of(folder / 'out' / 'a.png')


def counts(labels):
    values, numbers = np.unique(labels, return_counts=True)
    return dict(zip(values.tolist(), numbers.tolist(), strict=True))


@pytest.mark.parametrize('name', WRITERS)
def test_overlapping_areas(name, tmp_path):
    summary, labels = run(tmp_path, name)
    ordered = name not in UNORDERED
    window = 0 if ordered else 36
    assert (labels == 0).sum() == window
    assert (labels == 1).sum() == 644 - window
    pair = ('wall', 'window') if ordered else ('window', 'wall')
    assert summary.contested == {pair: 36}
    how = 'layers' if ordered else 'smaller-on-top'
    line = (
        f'36 pixels covered by shapes of several classes ({how}): '
        f"'{pair[0]}' above '{pair[1]}' 36"
    )
    assert line in summary.text()
    sidecar = read_sidecar(tmp_path / 'out')
    assert sidecar['options']['overlap'] == how
    assert sidecar['images']['a']['contested'] == [[*pair, 36]]
    for overlap, left in (('later-on-top', 0), ('smaller-on-top', 36)):
        _, labels = run(tmp_path, name, overlap=overlap)
        assert (labels == 0).sum() == left
    with pytest.raises(ValueError, match=r"'wall' overlaps 'window' of .* 36"):
        run(tmp_path, name, overlap='error')


def test_every_unordered_format_is_tried():
    assert set(UNORDERED) <= set(WRITERS) & set(FORMATS)
    with pytest.raises(ValueError, match='overlap must be one of auto, layer'):
        ImportOptions(overlap='on-top')


CAT = [[5, 5], [20, 5], [20, 20], [5, 20]]
HOLE = [[8, 8], [14, 8], [14, 14], [8, 14]]
APART = [[25, 5], [35, 5], [35, 15], [25, 15]]
ANIMALS = make_classes(['_background_', 'cat'])


@pytest.mark.parametrize('name', WRITERS)
@pytest.mark.parametrize(
    ('word', 'class_map'),
    [('__ignore__', None), ('__ignore__', {'__ignore__': 255}),
     ('fog', {'fog': 255})],
)  # fmt: skip
def test_void_carves_and_survives_filling(name, word, class_map, tmp_path):
    drawn = (('cat', CAT), (word, HOLE), (word, APART))
    summary, labels = run(tmp_path, name, drawn, ANIMALS, class_map)
    assert counts(labels) == {1: 189, 255: 1200 - 189}
    assert (labels[8:14, 8:14] == 255).all()
    assert summary.void == 136
    assert '136 pixels that the source says are void' in summary.text()
    assert "'cat' above void" not in summary.text()
    assert "void above 'cat' 36" in summary.text()
    _, labels = run(
        tmp_path, name, drawn, ANIMALS, class_map, fill='_background_'
    )
    assert counts(labels) == {0: 875, 1: 189, 255: 136}
    image = read_sidecar(tmp_path / 'out')['images']['a']
    assert image['void'] == 136
    assert image['contested'] == [[255, 'cat', 36]]
    assert image['supervision'] == 'dense'


def test_void_can_be_left_out(tmp_path):
    drawn = (('cat', CAT), ('fog', HOLE), ('fog', APART))
    summary, labels = run(
        tmp_path, 'labelme', drawn, ANIMALS, {'fog': ''}, fill='_background_'
    )
    assert counts(labels) == {0: 1200 - 225, 1: 225}
    assert summary.skipped_labels == {'fog': 2}
    assert summary.unused == ()


@pytest.mark.parametrize('how', ['file', 'names', 'commas'])
def test_ignore_is_no_class_of_a_list(how, tmp_path):
    names = ['__ignore__', '_background_', 'cat']
    path = tmp_path / 'labels.txt'
    path.write_text('\n'.join(names) + '\n')
    given = {'file': str(path), 'names': names, 'commas': ','.join(names)}
    classes = parse_classes(given[how])
    assert classes.names == ('_background_', 'cat')
    _, labels = run(
        tmp_path, 'labelme', (('cat', CAT), ('__ignore__', HOLE)), classes
    )
    assert counts(labels) == {1: 189, 255: 1200 - 189}


def test_void_is_no_class_of_a_source(tmp_path):
    summary, labels = run(
        tmp_path, 'labelme', (('__ignore__', HOLE), ('cat', CAT)), None
    )
    assert summary.classes == ('cat',)
    assert (labels == 0).sum() == 225


@pytest.mark.parametrize('classes', [None, make_classes(['tumor'])])
def test_what_qupath_ignores_by_a_star(classes, tmp_path):
    drawn = (
        ('tumor', CAT), ('Ignore*', HOLE), ('tumor: Fold*', APART),
        ('Region*', WALL),
    )  # fmt: skip
    summary, labels = run(
        tmp_path, 'qupath', drawn, classes, fill='tumor'
    )  # fmt: skip
    assert counts(labels) == {0: 1200 - 136, 255: 136}
    assert summary.classes == ('tumor',)
    assert summary.skipped_labels == {'Region*': 1}  # a frame, not an area
    named = make_classes(['tumor', 'Ignore*'])  # a class if it is named
    _, labels = run(tmp_path, 'qupath', drawn, named)
    assert (labels == 1).sum() == 36


@pytest.mark.parametrize(
    ('name', 'first', 'options'),
    [('index-png', 0, {'ignore_index': 9}), ('label-images', 1, {})],
)
def test_255_is_void_where_labels_are_numbers(name, first, options, tmp_path):
    unlabelled = options.get('ignore_index', 0)
    pixels = np.full((30, 40), unlabelled, np.uint8)
    pixels[5:20, 5:20] = first + 1
    pixels[8:14, 8:14] = 255
    (tmp_path / 'masks').mkdir()
    Image.fromarray(pixels).save(tmp_path / 'masks' / 'a.png')
    (tmp_path / 'images').mkdir()
    Image.new('RGB', SIZE).save(tmp_path / 'images' / 'a.png')
    summary = import_labels(
        name, tmp_path / 'masks', tmp_path / 'out', classes=ANIMALS,
        images=tmp_path / 'images', reader_options=options,
        class_map=None if options else {'255': 255},
        options=ImportOptions(fill='_background_'),
    )  # fmt: skip
    labels = labels_of(tmp_path / 'out' / 'a.png')
    assert counts(labels) == {0: 975, 1: 189, 255: 36}
    assert summary.conflicts == 0


def test_strokes_with_void_areas_are_scribbles(tmp_path):
    write(tmp_path, 'labelme', ())
    content = labelme(
        'a.png', shape('cat', 'line', [1, 1], [9, 1]),
        shape('__ignore__', 'polygon', *HOLE), size=SIZE,
    )  # fmt: skip
    (tmp_path / 'a.json').write_text(json.dumps(content))
    summary = import_labels(
        'labelme', tmp_path / 'a.json', tmp_path / 'out',
        images=tmp_path / 'images',
    )  # fmt: skip
    assert summary.supervisions == {'scribble': 1}


@pytest.mark.parametrize('mark', [1, True])
def test_what_coco_says_to_ignore_is_void(mark, tmp_path):
    source = write(tmp_path, 'coco', (('cat', CAT), ('cat', HOLE)))
    content = json.loads(source.read_text())
    content['annotations'][0]['ignore'] = 0
    content['annotations'][1]['ignore'] = mark
    source.write_text(json.dumps(content))
    import_labels('coco', source, tmp_path / 'out', images=tmp_path / 'images')
    labels = labels_of(tmp_path / 'out' / 'a.png')
    assert counts(labels) == {0: 189, 255: 1200 - 189}


@pytest.mark.parametrize('listed', [True, False])
def test_accents_of_classes_may_be_composed_or_not(listed, tmp_path):
    composed, apart = 'caf\u00e9', 'cafe\u0301'
    classes = make_classes(['wall', composed]) if listed else None
    drawn = ((apart, HOLE), (composed, APART))
    summary, labels = run(tmp_path, 'labelme', drawn, classes)
    assert (labels == len(summary.classes) - 1).sum() == 136
    assert summary.classes[-1] == composed
    _, labels = run(
        tmp_path, 'labelme', drawn, make_classes(['wall']), {composed: 'wall'}
    )
    assert (labels == 0).sum() == 136


@pytest.mark.parametrize(
    ('name', 'said'), [('Void', 1), ('ignore', 1), ('voided', 0)]
)
def test_a_class_that_is_called_void_is_mentioned(name, said):
    text = ImportSummary(classes=('cat', name)).text()
    assert f'1 classes that may be void: {name}, ' in text or not said
    assert ('may be void' in text) == bool(said)
