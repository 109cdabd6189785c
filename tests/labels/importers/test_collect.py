"""Which files and images belong together, and which are no source."""

import json

import numpy as np
import pytest

from mmseg_sparse.labels.importers.import_labels import import_labels
from mmseg_sparse.labels.label_folder import read_sidecar

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
    return import_labels(
        'labelme', source, folder / out, images=folder / 'images',
        classes=classes, **options,
    )  # fmt: skip


def test_images_that_the_source_does_not_name(tmp_path):
    source = make_source(tmp_path)
    (source / 'a.json').unlink()
    summary = import_labels(
        'labelme', source, tmp_path / 'out', images=tmp_path / 'images'
    )
    assert summary.unannotated == 1
    assert '1 images that the source does not name' in summary.text()


def test_labels_among_the_images_are_no_images(tmp_path):
    for overwrite in (False, True):
        summary = run(tmp_path, out='images/labels', overwrite=overwrite)
        assert summary.unannotated == 0
    assert (tmp_path / 'images' / 'labels' / 'a.png').is_file()


def test_folders_tell_images_of_one_name_apart(tmp_path):
    source = make_source(tmp_path, {})
    whole = (tmp_path / 'images' / 'a.jpg').read_bytes()
    for name, x, path in (
        ('u', 1, 'a.jpg'), ('v', 2, r'D:\pictures\a.jpg'),
        ('v/w', 3, '../../../images/v/w/a.jpg'),
    ):  # fmt: skip
        (tmp_path / 'images' / name).mkdir()
        (tmp_path / 'images' / name / 'a.jpg').write_bytes(whole)
        (source / name).mkdir()
        point = labelme(path, shape('sky', 'point', [x, 0]), size=(40, 30))
        (source / name / 'a.json').write_text(json.dumps(point))
    import_labels(
        'labelme', source, tmp_path / 'out', images=tmp_path / 'images',
        classes=CLASSES,
    )  # fmt: skip
    for name, x in (('u', 1), ('v', 2), ('v/w', 3)):
        labels = labels_of(tmp_path / 'out' / name / 'a.png')
        assert np.argwhere(labels != 255).tolist() == [[0, x]]


def test_labels_among_the_sources_are_no_sources(tmp_path):
    content = {
        **CONTENT,
        'deep/er': labelme(
            '../b.jpg', CONTENT['a']['shapes'][1], size=(30, 40)
        ),
    }
    (tmp_path / 'json' / 'deep').mkdir(parents=True)
    written = []
    for overwrite in (False, True):
        run(tmp_path, content, out='json/out', overwrite=overwrite)
        written.append(contents(tmp_path / 'json' / 'out'))
    assert written[0] == written[1]
    assert 'deep/er.json' in read_sidecar(tmp_path / 'json/out')['sources']


def test_keys_of_the_class_map_that_nothing_uses(tmp_path):
    names = {'Sky': 'sky', 'tree': 'road', 'Wood': 255}
    summary = run(tmp_path, class_map=names)
    assert summary.unused == ('Sky', 'Wood')
    line = "2 labels of the class map that are not in the source: 'Sky', 'W"
    assert line in summary.text()


def test_a_source_that_labels_nothing(tmp_path):
    content = {'a': labelme('a.jpg')}
    with pytest.raises(ValueError, match='no tag has a class, in 1 images'):
        run(tmp_path, content, classes=None)
