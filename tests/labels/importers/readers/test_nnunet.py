"""nnU-Net's data sets: names, ignore label, slices, and what is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mmseg_sparse.labels.importers.import_labels import import_labels
from mmseg_sparse.labels.importers.readers import nnunet
from mmseg_sparse.labels.label_folder import read_sidecar
from mmseg_sparse.utils.untrusted import FormatError

from ....helpers.drawn import label_maps
from ....helpers.fuzzing import MODEST, fuzz_json
from ....helpers.import_cases import labels_of
from ....helpers.writers_c import drawn_map, save_nifti

#: A data set of sparse labels: what is not labelled is ``ignore``.
DATASET = {
    'channel_names': {'0': 'R', '1': 'G', '2': 'B'},
    'labels': {'zero': 0, 'road': 1, 'sky': 2, 'ignore': 3},
    'numTraining': 2,
    'file_ending': '.png',
    'overwrite_image_reader_writer': 'NaturalImage2DIO',
}
LABELS = np.array([[0, 3, 1], [2, 3, 3]], np.uint8)
NAMES = ['zero', 'road', 'sky']


def make(folder: Path, stored: Any = LABELS, **changes: Any) -> Path:
    """Write a data set of one case, ``a``."""
    (folder / 'labelsTr').mkdir(parents=True, exist_ok=True)
    content = DATASET | changes
    ending = content['file_ending']
    if ending in ('.png', '.tif'):
        picture = Image.fromarray(stored)
        picture.save(folder / f'labelsTr/a{ending}')
    elif ending in ('.nii', '.nii.gz'):
        save_nifti(folder / f'labelsTr/a{ending}', stored, (1, 2, 3))
    (folder / 'dataset.json').write_text(json.dumps(content))
    return folder


def test_what_is_ignored_has_no_label(tmp_path: Path) -> None:
    source = make(tmp_path / 'Dataset001_A')
    (source / 'imagesTr').mkdir()
    Image.new('RGB', (3, 2)).save(source / 'imagesTr/a_0000.png')
    import_labels('nnunet', source, tmp_path / 'out',
                  images=source / 'imagesTr')  # fmt: skip
    labels = labels_of(tmp_path / 'out/a_0000.png').tolist()
    assert labels == [[0, 255, 1], [2, 255, 255]]
    sidecar = read_sidecar(tmp_path / 'out')
    assert sidecar['classes'] == NAMES
    assert set(sidecar['sources']) == {'dataset.json', 'labelsTr/a.png'}
    assert sidecar['images']['a_0000']['supervision'] == 'scribble'


def test_slices_of_volumes(tmp_path: Path) -> None:
    pytest.importorskip('nibabel')
    voxels = np.zeros((3, 2, 2), np.uint8)
    voxels[:, :, 1] = LABELS.T
    source = make(tmp_path, voxels, file_ending='.nii.gz')
    found = list(nnunet.read(source / 'dataset.json'))
    assert [a.image for a in found] == ['a_slice_0', 'a_slice_1']
    assert found[0].spacing == (3, 2, 1)
    high = drawn_map(found[1], (3, 2), NAMES)
    assert high.tolist() == [[0, 255, 1], [2, 255, 255]]
    assert len(list(nnunet.read(source, axis='sagittal'))) == 3


@given(label_maps(5, np.uint8), st.permutations(range(5)), st.booleans())
@MODEST
def test_round_trip(
    tmp_path: Path, labels: Any, numbers: Any, older: bool
) -> None:
    names = ['a', 'b b', 'ü', 'd', 'ignore']
    table = dict(zip(names, numbers, strict=True))
    if older:
        table = {str(number): name for name, number in table.items()}
    stored = np.array(numbers, np.uint8)[labels]
    (found,) = nnunet.read(make(tmp_path, stored, labels=table))
    size = labels.shape[::-1]
    assert (found.image, found.size) == ('a_0000.png', size)
    labels[labels == 4] = 255
    np.testing.assert_array_equal(drawn_map(found, size, names[:4]), labels)


def test_tiffs_other_channels_and_folders(tmp_path: Path) -> None:
    source = make(tmp_path, file_ending='.tif')
    (source / 'labelsTr').rename(source / 'labelsTs')
    (found,) = nnunet.read(source, channel=1, labels='labelsTs')
    assert found.image == 'a_0001.tif'
    assert drawn_map(found, (3, 2), NAMES).tolist() == [
        [0, 255, 1], [2, 255, 255]
    ]  # fmt: skip


@pytest.mark.parametrize(
    ('changes', 'problem'),
    [
        ({'labels': {'background': 0, 'whole': [1, 2], 'core': 2}},
         r"dataset\.json: labels\['whole'\]: expected one number, got \[1, 2\]"
         ': regions that overlap are not supported; name each number'),
        ({'labels': {'background': 0, 'a': 1, 'b': [1]}},
         r"labels\['b'\]: 1 is the number of 'a' already"),
        ({'labels': {'background': 0, 'road': 1}},
         r"a\.png: value 2: 2 is not in the labels of .*dataset\.json: {0: '"),
        ({'labels': {'x': 'road'}},
         r"labels\['x'\]: expected a whole number, got 'x'"),
        ({'file_ending': '.nrrd'},
         r"file_ending: expected one of \.nii, .* got '\.nrrd'; convert"),
        ({'file_ending': '.nii'}, r'labelsTr: no \*\.nii in the folder'),
        ({'dataset': {'a': {'label': 'x'}}}, 'dataset: paths of single cases'),
    ],
)  # fmt: skip
def test_refused(tmp_path: Path, changes: Any, problem: str) -> None:
    source = make(tmp_path)
    content = DATASET | changes
    (source / 'dataset.json').write_text(json.dumps(content))
    with pytest.raises(FormatError, match=problem):
        list(nnunet.read(source))


def test_a_missing_folder_of_labels_is_named(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r'--option labels=FOLDER'):
        list(nnunet.read(make(tmp_path), labels='labelsXx'))


@given(st.integers(0, 2**32))
@MODEST
def test_fuzz(tmp_path: Path, seed: int) -> None:
    path = make(tmp_path) / 'dataset.json'

    def read(path: Path, **options: Any) -> Any:
        found = list(nnunet.read(path, **options))
        assert all(a.files == (str(path),) for a in found)
        return []

    for turn in range(2):
        fuzz_json(read, path, DATASET, seed + turn)
