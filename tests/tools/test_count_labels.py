"""count_labels against counts made by hand on small label maps."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.tools import call

PIPELINE = """
custom_imports = dict(imports=['mmseg_sparse'], allow_failed_imports=False)
train_dataloader = dict(dataset=dict(
    type='CamVidDataset', data_root='.',
    data_prefix=dict(img_path='images', seg_map_path='labels'),
    pipeline=[
        dict(type='LoadImageFromFile'), dict(type='LoadAnnotations'), {}
    ]))
"""


def write_data(folder: Path, *maps: np.ndarray) -> None:
    (folder / 'images').mkdir()
    (folder / 'labels').mkdir()
    for number, labels in enumerate(maps):
        Image.fromarray(labels).save(folder / f'labels/{number}.png')
        image = np.zeros((*labels.shape, 3), np.uint8)
        Image.fromarray(image).save(folder / f'images/{number}.jpg')


def write_config(path: Path, *steps: str) -> None:
    path.write_text(PIPELINE.format(', '.join(steps)))


@pytest.fixture
def run(tmp_path):
    return partial(call, 'count_labels', cwd=tmp_path, check=False)


def test_counts_points_stock_and_ours(tmp_path: Path, run) -> None:
    first = np.full((40, 60), 255, np.uint8)
    first[1::4, 1::2] = 3  # 10 x 30 clicks, none of which is sampled
    first[20:22, 40:44] = 5  # two pixels of it where clicks were
    second = np.full((40, 60), 255, np.uint8)
    second[2:4, :] = 1  # a stroke, and a click that stock keeps
    second[20, 20] = 1
    write_data(tmp_path, first, second)
    write_config(
        tmp_path / 'stock.py',
        "dict(type='Resize', scale_factor=0.5)",
        "dict(type='PackSegInputs')",
    )
    write_config(
        tmp_path / 'ours.py',
        "dict(type='SparseResize', scale_factor=0.5)",
        "dict(type='SparseRandomCrop', crop_size=(20, 30))",
        "dict(type='PackSegInputs')",
    )
    done = run('stock.py', 'ours.py', '--epochs', '2', '--out', 'out.json')
    assert done.returncode == 0, done.stderr
    stock, ours = json.loads((tmp_path / 'out.json').read_text())
    clicks = 10 * 30 - 2
    for one in (stock, ours):
        assert (one['images'], one['epochs']) == (2, 2)
        assert one['points'] == clicks + 1 + 2
    assert stock['points reaching the model'] == 1 + 2
    assert ours['points reaching the model'] == ours['points']
    assert stock['kept after'] == [
        {'step': 'Resize', 'share': pytest.approx(3 / (clicks + 3))}
    ]
    assert [step['share'] for step in ours['kept after']] == [1, 1]
    # 1 x 2 of the patch; the stroke's 30 and the click, of 600 a sample.
    assert stock['labelled pixels of a sample'] == (2 + 31) / 2
    assert ours['labelled pixels of a sample'] == (clicks + 2 + 31) / 2
    assert stock['labelled share'] == pytest.approx(33 / 1200)
    assert stock['classes of a sample'] == 1
    assert ours['samples of several classes'] == 1
    assert '100.0% SparseResize' in done.stdout


def test_counts_what_a_simulator_makes_and_what_crops_lose(
    tmp_path: Path, run
) -> None:
    labels = np.zeros((64, 64), np.uint8)
    labels[:, 32:] = 1
    write_data(tmp_path, labels)
    write_config(
        tmp_path / 'a.py',
        "dict(type='SimulatePoints', seed=0)",
        "dict(type='RandomCrop', crop_size=(2, 2))",
    )
    done = run('a.py', '--epochs', '3', '--out', 'a.json')
    assert done.returncode == 0, done.stderr
    (found,) = json.loads((tmp_path / 'a.json').read_text())
    assert found['points'] == 2
    assert found['points reaching the model'] == 0
    assert found['samples without label'] == 1
    # The same seed counts the same; nothing is replaced unasked.
    done = run('a.py', '--out', 'a.json')
    assert done.returncode == 2
    assert '--out exists: a.json' in done.stderr
    again = run('a.py', '--epochs', '3', '--out', 'a.json', '--overwrite')
    assert again.returncode == 0
    assert json.loads((tmp_path / 'a.json').read_text()) == [found]


def test_errors_are_one_line(tmp_path: Path, run) -> None:
    write_config(tmp_path / 'empty.py', "dict(type='RandomFlip', prob=0.5)")
    (tmp_path / 'none.py').write_text('model = dict()')
    for arguments, message in (
        (('missing.py',), "config not found: 'missing.py'"),
        (('none.py',), 'none.py has no train_dataloader'),
        (('empty.py',), './images: No such file or directory'),
        (('none.py', '--epochs', '0'), '--epochs: must be at least 1, got 0'),
        (('none.py', '--seed', '-1'), '--seed: must be at least 0, got -1'),
    ):
        done = run(*arguments)
        assert done.returncode
        assert message in done.stderr
        errors = [x for x in done.stderr.splitlines() if 'error: ' in x]
        assert len(errors) == 1
        assert message in errors[0]
        assert 'Traceback' not in done.stderr


WRAPPED = (
    PIPELINE.replace('{}', '')
    + """
data = train_dataloader['dataset']
data['pipeline'] = data['pipeline'][:2]
train_dataloader['dataset'] = dict(
    type='MultiImageMixDataset', skip_type_keys=['RandomFlip'],
    pipeline=[dict(type='Resize', scale_factor=0.5),
              dict(type='RandomFlip', prob=1.0), {1},
              dict(type='PackSegInputs')],
    dataset=dict(type='MultiImageMixDataset', dataset=data, pipeline=[
        dict(type='SimulatePoints', min_area=1, placement='uniform', seed=0),
    ]))
"""
)


def test_steps_of_wrappers_count(tmp_path: Path, run) -> None:
    labels = np.zeros((64, 64), np.uint8)
    labels[::8, ::8] = 1  # 64 regions of a pixel, and one around them
    write_data(tmp_path, labels)
    crop = "dict(type='RandomCrop', crop_size=(16, 16))"
    (tmp_path / 'a.py').write_text(WRAPPED.replace('{1}', crop))
    done = run('a.py', '--out', 'a.json')
    assert done.returncode == 0, done.stderr
    (found,) = json.loads((tmp_path / 'a.json').read_text())
    assert found['points'] == 65
    steps = [step['step'] for step in found['kept after']]
    assert steps == ['Resize', 'RandomCrop']
    # Every second row and column is sampled: the specks are, the other
    # point may be. The crop has a quarter of them.
    assert found['kept after'][0]['share'] in (64 / 65, 1)
    assert 9 <= found['points reaching the model'] <= 26
    mosaic = "dict(type='RandomMosaic', prob=1, img_scale=(32, 32))"
    (tmp_path / 'b.py').write_text(WRAPPED.replace('{1}', mosaic))
    done = run('b.py')
    assert 'RandomMosaic mixes several images' in done.stderr
