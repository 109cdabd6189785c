"""Slices of volumes as pictures: intensities, names and directions."""

import sys

import numpy as np
import pytest
from PIL import Image

from mmseg_sparse.labels.slice_volumes import slice_volumes

from ..helpers.tools import call
from ..helpers.writers_c import save_nifti

nibabel = pytest.importorskip('nibabel')
VOXELS = np.random.default_rng(3).normal(0, 300, (5, 4, 3))


def png(path):
    with Image.open(path) as picture:
        assert picture.mode == 'L'
        return np.asarray(picture)


def literal(value, low, high):
    """What one intensity becomes."""
    share = (float(min(max(value, low), high)) - low) / (high - low)
    return round(255 * share)


@pytest.mark.parametrize('window', [(-160, 240), None])
def test_window_and_percentiles(tmp_path, window):
    save_nifti(tmp_path / 'in/x/a_0000.nii.gz', VOXELS, (1, 1, 2), (1, 2, 0))
    save_nifti(tmp_path / 'in/x/a_0001.nii.gz', VOXELS, (1, 1, 2))
    count = slice_volumes(tmp_path / 'in', tmp_path / 'out', window=window,
                          percentiles=(10, 80), suffix='_0000')  # fmt: skip
    assert count == 3
    assert sorted(p.name for p in (tmp_path / 'out/x').iterdir()) == [
        'a_slice_0.png', 'a_slice_1.png', 'a_slice_2.png',
    ]  # fmt: skip
    low, high = window or np.percentile(VOXELS, (10, 80))
    for k in range(3):
        found = png(tmp_path / f'out/x/a_slice_{k}.png')
        expected = [
            [literal(VOXELS[x, y, k], low, high) for x in range(5)]
            for y in range(4)
        ]
        assert np.array_equal(found, expected)


def test_one_channel_and_an_even_volume(tmp_path):
    channels = np.stack([np.full((2, 2, 1), 7.0), VOXELS[:2, :2, :1]], -1)
    affine = np.diag([-1.0, -1, 1, 1])
    nibabel.save(nibabel.Nifti1Image(channels, affine), tmp_path / 'a.nii')
    source = tmp_path / 'a.nii'
    with pytest.raises(ValueError, match='expected a volume of 3 dimensions'):
        slice_volumes(source, tmp_path / 'out')
    slice_volumes(source, tmp_path / 'out', channel=0)
    assert not png(tmp_path / 'out/a_slice_0.png').any()
    slice_volumes(source, tmp_path / 'other', channel=1)
    assert png(tmp_path / 'other/a_slice_0.png').max() == 255


@pytest.mark.parametrize(
    ('options', 'problem'),
    [
        ({'window': (3, 3)}, 'window: expected two numbers, the lower one f'),
        ({'percentiles': (-1, 99)}, 'percentiles: .* 0 to 100, .* got -1 and'),
        ({'axis': 'z'}, "axis must be one of axial, .*, got 'z'"),
    ],
)
def test_wrong_arguments(tmp_path, options, problem):
    save_nifti(tmp_path / 'in/a.nii', VOXELS, (1, 1, 1))
    with pytest.raises(ValueError, match=problem):
        slice_volumes(tmp_path / 'in', tmp_path / 'out', **options)
    assert [p.name for p in tmp_path.iterdir()] == ['in']


def test_what_cannot_be_written_leaves_nothing(tmp_path):
    save_nifti(tmp_path / 'in/a.nii', VOXELS, (1, 1, 1))
    save_nifti(tmp_path / 'in/b.nii', np.full_like(VOXELS, np.inf), (1, 1, 1))
    with pytest.raises(ValueError, match=r'b\.nii: expected finite intens'):
        slice_volumes(tmp_path / 'in', tmp_path / 'out')
    assert [p.name for p in tmp_path.iterdir()] == ['in']
    save_nifti(tmp_path / 'in/a.nii.gz', VOXELS, (1, 1, 1))
    with pytest.raises(ValueError, match='have the same name'):
        slice_volumes(tmp_path / 'in', tmp_path / 'out')
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out/mine').touch()
    with pytest.raises(FileExistsError, match='name another folder'):
        slice_volumes(tmp_path / 'in', tmp_path / 'out')


def test_the_tool_and_the_import(tmp_path, monkeypatch):
    save_nifti(tmp_path / 'ct/a.nii.gz', VOXELS, (1, 1, 2))
    labels = (VOXELS > 0).astype(np.uint8)
    save_nifti(tmp_path / 'seg/a.nii.gz', labels, (1, 1, 2), (2, 1, 0))
    done = call('slice_volumes', 'ct', 'images', '--window', '-160', '240',
                '--axis', 'coronal', cwd=tmp_path)  # fmt: skip
    assert done.stdout.endswith('images: 4 slices\n')
    call(
        'import_labels', 'nifti', 'seg', 'out', '--images', 'images',
        '--classes', 'b,c', '--option', 'axis=coronal', cwd=tmp_path,
    )  # fmt: skip
    with Image.open(tmp_path / 'out/a_slice_1.png') as picture:
        assert np.array_equal(picture, labels[:, 1, ::-1].T)
    monkeypatch.setitem(sys.modules, 'nibabel', None)
    done = call('import_labels', 'nifti', 'seg', 'two', '--images', 'images',
                '--classes', 'b,c', cwd=tmp_path, check=False)  # fmt: skip
    assert 'reading these files needs nibabel: pip install' in done.stderr
