"""Label maps of slices become the volume that they were cut from."""

import sys

import numpy as np
import pytest
from PIL import Image

from mmseg_sparse.labels.slice_volumes import slice_volumes
from mmseg_sparse.labels.stack_slices import stack_slices
from mmseg_sparse.labels.volumes import load_slices

from ..helpers.tools import call
from ..helpers.writers_c import save_nifti

nibabel = pytest.importorskip('nibabel')
RNG = np.random.default_rng(5)
VOXELS = RNG.normal(0, 300, (5, 4, 3))
LABELS = RNG.integers(0, 9, (5, 4, 3), dtype=np.uint8)
#: Where the axes of a file lie: in order and mirrored.
LAYOUTS = [((0, 1, 2), (1, 1, 1)), ((2, 0, 1), (-1, 1, -1)),
           ((1, 2, 0), (1, -1, 1))]  # fmt: skip


def save_slices(slices, folder, name):
    """Write label maps as ``predict`` does."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, values in enumerate(slices):
        Image.fromarray(values).save(folder / f'{name}_slice_{number}.png')


@pytest.mark.parametrize('axis', ['axial', 'coronal', 'sagittal'])
@pytest.mark.parametrize(('order', 'signs'), LAYOUTS)
def test_volume_slices_volume(axis, order, signs, tmp_path):
    spacing = (1.5, 2, 3)
    save_nifti(tmp_path / 'ct/x/a_0000.nii.gz', VOXELS, spacing, order, signs)
    mask = tmp_path / 'mask.nii.gz'
    save_nifti(mask, LABELS, spacing, order, signs)
    slice_volumes(tmp_path / 'ct', tmp_path / 'images', axis=axis,
                  suffix='_0000')  # fmt: skip
    # A perfect model: for each image the label map of the mask.
    cut = load_slices(mask, axis).slices
    for image in sorted((tmp_path / 'images/x').iterdir()):
        number = int(image.stem.removeprefix('a_slice_'))
        with Image.open(image) as picture:
            assert np.asarray(picture).shape == cut[number].shape
    save_slices(cut, tmp_path / 'labels/x', 'a')
    count = stack_slices(tmp_path / 'labels', tmp_path / 'ct',
                         tmp_path / 'out', axis=axis,
                         suffix='_0000')  # fmt: skip
    assert count == 1
    found = nibabel.load(tmp_path / 'out/x/a.nii.gz')
    wanted = nibabel.load(mask)
    assert found.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(found.dataobj, wanted.dataobj)
    np.testing.assert_array_equal(found.affine, wanted.affine)
    assert found.header.get_zooms() == wanted.header.get_zooms()


@pytest.mark.parametrize('kind', ['Nifti1Image', 'Nifti2Image'])
def test_header_is_that_of_the_source(kind, tmp_path):
    source = getattr(nibabel, kind)(
        VOXELS[..., None].repeat(2, 3).astype(np.int16),
        np.array([[0, -1.5, 0, 7], [2, 0, 0, -9], [0, 0, 3, 4], [0, 0, 0, 1]]),
    )
    source.header.set_xyzt_units('mm', 'sec')
    source.header.set_slope_inter(0.5, 10)
    source.header['cal_max'] = 100
    source.set_sform(source.affine, 'scanner')
    nibabel.save(source, tmp_path / 'a.nii')
    slice_volumes(tmp_path / 'a.nii', tmp_path / 'images', channel=1)
    save_slices(
        load_slices(tmp_path / 'a.nii', channel=1).slices.astype(np.uint8) % 9,
        tmp_path / 'labels', 'a',
    )  # fmt: skip
    stack_slices(tmp_path / 'labels', tmp_path / 'a.nii', tmp_path / 'out')
    found = nibabel.load(tmp_path / 'out/a.nii.gz')
    assert type(found) is type(source)
    assert found.shape == VOXELS.shape
    np.testing.assert_array_equal(found.affine, source.affine)
    assert found.get_sform(coded=True)[1] == 1
    assert found.header.get_xyzt_units()[0] == 'mm'
    assert found.header.get_slope_inter() == (None, None)
    assert found.header['cal_max'] == 0
    assert np.asarray(found.dataobj).max() <= 8


def test_acdc_there_and_back(tmp_path):
    """convert_acdc leaves folders out and cuts along the last index."""
    for number in (1, 2):
        name = f'patient00{number}_frame01'
        mask = RNG.integers(0, 4, (4, 5, 3), dtype=np.uint8)
        for ending in ('', '_gt', '_scribble'):
            save_nifti(
                tmp_path / f'in/patient00{number}/{name}{ending}.nii.gz',
                mask, (1.5, 1.25, 10), signs=(1, -1, -1),
            )  # fmt: skip
    call('convert_acdc', 'in', 'out', '--train', '2', '--val', '1',
         cwd=tmp_path)  # fmt: skip
    done = call('stack_slices', 'out/masks', 'in', 'volumes', '--axis',
                'stored', cwd=tmp_path, check=False)  # fmt: skip
    assert 'expected the volume train/patient002_frame01.nii.gz' in done.stderr
    done = call('stack_slices', 'out/masks/val', 'in', 'volumes', '--axis',
                'stored', cwd=tmp_path)  # fmt: skip
    assert done.stdout.endswith('volumes: 1 volumes\n')
    name = 'patient001_frame01'
    found = nibabel.load(tmp_path / f'volumes/{name}.nii.gz')
    wanted = nibabel.load(tmp_path / f'in/patient001/{name}_gt.nii.gz')
    np.testing.assert_array_equal(found.dataobj, wanted.dataobj)
    np.testing.assert_array_equal(found.affine, wanted.affine)


@pytest.mark.parametrize(
    ('change', 'problem'),
    [
        (
            'a_slice_1.png',
            r"volume 'a': .* 0 to 2, as .*a\.nii .* none of \[1",
        ),
        ('a_slice_3.png', r'expected slices 0 to 2, .* got also \[3\]'),
        ('a_slice_01.png', 'are the same slice'),
        ('b_slice_0.png', r'expected the volume b\.nii\.gz'),
        ('overlay.png', r'overlay\.png: expected a name such as a_slice_0'),
        ('size', r'a_slice_2\.png: .* \(4, 5\), got \(5, 4\)'),
        ('bits', r'a_slice_2\.png: expected 8 bits, got 16'),
        ('axis', "axis must be one of axial, .* stored, got 'z'"),
        ('twice', r'a\.nii and .*a\.nii\.gz have the same name'),
        ('empty', 'expected label maps such as a_slice_0.png, found none'),
    ],
)
def test_mistakes_leave_nothing(change, problem, tmp_path):
    save_nifti(tmp_path / 'ct/a.nii', VOXELS, (1, 1, 1))
    labels = tmp_path / 'labels'
    save_slices(np.zeros((3, 4, 5), np.uint8), labels, 'a')
    if (labels / change).exists():
        (labels / change).unlink()
    elif change.endswith('.png'):
        save_slices(np.zeros((1, 4, 5), np.uint8), labels, 'x')
        (labels / 'x_slice_0.png').rename(labels / change)
    elif change == 'twice':
        save_nifti(tmp_path / 'ct/a.nii.gz', VOXELS, (1, 1, 1))
    elif change == 'empty':
        for path in labels.iterdir():
            path.unlink()
    elif change in ('size', 'bits'):
        values = np.zeros((5, 4), np.uint8) if change == 'size' else (
            np.full((4, 5), 300, np.uint16))  # fmt: skip
        Image.fromarray(values).save(labels / 'a_slice_2.png')
    axis = 'z' if change == 'axis' else 'axial'
    with pytest.raises((OSError, ValueError), match=problem):
        stack_slices(labels, tmp_path / 'ct', tmp_path / 'out', axis=axis)
    assert sorted(p.name for p in tmp_path.iterdir()) == ['ct', 'labels']


def test_without_nibabel_and_over_other_files(tmp_path, monkeypatch):
    save_nifti(tmp_path / 'a.nii', VOXELS, (1, 1, 1))
    save_slices(np.zeros((3, 4, 5), np.uint8), tmp_path / 'labels', 'a')
    monkeypatch.setitem(sys.modules, 'nibabel', None)
    done = call('stack_slices', 'labels', 'a.nii', 'out', cwd=tmp_path,
                check=False)  # fmt: skip
    assert 'writing these files needs nibabel: pip install' in done.stderr
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out/mine').touch()
    done = call('stack_slices', 'labels', 'a.nii', 'out', cwd=tmp_path,
                check=False)  # fmt: skip
    assert 'name another folder' in done.stderr
