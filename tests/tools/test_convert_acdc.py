"""convert_acdc: HDF5 or NIfTI files in, slices with labels out."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from mmseg.registry import DATASETS
from PIL import Image

from tests.helpers.tools import call

CHOICE = ('--train', '2', '--val', '1')


def convert(source, *arguments):
    """Convert ``source`` to ``out`` beside it; return what is printed."""
    return call(
        'convert_acdc', source, 'out', *arguments, cwd=source.parent
    ).stdout


def fails(source, *arguments):
    """Return the line that it ends with; nothing may be left of ``out``."""
    done = call(
        'convert_acdc', source, 'out', *arguments, cwd=source.parent,
        check=False,
    )  # fmt: skip
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith('python -m mmseg_sparse convert_acdc: error: ')
    return line


def volume(seed, depth=2, height=4, width=3):
    """An image, its mask and its scribble, ``(D, H, W)``."""
    rng = np.random.default_rng(seed)
    shape = (depth, height, width)
    mask = rng.integers(4, size=shape, dtype=np.uint8)
    scribble = np.where(rng.random(shape) < 0.5, mask, 4).astype(np.uint8)
    image = rng.normal(size=shape).astype(np.float32)
    return dict(image=image, label=mask, scribble=scribble)


def write_hdf5(path, **arrays):
    h5py = pytest.importorskip('h5py')
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, 'w') as file:
        for name, values in arrays.items():
            file[name] = values


def write_nifti(folder, name, arrays, spacing=(10.0, 1.5, 1.25)):
    nibabel = pytest.importorskip('nibabel')
    folder.mkdir(parents=True, exist_ok=True)
    for key, ending in (('image', ''), ('label', '_gt'),
                        ('scribble', '_scribble')):  # fmt: skip
        if key not in arrays:
            continue
        # NIfTI has columns, rows, slices.
        picture = nibabel.Nifti1Image(arrays[key].T, np.diag([1, 1, 1, 1.0]))
        picture.header.set_zooms(spacing[::-1])
        nibabel.save(picture, folder / f'{name}{ending}.nii.gz')


def png(path):
    return np.array(Image.open(path))


def check(out, split, name, arrays, image=None):
    """Compare the PNGs of a volume with what they were made of."""
    image = arrays['image'] if image is None else image
    for k, values in enumerate(image):
        file = f'{name}_slice_{k}.png'
        low, high = values.min(), values.max()
        expected = (values.astype(float) - low) / (high - low) * 255
        stretched = png(out / 'images' / split / file)
        assert stretched.dtype == np.uint8
        assert np.abs(stretched - expected).max() <= 0.5 + 1e-4
        assert (stretched.min(), stretched.max()) == (0, 255)
        mask = png(out / 'masks' / split / file)
        assert (mask == arrays['label'][k]).all()
        scribble = out / 'scribbles' / split / file
        assert scribble.exists() == (split == 'train')
        if split == 'train':
            strokes = arrays['scribble'][k].copy()
            strokes[strokes == 4] = 255
            assert (png(scribble) == strokes).all()


@pytest.mark.parametrize('sliced', [True, False])
def test_hdf5(tmp_path, sliced):
    names = {
        1: 'patient001_frame01', 2: 'patient002_frame12',
        3: 'patient003_frame01',
    }  # fmt: skip
    volumes = {number: volume(number) for number in names}
    for number, name in names.items():
        if not sliced:
            write_hdf5(tmp_path / f'in/{name}.h5', **volumes[number])
            continue
        for k in range(2):
            one = {key: values[k] for key, values in volumes[number].items()}
            write_hdf5(tmp_path / f'in/{name}_slice_{k}.h5', **one)
    out = tmp_path / 'out'
    printed = convert(tmp_path / 'in', *CHOICE)
    check(out, 'val', names[1], volumes[1])
    check(out, 'train', names[2], volumes[2])
    assert not list(out.rglob('patient003*'))
    assert not (out / 'spacing.json').exists()
    assert '2 slices for training, 2 for validation' in printed


def test_volume_is_taken_in_place_of_its_slices(tmp_path):
    volumes = {number: volume(number) for number in (1, 2)}
    for number, arrays in volumes.items():
        name = f'patient00{number}_frame01'
        write_hdf5(tmp_path / f'in/volumes/{name}.h5', **arrays)
        one = {key: values[0] for key, values in volume(9).items()}
        write_hdf5(tmp_path / f'in/slices/{name}_slice_0.h5', **one)
    out = tmp_path / 'out'
    convert(tmp_path / 'in', *CHOICE)
    check(out, 'train', 'patient002_frame01', volumes[2])


@pytest.mark.parametrize('apart', [True, False])
def test_nifti(tmp_path, apart):
    volumes = {}
    for number in (1, 2):
        name = f'patient00{number}_frame01'
        arrays = volumes[number] = volume(number, height=20, width=15)
        arrays['image'] = (1000 * arrays['image']).astype(np.int16)
        folder = tmp_path / 'in' / f'patient00{number}'
        write_nifti(folder, name, arrays)
        (folder / 'Info.cfg').write_text('ED: 1\n')
        (folder / f'patient00{number}_4d.nii.gz').write_bytes(b'not read')
        if apart:
            scribble = f'{name}_scribble.nii.gz'
            (tmp_path / 'strokes').mkdir(exist_ok=True)
            (folder / scribble).rename(tmp_path / 'strokes' / scribble)
    out = tmp_path / 'out'
    where = ('--scribbles', tmp_path / 'strokes') if apart else ()
    convert(tmp_path / 'in', *CHOICE, *where)
    for number, split in ((1, 'val'), (2, 'train')):
        image = volumes[number]['image']
        # 600 voxels: six are above the 99th percentile.
        window = np.minimum(image, np.percentile(image, 99))
        assert (window < image).sum() == 6
        name = f'patient00{number}_frame01'
        check(out, split, name, volumes[number], window)
    spacing = json.loads((out / 'spacing.json').read_text())
    assert spacing['patient001_frame01'] == pytest.approx([10, 1.5, 1.25])


def test_dataset_reads_it(tmp_path):
    for number in (1, 2):
        name = f'patient00{number}_frame01'
        write_hdf5(tmp_path / f'in/{name}.h5', **volume(number))
    convert(tmp_path / 'in', *CHOICE)
    for folder, split in (('scribbles', 'train'), ('masks', 'val')):
        dataset = DATASETS.build(
            dict(
                type='SparseSegDataset',
                classes=('background', 'rv', 'wall', 'lv'),
                data_root=str(tmp_path / 'out'),
                data_prefix=dict(
                    img_path=f'images/{split}',
                    seg_map_path=f'{folder}/{split}',
                ),
                img_suffix='.png',
                pipeline=[
                    dict(type='LoadImageFromFile'),
                    dict(type='LoadSparseAnnotations'),
                    dict(type='PackSegInputs'),
                ],
            )
        )
        sample = dataset[1]
        assert sample['inputs'].shape == (3, 4, 3)
        labels = sample['data_samples'].gt_sem_seg.data
        assert set(labels.unique().tolist()) <= {0, 1, 2, 3, 255}
        assert (labels == 255).any() == (split == 'train')


def test_flat_slice_is_black(tmp_path):
    for number in (1, 2):
        arrays = volume(number)
        arrays['image'][:] = 7
        write_hdf5(tmp_path / f'in/patient00{number}_frame01.h5', **arrays)
    convert(tmp_path / 'in', *CHOICE)
    name = 'out/images/train/patient002_frame01_slice_0.png'
    assert not png(tmp_path / name).any()


def broken(tmp_path, **changes):
    """Write two volumes, the second one broken by what is changed."""
    write_hdf5(tmp_path / 'in/patient001_frame01.h5', **volume(1))
    arrays = volume(2) | changes
    arrays = {k: v for k, v in arrays.items() if v is not None}
    write_hdf5(tmp_path / 'in/patient002_frame01.h5', **arrays)


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        (dict(scribble=None), 'an HDF5 file with image, label, scribble'),
        (dict(label=np.full((2, 4, 3), 4)), 'expected values 0 to 3 in its l'),
        (dict(scribble=np.full((2, 4, 3), 5)), 'values 0 to 4 in its scribbl'),
        (dict(label=np.full((2, 4, 3), 0.5)), 'expected whole numbers'),
        (dict(label=np.full((2, 4, 3), -1)), 'expected whole numbers'),
        (dict(label=np.zeros((2, 3, 4))), 'expected a label of the size'),
        (dict(image=np.zeros((4, 3))), 'expected image of 3 dimensions'),
    ],
)
def test_broken_files_leave_nothing(tmp_path, changes, words):
    broken(tmp_path, **changes)
    line = fails(tmp_path / 'in', *CHOICE)
    assert words in line
    assert 'patient002_frame01.h5' in line
    assert [path.name for path in tmp_path.iterdir()] == ['in']


def test_no_hdf5_file(tmp_path):
    pytest.importorskip('h5py')
    for number in (1, 2):
        path = tmp_path / f'in/patient00{number}_frame01.h5'
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b'no HDF5')
    assert 'expected an HDF5 file' in fails(tmp_path / 'in', *CHOICE)


@pytest.mark.parametrize('missing', ['_gt', '_scribble'])
def test_missing_nifti(tmp_path, missing):
    for number in (1, 2):
        name = f'patient00{number}_frame01'
        write_nifti(tmp_path / 'in', name, volume(number))
    gone = f'patient002_frame01{missing}.nii.gz'
    (tmp_path / 'in' / gone).unlink()
    assert f'{gone}: expected this file' in fails(tmp_path / 'in', *CHOICE)


def test_broken_nifti(tmp_path):
    for number in (1, 2):
        name = f'patient00{number}_frame01'
        write_nifti(tmp_path / 'in', name, volume(number))
    path = tmp_path / 'in/patient001_frame01.nii.gz'
    path.write_bytes(path.read_bytes()[:60])
    line = fails(tmp_path / 'in', *CHOICE)
    assert 'patient001_frame01.nii.gz: cannot be read' in line
    write_nifti(tmp_path / 'in', 'patient001_frame01', dict(
        image=np.zeros((2, 2, 4, 3), np.float32),
    ), spacing=(1, 1, 1, 1))  # fmt: skip
    assert 'a volume of 3 dimensions' in fails(tmp_path / 'in', *CHOICE)


@pytest.mark.parametrize(
    ('library', 'name'),
    [
        ('h5py', 'patient00{}_frame01_slice_0.h5'),
        ('nibabel', 'patient00{}_frame01.nii.gz'),
    ],
)
def test_missing_library(tmp_path, monkeypatch, library, name):
    source = tmp_path / 'in'
    source.mkdir()
    for number in (1, 2):
        (source / name.format(number)).write_bytes(b'')
    monkeypatch.setitem(sys.modules, library, None)
    words = f'reading these files needs {library}: pip install {library}'
    assert words in fails(source, *CHOICE)


def test_wrong_choices(tmp_path):
    source = tmp_path / 'in'
    source.mkdir()
    (source / 'patient001_frame01.nii.gz').write_bytes(b'')
    line = fails(source, '--train', '1-3', '--val', '3,4')
    assert 'expected patients for training or validation, got 3' in line
    assert 'of the patients for train, found none' in fails(source, *CHOICE)
    done = call(
        'convert_acdc', source, 'out', '--train', '1-x', cwd=tmp_path,
        check=False,
    )  # fmt: skip
    assert 'expected numbers and ranges such as 1-20,37' in done.stderr
    Path(tmp_path, 'out', 'mine').mkdir(parents=True)
    assert 'exists: name another folder' in fails(source, *CHOICE)
    assert Path(tmp_path, 'out', 'mine').is_dir()
