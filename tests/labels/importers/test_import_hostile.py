"""Hostile sources through the whole import: refused, cheaply, in one line."""

import json
import os
import time
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mmseg_sparse.labels.classes import make_classes
from mmseg_sparse.labels.importers.import_labels import import_labels

from ...helpers.fuzzing import MODEST
from ...helpers.import_cases import (
    CLASSES,
    labelme,
    labels_of,
    make_source,
    shape,
)
from .readers.test_source import FETCHES, LAUGHS


class Runs:
    def __reduce__(self):
        return os.system, ('touch proof',)


def cvat_zip(path, members):
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def coco(image, counts, size):
    return {
        'images': [{'id': 1, 'file_name': image, 'width': 40, 'height': 30}],
        'categories': [{'id': 1, 'name': 'sky'}],
        'annotations': [{
            'id': 1, 'image_id': 1, 'category_id': 1, 'iscrowd': 1,
            'segmentation': {'counts': counts, 'size': size},
        }],
    }  # fmt: skip


def write(kind):
    """Write the file ``hostile`` of a kind; return its format."""
    if kind in ('laughs', 'fetches'):
        data = LAUGHS if kind == 'laughs' else FETCHES
        with open('hostile', 'wb') as file:
            file.write(data.replace(b'<a>', b'<annotations>'))
        return 'cvat'
    if kind in ('zip climbs', 'zip bomb'):
        name = '../x.xml' if kind == 'zip climbs' else 'annotations.xml'
        size = 10 if kind == 'zip climbs' else 100 * 2**20
        cvat_zip('hostile.zip', {name: b' ' * size})
        os.rename('hostile.zip', 'hostile')
        return 'cvat'
    if kind == 'program':
        np.save('hostile.npy', np.array({'a': Runs()}, object))
        os.rename('hostile.npy', 'hostile')
        return 'onehot-tags'
    point = {'label': 'sky', 'shape_type': 'point'}
    content = {
        'NaN': labelme('a.jpg', {**point, 'points': [[float('nan'), 1]]}),
        'infinite': labelme('a.jpg', {**point, 'points': [[1e999, 1]]}),
        'far': labelme('a.jpg', {**point, 'points': [[1e300, 1]]}),
        'huge': labelme('a.jpg', size=(10**9, 10**9)),
        'large': labelme('a.jpg', size=(65000, 65000)),
        'name climbs': coco('../secret.jpg', [1200], [30, 40]),
        'absolute name': coco('/etc/passwd', [1200], [30, 40]),
        'RLE too long': coco('a.jpg', [10**9, 10**9], [30, 40]),
        'RLE too large': coco('a.jpg', [10**10], [10**5, 10**5]),
        'RLE overflows': coco('a.jpg', 'o' * 10**6, [30, 40]),
        'RLE lies': coco('a.jpg', '0' * 10**4, [30, 40]),
    }[kind]
    with open('hostile', 'w') as file:
        json.dump(content, file)
    return 'coco' if 'annotations' in content else 'labelme'


@pytest.mark.parametrize(
    'kind',
    ['laughs', 'fetches', 'zip climbs', 'zip bomb', 'program', 'NaN',
     'infinite', 'far', 'huge', 'large', 'name climbs', 'absolute name',
     'RLE too long', 'RLE too large', 'RLE overflows', 'RLE lies'],
)  # fmt: skip
def test_refused(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_source(tmp_path)
    Image.new('RGB', (40, 30)).save('secret.jpg')
    check_refused(write(kind), tmp_path)


def check_refused(name, tmp_path):
    """Import ``hostile``: one line, no time, no memory and no file."""
    before = sorted(tmp_path.rglob('*'))
    tracemalloc.start()
    began = time.process_time()
    with pytest.raises(ValueError, match='hostile') as caught:
        import_labels(name, 'hostile', 'out', images='images', classes=CLASSES)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert time.process_time() - began < 5
    assert peak < 64 * 2**20
    assert '\n' not in str(caught.value)
    assert len(str(caught.value)) < 400
    assert sorted(tmp_path.rglob('*')) == before


def test_shapes_far_outside_are_drawn_in_no_time(tmp_path):
    rng = np.random.default_rng(0)
    lines = [
        shape('sky', 'linestrip', *rng.uniform(-1e6, 1e6, (500, 2)).tolist())
        for _ in range(20)
    ]
    make_source(tmp_path, {'x': labelme('a.jpg', *lines)})
    began = time.process_time()
    summary = import_labels(
        'labelme', tmp_path / 'json', tmp_path / 'out',
        images=tmp_path / 'images', classes=CLASSES,
    )  # fmt: skip
    assert summary.clipped == 20
    assert time.process_time() - began < 5


@MODEST
@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 99))
def test_index_maps_come_out_as_they_went_in(tmp_path, width, height, seed):
    rng = np.random.default_rng(seed)
    labels = rng.choice([0, 1, 7, 20, 255], (height, width)).astype(np.uint8)
    labels[0, 0] = 3
    for name, folder in (('m', 'masks'), ('m', 'images')):
        (tmp_path / folder).mkdir(exist_ok=True)
        Image.fromarray(labels).save(tmp_path / folder / f'{name}.png')
    import_labels(
        'index-png', tmp_path / 'masks', tmp_path / 'out',
        images=tmp_path / 'images', overwrite=True,
        classes=make_classes([str(i) for i in range(21)]),
    )  # fmt: skip
    assert np.array_equal(labels_of(tmp_path / 'out' / 'm.png'), labels)
