"""Hostile files of further formats, through the whole import."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmseg_sparse.labels.importers.annotation import ImageAnnotation, Region

from ...helpers.import_cases import make_source
from ...helpers.writers_c import (
    cvat_video,
    isat,
    label_studio_vectors,
    save_nifti,
    via_table,
)
from .test_import_hostile import check_refused

AREA = Region('sky', (np.array([[1, 1], [9, 1], [9, 9.0]]),))
SCENE = ImageAnnotation('a.jpg', '', (40, 30), (AREA,))
BOX = {'tag': 'box', 'xtl': 0, 'ytl': 0, 'xbr': 9, 'ybr': 9}


def save(content, path='hostile'):
    if not isinstance(content, bytes):
        content = json.dumps(content).encode()
    Path(path).write_bytes(content)


def isat_with(**changes):
    content = isat(SCENE)
    content['objects'][0].update(changes)
    save(content)
    return 'isat'


def video(*tracks, **frames):
    save(cvat_video(tracks, (40, 30), frames))
    return 'cvat'


def volume(sides):
    Path('hostile').mkdir()
    save_nifti(Path('hostile/a.nii'), np.zeros((2, 2, 2), np.uint8), (1, 1, 1))
    data = bytearray(Path('hostile/a.nii').read_bytes())
    data[42:48] = np.array(sides, '<i2').tobytes()
    Path('hostile/a.nii').write_bytes(data)
    return 'nifti'


def nnunet(**changes):
    Path('hostile/labelsTr').mkdir(parents=True)
    Image.new('L', (40, 30)).save('hostile/labelsTr/a.png')
    content = {'labels': {'sky': 0}, 'file_ending': '.png'} | changes
    save(content, 'hostile/dataset.json')
    return 'nnunet'


def vectors(**changes):
    content = label_studio_vectors(SCENE, 0)
    result = content[0]['annotations'][0]['result'][0]
    result['value']['vertices'][0].update(changes)
    save(content)
    return 'label-studio'


def table(old, new):
    shape = {'name': 'point', 'cx': 1, 'cy': 2}
    region = {'shape_attributes': shape, 'region_attributes': {'class': 'sky'}}
    content = {'a': {'filename': 'a.jpg', 'size': 1, 'regions': [region],
                     'file_attributes': {}}}  # fmt: skip
    text = via_table(content, older=True)
    assert old in text
    save(text.replace(old, new).encode())
    return 'via'


HOSTILE = {
    'layer infinite': lambda: isat_with(layer=float('inf')),
    'outline far': lambda: isat_with(
        segmentation=[[0, 0], [1e300, 0], [1, 1]]
    ),
    'deep': lambda: isat_with(segmentation=json.loads('[' * 200 + ']' * 200)),
    'frames without end': lambda: video(
        ('sky', [(0, BOX)]), stop_frame=10**17
    ),
    'frame far': lambda: video(('sky', [(10**17, BOX)])),
    'shapes without end': lambda: video(
        *[('sky', [(0, BOX)])] * 300, stop_frame=900_000
    ),
    'volume lies': lambda: volume((30_000, 30_000, 2)),
    'volume is negative': lambda: volume((-2, 2, 2)),
    'ending climbs': lambda: nnunet(file_ending='/../../images/a.jpg'),
    'case climbs': lambda: nnunet(dataset={'a': {'label': '/etc/passwd'}}),
    'number is huge': lambda: nnunet(labels={'sky': 10**30}),
    'vertex far': lambda: vectors(x=1e300),
    'vertices in a knot': lambda: vectors(prevPointId='p7'),
    'table without end': lambda: table('"{""name""', '"{""name'),
    'table of entities': lambda: table('{', '<!DOCTYPE'),
}


@pytest.mark.parametrize('kind', HOSTILE)
def test_refused(kind, tmp_path, monkeypatch):
    if kind.startswith('volume'):
        pytest.importorskip('nibabel')
    monkeypatch.chdir(tmp_path)
    make_source(tmp_path)
    check_refused(HOSTILE[kind](), tmp_path)
