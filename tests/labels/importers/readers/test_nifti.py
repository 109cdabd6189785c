"""NIfTI: directions of the patient, written volumes and broken files."""

import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmseg_sparse.labels.importers.import_labels import import_labels
from mmseg_sparse.labels.importers.readers import nifti
from mmseg_sparse.utils.untrusted import FormatError

from ....helpers.fuzzing import MODEST, fuzz_bytes
from ....helpers.writers_c import drawn_map, save_nifti

nibabel = pytest.importorskip('nibabel')
NAMES = [str(i) for i in range(6)]


def maps(found: Any) -> list[np.ndarray]:
    return [drawn_map(a, a.size, NAMES) for a in found]


def test_directions_by_hand(tmp_path: Path) -> None:
    """Right to left, back to front and feet to head, as most scanners'."""
    voxels = np.zeros((4, 3, 2), np.uint8)
    voxels[0, 2, 1] = 1  # at the patient's right, in front, at the head
    voxels[3, 0, 0] = 2  # left, behind, at the feet
    picture = nibabel.Nifti1Image(voxels, np.diag([-2.0, 3, 5, 1]))
    nibabel.save(picture, tmp_path / 'a.nii.gz')
    feet, head = nifti.read(tmp_path / 'a.nii.gz')
    assert (feet.image, head.image) == ('a_slice_0', 'a_slice_1')
    assert (feet.size, feet.spacing) == ((4, 3), (5, 3, 2))
    low, high = maps([feet, head])
    assert np.argwhere(high == 1).tolist() == [[0, 0]]  # above, on the left
    assert np.argwhere(low == 2).tolist() == [[2, 3]]
    front, _, back = nifti.read(tmp_path / 'a.nii.gz', axis='coronal')
    assert (front.size, front.spacing) == ((4, 2), (3, 5, 2))
    first, last = maps([front, back])
    assert np.argwhere(first == 1).tolist() == [[0, 0]]
    assert np.argwhere(last == 2).tolist() == [[1, 3]]
    slices = list(nifti.read(tmp_path / 'a.nii.gz', axis='sagittal'))
    assert [a.size for a in slices] == [(3, 2)] * 4
    assert slices[0].spacing == (2, 5, 3)
    first, *_, last = maps(slices)
    assert np.argwhere(first == 1).tolist() == [[0, 0]]
    assert np.argwhere(last == 2).tolist() == [[1, 2]]


@given(
    st.tuples(*[st.integers(1, 5)] * 3),
    st.permutations([0, 1, 2]),
    st.tuples(*[st.sampled_from([1, -1])] * 3),
    st.sampled_from([np.uint8, np.int16, np.float32, np.int64]),
    st.sampled_from(['axial', 'coronal', 'sagittal']),
    st.integers(0, 2**32),
)
@settings(MODEST, max_examples=20)
def test_round_trip(
    tmp_path: Path, size: Any, order: Any, signs: Any, kind: Any, axis: str,
    seed: int,
) -> None:  # fmt: skip
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 6, size)  # right to left, front to back, ...
    path = tmp_path / 'ä_gt.nii'
    save_nifti(path, labels.astype(kind), (1.5, 2, 7), order, signs)
    found = list(nifti.read(tmp_path, axis=axis, suffix='_gt', ignore_index=5))
    labels[labels == 5] = 255
    expected, spacing = {
        'axial': ([labels[:, :, k].T for k in range(size[2])], (7, 2, 1.5)),
        'coronal': (
            [labels[:, k, ::-1].T for k in range(size[1])], (2, 7, 1.5)
        ),
        'sagittal': (
            [labels[k, :, ::-1].T for k in range(size[0])], (1.5, 7, 2)
        ),
    }[axis]  # fmt: skip
    assert [a.image for a in found] == [
        f'ä_slice_{k}' for k in range(len(expected))
    ]
    for annotation, one, other in zip(
        found, maps(found), expected, strict=True
    ):
        assert annotation.spacing == spacing
        np.testing.assert_array_equal(one, other)


def test_flat_files_and_no_nibabel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flat = np.array([[0, 1, 1]], np.uint8)
    for shape in ((1, 3), (1, 3, 1), (1, 3, 1, 1)):
        picture = nibabel.Nifti1Image(
            flat.reshape(shape), np.diag([-1, -1, 1, 1])
        )
        nibabel.save(picture, tmp_path / 'a.nii')
        (found,) = nifti.read(tmp_path / 'a.nii')
        assert drawn_map(found, (1, 3), NAMES).tolist() == [[0], [1], [1]]
    monkeypatch.setitem(sys.modules, 'nibabel', None)
    with pytest.raises(ModuleNotFoundError):
        list(nifti.read(tmp_path / 'a.nii'))


def saved(path: Path, voxels: Any, affine: Any = None) -> Path:
    matrix = np.eye(4) if affine is None else affine
    nibabel.save(nibabel.Nifti1Image(voxels, matrix), path)
    return path


@pytest.mark.parametrize(
    ('voxels', 'problem'),
    [
        (np.full((2, 2, 2), 0.5, np.float32),
         r'expected whole numbers 0 to 65535 as labels, got float32 from'),
        (np.full((2, 2, 2), np.nan), 'expected whole numbers .*from nan'),
        (np.full((2, 2, 2), -1, np.int16), 'expected whole numbers .*from -1'),
        (np.zeros((2, 2, 2, 2), np.uint8),
         r'dim: expected a volume of 3 dimensions, got \(2, 2, 2, 2\)'),
        (np.zeros((2, 2, 2), np.complex64), 'datatype: expected one number'),
        (np.zeros((2, 2, 2), [('R', 'u1'), ('G', 'u1'), ('B', 'u1')]),
         'datatype: expected one number'),
    ],
)  # fmt: skip
def test_refused(tmp_path: Path, voxels: Any, problem: str) -> None:
    path = saved(tmp_path / 'a.nii.gz', voxels)
    with pytest.raises(FormatError, match=rf'a\.nii\.gz: {problem}'):
        list(nifti.read(path))


def test_sizes_that_lie_are_refused_before_anything_is_read(
    tmp_path: Path,
) -> None:
    path = saved(tmp_path / 'a.nii', np.zeros((2, 2, 2), np.uint8))
    data = bytearray(path.read_bytes())
    for sides, problem in (
        ((600, 600, 700), 'cannot be read: 252000000 voxels are not in a'),
        ((3000, 3000, 3000), '27000000000 voxels are more than'),
        ((-3, 2, 2), 'dim: expected sides of 1 to'),
    ):
        data[42:48] = np.array(sides, '<i2').tobytes()
        path.write_bytes(data)
        with pytest.raises(FormatError, match=problem):
            list(nifti.read(path))


@pytest.mark.parametrize('value', [0, np.nan])
def test_axes_without_a_direction_are_refused(
    tmp_path: Path, value: float
) -> None:
    path = saved(tmp_path / 'a.nii', np.zeros((2, 2, 2), np.uint8))
    data = bytearray(path.read_bytes())
    data[296:312] = np.full(4, value, '<f4').tobytes()  # srow_y
    path.write_bytes(data)
    with pytest.raises(FormatError, match='affine: expected a direction of'):
        list(nifti.read(path))


def test_an_unknown_axis_and_no_file(tmp_path: Path) -> None:
    path = saved(tmp_path / 'a.nii', np.zeros((2, 2, 2), np.uint8))
    with pytest.raises(ValueError, match=r"one of axial, .*, got 'top'"):
        list(nifti.read(path, axis='top'))
    with pytest.raises(FormatError, match=r'no \*_seg\.nii or \*_seg\.nii\.g'):
        list(nifti.read(tmp_path, suffix='_seg'))


def test_spacing_is_kept_in_labels_json(tmp_path: Path) -> None:
    from mmseg_sparse.evaluation.volume_metric import VolumeMetric
    from mmseg_sparse.labels.classes import make_classes
    from mmseg_sparse.labels.label_folder import read_sidecar
    from mmseg_sparse.labels.slice_volumes import slice_volumes

    labels = np.arange(24).reshape(4, 3, 2) % 3
    save_nifti(tmp_path / 'seg/a.nii.gz', labels.astype(np.uint8), (1, 2, 3))
    save_nifti(tmp_path / 'ct/a.nii.gz', 100.0 * labels, (1, 2, 3),
               (2, 0, 1), (1, -1, -1))  # fmt: skip
    slice_volumes(tmp_path / 'ct', tmp_path / 'images', window=(0, 200))
    import_labels(
        'nifti', tmp_path / 'seg', tmp_path / 'out',
        images=tmp_path / 'images', classes=make_classes(['b', 'c', 'd']),
    )  # fmt: skip
    images = read_sidecar(tmp_path / 'out')['images']
    assert [i['spacing'] for i in images.values()] == [[3, 2, 1]] * 2
    metric = VolumeMetric(spacing=str(tmp_path / 'out/labels.json'))
    assert metric.spacing == {'a': (3, 2, 1)}


@given(st.integers(0, 2**32))
@MODEST
def test_fuzz(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    path = tmp_path / rng.choice(['a.nii', 'b.nii.gz'])
    sample = saved(tmp_path / f'good{path.name[1:]}',
                   np.ones((2, 3, 2), np.uint8)).read_bytes()  # fmt: skip
    for turn in range(4):
        fuzz_bytes(nifti.read, path, sample, seed + turn)
