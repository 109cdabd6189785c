"""The doctor finds labels of one class, and strokes near other classes."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmseg_sparse.doctor import Finding, diagnose, examine, from_folder
from mmseg_sparse.doctor.measure import nearness
from tests.helpers.sick_labels import save

CLASSES = ('background', 'organ')


def write(root: Path, distance: int, number: int = 12) -> Path:
    """Write organs of 8 x 8 pixels, and strokes so far from them."""
    for index in range(number):
        mask = np.zeros((60, 80), np.uint8)
        top, left = 26 + index % 3, 36 + index % 4
        mask[top : top + 8, left : left + 8] = 1
        labels = np.full(mask.shape, 255, np.uint8)
        labels[top + 4, left + 2 : left + 6] = 1
        labels[top - distance, left - 5 : left + 13] = 0
        labels[top + 7 + distance, left - 5 : left + 13] = 0
        save(root / f'masks/{index}.png', mask)
        save(root / f'scribbles/{index}.png', labels)
        path = root / f'images/{index}.jpg'
        path.parent.mkdir(exist_ok=True)
        noise = np.random.default_rng(index).integers(0, 255, (60, 80, 3))
        assert cv2.imwrite(str(path), noise.astype(np.uint8))
    return root


def codes(root: Path, **options: object) -> dict[str, Finding]:
    data = from_folder(root / 'scribbles', classes=CLASSES, **options)
    found = {f.code: f for f in diagnose(examine(data))}
    found.pop('same-labels', None)
    return found


@pytest.mark.parametrize('dense', [None, ''])
def test_strokes_near_objects(dense: str | None, tmp_path: Path) -> None:
    found = codes(write(tmp_path, 2), dense=dense)
    assert set(found) == {'labels-near-objects'}
    finding = found['labels-near-objects']
    assert finding.severity == 'warning'
    assert 'background: ' in finding.message
    assert (
        'organ' not in finding.message.partition('(mean')[2].partition(')')[0]
    )
    assert ('this is a guess' in finding.message) == (dense == '')
    for name in ('sasformer', 'gated_crf'):
        assert f'{name}_mit-b0_segformer_1xb8-1k_acdc' in finding.mend
    # With a regularizer the labels are as good as others.
    data = from_folder(tmp_path / 'scribbles', classes=CLASSES, dense=dense)
    data = replace(data, regularized=True)
    severities = {f.code: f.severity for f in diagnose(examine(data))}
    assert severities['labels-near-objects'] == 'note'


@pytest.mark.parametrize('dense', [None, ''])
def test_strokes_far_from_objects(dense: str | None, tmp_path: Path) -> None:
    found = codes(write(tmp_path, 18), dense=dense)
    assert set(found) <= {'position-bias'}
    # Too few images to say anything.
    few = codes(write(tmp_path / 'few', 2, 9), dense=dense)
    assert 'labels-near-objects' not in few


def test_nearness_by_hand() -> None:
    labels = np.full((3, 4), 255, np.uint8)
    labels[0, 0], labels[0, 3] = 1, 0
    labels[0, 1] = 1
    found = nearness(labels, np.bincount(labels.ravel(), minlength=256))
    assert found is not None
    # Labels of class 1 are 3 and 2 from that of class 0, and 5 is the
    # diagonal. Nearer to them are the columns 0 and 1.
    assert (found.index, found.labeled) == (1, pytest.approx(2.5 / 5))
    around = [(3 - x) ** 2 + y**2 for x in (0, 1) for y in range(3)]
    assert found.around == pytest.approx(
        np.sqrt(around).mean() / 5, rel=0.02
    )  # cv2's distances are approximate
    labels[1] = labels[2] = 2  # dense
    assert nearness(labels, np.bincount(labels.ravel(), minlength=256)) is None


def test_labels_of_one_class(tmp_path: Path) -> None:
    root = write(tmp_path, 18)
    for index in range(12):
        path = root / f'scribbles/{index}.png'
        labels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        labels[labels == 0] = 255
        save(path, labels)
        if index == 5:  # in one of twelve images a second class
            labels[0, :40] = 0
            save(root / f'other/{index}.png', labels)
        else:
            save(root / f'other/{index}.png', labels)
    found = codes(root)['one-class']
    assert 'all labels are of one class, organ' in found.message
    (root / 'scribbles').rename(root / 'old')
    (root / 'other').rename(root / 'scribbles')
    found = codes(root)['one-class-images']
    assert (found.severity, found.count) == ('note', 11)
    assert '91.7 % of the images' in found.message
    assert 'although the dense masks have several' in found.message
    found = codes(root, dense='')['one-class-images']
    assert 'it is a guess' in found.message
