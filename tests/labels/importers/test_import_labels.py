"""From a source to a label folder: what is written, counted and recorded."""

import hashlib

import numpy as np
import pytest

from mmseg_sparse.labels.importers.draw import ImportOptions
from mmseg_sparse.labels.importers.import_labels import import_labels
from mmseg_sparse.labels.label_folder import read_sidecar
from mmseg_sparse.labels.tags import TagSpace, read_tag_file

from ...helpers.files import contents
from ...helpers.import_cases import (
    CLASSES,
    CONTENT,
    labelme,
    labels_of,
    make_source,
    shape,
)


def run(folder, content=CONTENT, out='out', classes=CLASSES, **options):
    source = make_source(folder, content)
    keys = ('class_map', 'overwrite', 'workers', 'progress')
    more = {key: options.pop(key) for key in keys if key in options}
    return import_labels(
        'labelme', source, folder / out, images=folder / 'images',
        classes=classes, options=ImportOptions(**options), **more,
    )  # fmt: skip


def test_what_is_written(tmp_path):
    steps = []
    summary = run(tmp_path, progress=lambda *step: steps.append(step))
    out = tmp_path / 'out'
    assert set(contents(out)) == {'a.png', 'b.png', 'labels.json'}
    a, b = labels_of(out / 'a.png'), labels_of(out / 'b.png')
    assert (a[2:9, 10:20] == 1).all()
    assert (a == 1).sum() == 70
    assert (a[4:7, 35:40] == 0).all()
    assert a.shape == (30, 40)
    assert np.argwhere(b != 255).tolist() == [[35, 3]]
    assert b[35, 3] == 2
    sidecar = read_sidecar(out)
    images = sidecar['images']
    conflicts = images['a'].pop('conflicts')
    assert images['a'].pop('contested') == [['tree', 'sky', conflicts]]
    assert images['b'].pop('contested') == []
    assert images['sub/c'].pop('contested') == []
    assert conflicts == summary.conflicts
    assert 20 < conflicts < 40  # about three rows of ten pixels
    assert images == {
        'a': {'supervision': 'block', 'size': [40, 30], 'clipped': 1,
              'void': 0, 'image': 'a.jpg',
              'labeled_pixels': int((a != 255).sum()), 'vanished': 0,
              'tags': []},
        'b': {'supervision': 'point', 'size': [30, 40], 'conflicts': 0,
              'void': 0, 'image': 'b.jpg',
              'labeled_pixels': 1, 'clipped': 0, 'vanished': 0, 'tags': []},
        'sub/c': {'supervision': 'tag', 'size': [20, 20], 'conflicts': 0,
                  'clipped': 0, 'vanished': 0, 'tags': ['road'],
                  'void': 0, 'image': 'sub/c.jpg'},
    }  # fmt: skip
    assert steps == [('read', n, None) for n in (1, 2, 3)] + [
        ('draw', n, 3) for n in (1, 2, 3)
    ]


def test_what_is_recorded(tmp_path):
    run(tmp_path, stroke_width=5.0, class_map={'road': 'sky'})
    sidecar = read_sidecar(tmp_path / 'out')
    assert sidecar['tool'] == 'import_labels'
    assert sidecar['format'] == 'labelme'
    assert sidecar['classes'] == ['sky', 'tree', 'road']
    assert sidecar['class_map'] == {'road': 0, 'sky': 0, 'tree': 1}
    assert sidecar['options'] == {
        'stroke_width': 5.0, 'point_radius': 0.0, 'supervision': 'auto',
        'skip_unknown': False, 'keep_empty': False, 'fill': None,
        'overlap': 'layers', 'annotator': None,
        'downsample': 1.0, 'offset': [0.0, 0.0], 'reader': {},
    }  # fmt: skip
    assert sidecar['sources'] == {
        name: hashlib.sha256(data).hexdigest()
        for name, data in contents(tmp_path / 'json').items()
    }
    assert sidecar['images']['sub/c']['tags'] == ['sky']


def test_the_summary_for_reading(tmp_path):
    content = {
        **CONTENT,
        'd': labelme('d.jpg', size=(4, 4)),
        'e': labelme('b.jpg', shape('car', 'point', [1, 1]),
                     shape('tree', 'rectangle', [1.6, 1.6], [1.9, 1.9])),
    }  # fmt: skip
    text = run(tmp_path, content, skip_unknown=True).text()
    for line in (
        '3 images (2 block, 1 tag), 3 classes', '1 shapes clipped at',
        '1 shapes that cover no pixel', "left out, by class: 'car' 1",
        '1 missing images left out: d.jpg',
    ):  # fmt: skip
        assert line in text
    assert read_sidecar(tmp_path / 'out')['skipped'] == {'car': 1}


def test_several_files_of_an_image_are_drawn_as_one(tmp_path):
    box = [[0, 0], [4, 4]]
    content = {
        '1': labelme('a.jpg', shape('sky', 'rectangle', *box)),
        '2': labelme('b.jpg', shape('sky', 'rectangle', *box)),
        '3': labelme('a.jpg', shape('tree', 'rectangle', *box)),
    }
    summary = run(tmp_path, content)
    assert summary.conflicts == 16
    assert (labels_of(tmp_path / 'out' / 'a.png')[:4, :4] == 1).all()
    assert (labels_of(tmp_path / 'out' / 'b.png')[:4, :4] == 0).all()


def test_workers_change_nothing(tmp_path):
    for workers in (1, 2, 3):
        run(tmp_path, out=f'out{workers}', workers=workers)
    written = contents(tmp_path / 'out1')
    assert len(written) == 3
    assert (
        contents(tmp_path / 'out2') == contents(tmp_path / 'out3') == written
    )


def test_classes_of_the_source(tmp_path):
    summary = run(tmp_path, classes=None)
    assert summary.classes == ('road', 'sky', 'tree')
    assert labels_of(tmp_path / 'out' / 'b.png')[35, 3] == 0


@pytest.mark.parametrize('workers', [1, 2])
def test_supervision_can_be_said(workers, tmp_path):
    run(tmp_path, supervision='scribble', workers=workers)
    images = read_sidecar(tmp_path / 'out')['images']
    kinds = [images[name]['supervision'] for name in ('a', 'b', 'sub/c')]
    assert kinds == ['scribble', 'scribble', 'tag']
    run(tmp_path, supervision='tag', out='tags', workers=workers)
    images = read_sidecar(tmp_path / 'tags')['images']
    assert [image['tags'] for image in images.values()] == [
        ['sky', 'tree'], ['road'], ['road'],
    ]  # fmt: skip
    assert set(contents(tmp_path / 'tags')) == {'labels.json'}


def test_kinds_of_supervision(tmp_path):
    line = shape('sky', 'line', [1, 1], [9, 9])
    point = shape('tree', 'point', [15, 15])
    whole = shape('road', 'rectangle', [0, 0], [20, 20])
    for name, shapes in {
        'scribble': [line, point], 'point': [point, point],
        'block': [point, shape('sky', 'rectangle', [0, 0], [9, 9])],
        'dense': [whole, line],
    }.items():  # fmt: skip
        content = {'x': labelme('sub/c.jpg', *shapes)}
        (tmp_path / name).mkdir()
        summary = run(tmp_path / name, content)
        assert summary.supervisions == {name: 1}


def test_images_without_labels(tmp_path):
    content = {**CONTENT, 'c': labelme('sub/c.jpg')}
    summary = run(tmp_path, content)
    assert summary.empty == ['sub/c']
    assert 'sub/c' not in read_sidecar(tmp_path / 'out')['images']
    kept = run(tmp_path, content, out='kept', keep_empty=True)
    assert kept.empty == ['sub/c']
    assert (labels_of(tmp_path / 'kept' / 'sub' / 'c.png') == 255).all()
    run(tmp_path, content, out='t', keep_empty=True, supervision='tag')
    image = read_sidecar(tmp_path / 't')['images']['sub/c']
    assert (image['supervision'], image['tags']) == ('tag', [])
    space = TagSpace(('sky', 'tree', 'road'))
    assert not read_tag_file(tmp_path / 't/labels.json', space)['sub/c'].any()
    assert not (tmp_path / 't/sub/c.png').exists()


def test_fill_makes_dense_masks_but_not_of_tags(tmp_path):
    content = {**CONTENT, 'b': labelme('b.jpg')}  # nothing is in b
    run(tmp_path, content, fill='road')
    out = tmp_path / 'out'
    plain = tmp_path / 'plain'
    run(tmp_path, content, out='plain')
    a, sparse = labels_of(out / 'a.png'), labels_of(plain / 'a.png')
    assert (a[sparse != 255] == sparse[sparse != 255]).all()
    assert (a[sparse == 255] == 2).all()
    assert (labels_of(out / 'b.png') == 2).all()
    images = read_sidecar(out)['images']
    assert {k: v['supervision'] for k, v in images.items()} == {
        'a': 'dense', 'b': 'dense', 'sub/c': 'tag',
    }  # fmt: skip
    assert images['b']['labeled_pixels'] == 30 * 40


def test_fill_must_be_a_class_and_draw(tmp_path):
    with pytest.raises(ValueError, match="classes sky, tree, road, got 'sea'"):
        run(tmp_path, fill='sea')
    with pytest.raises(ValueError, match="fill='sky' draws pixels"):
        run(tmp_path, fill='sky', supervision='tag')
    assert not (tmp_path / 'out').exists()
