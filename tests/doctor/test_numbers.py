"""The doctor's numbers, by hand."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmseg_sparse.doctor import (
    diagnose,
    examine,
    from_config,
    from_folder,
    report_dict,
    report_text,
)
from tests.helpers.sick_labels import (
    CLASSES,
    config,
    healthy,
    look,
    save,
    square,
    strokes,
)


def compared(root: Path) -> Path:
    """One image with a square, and five labels: one wrong, one on void."""
    dense = square()
    dense[6] = 255
    labels = np.full((7, 11), 255, np.uint8)
    labels[3, 7] = 1  # the middle of the square: distance 3 of 3
    labels[1, 5] = 1  # its corner: 1 of 3
    labels[0, 0] = 0  # the farthest of class 0
    labels[2, 6] = 2  # wrong: the square, 2 of 3
    labels[6, 3] = 0  # on void
    save(root / 'masks/a.png', dense)
    save(root / 'points/a.png', labels)
    (root / 'images').mkdir()
    Image.new('RGB', (11, 7)).save(root / 'images/a.jpg')
    return root


def test_labels_beside_a_dense_mask(tmp_path: Path) -> None:
    data = from_folder(compared(tmp_path) / 'points', classes=CLASSES)
    assert data.dense == str(tmp_path / 'masks')
    found = examine(data)
    findings = diagnose(found)
    report = json.loads(json.dumps(report_dict(found, findings)))
    assert report['dense'] == {
        'folder': str(tmp_path / 'masks'), 'images': 1, 'compared': 4,
        'wrong': 1, 'on_void': 1,
    }  # fmt: skip
    sky, tree, road = report['classes']
    assert (sky['compared'], sky['wrong']) == (1, 0)
    assert (tree['compared'], tree['wrong'], tree['images']) == (2, 0, 1)
    assert (road['compared'], road['wrong_share']) == (1, 1.0)
    # Labels in the square, by the class of the mask: 1, 1/3 and 2/3; of all
    # of its pixels: 16 of 1/3, 8 of 2/3, 1 of 1. Void lies below it.
    assert tree['mean_distance']['labeled'] == pytest.approx(2 / 3)
    assert tree['mean_distance']['all'] == pytest.approx(
        (16 / 3 + 16 / 3 + 1) / 25
    )
    assert road['mean_distance'] == {'labeled': None, 'all': None}
    position = report['position']
    bins = {k: n for k, n in enumerate(position['labeled']) if n}
    assert bins == {6: 1, 13: 1, 19: 2}
    assert sum(position['all']) == 66
    assert position['mean_labeled'] == pytest.approx(
        (1 + 1 + 1 / 3 + 2 / 3) / 4
    )
    codes = {f.code: f for f in findings}
    assert set(codes) == {'disagrees', 'labels-on-void', 'position-bias'}
    assert codes['disagrees'].severity == 'warning'
    assert codes['disagrees'].message.startswith('25.0 % of the labelled')
    assert (
        codes['disagrees'].files[0][1] == '25.0 % of 4 labelled pixels wrong'
    )
    assert '20.0 %' in codes['labels-on-void'].message


@pytest.mark.parametrize(
    ('kinds', 'severity'),
    [(['pseudo'] * 2, 'note'), (['pseudo', 'point'], 'error')],
)
def test_models_may_err(kinds: list, severity: str, tmp_path: Path) -> None:
    for name in 'ab':
        save(tmp_path / 'masks' / f'{name}.png', square())
        save(tmp_path / 'points' / f'{name}.png', (square() + 1) % 3)
        (tmp_path / 'images').mkdir(exist_ok=True)
        Image.new('RGB', (11, 7)).save(tmp_path / f'images/{name}.jpg')
    data = from_folder(tmp_path / 'points', classes=CLASSES)
    items = [
        replace(item, supervision=kind)
        for item, kind in zip(data.items, kinds, strict=True)
    ]
    found = {f.code: f for f in diagnose(examine(replace(data, items=items)))}
    assert found['disagrees'].message.startswith('100.0 %')
    assert found['disagrees'].severity == severity
    assert ('--min-confidence' in found['disagrees'].mend) == (
        severity == 'note'
    )


def test_labels_of_a_shifted_numbering_are_an_error(tmp_path: Path) -> None:
    root = healthy(tmp_path)
    for index, name in enumerate('abcd'):
        labels = strokes(index)
        dense = np.arange(192).reshape(12, 16) // 64
        known = labels != 255
        dense[known] = (labels[known] + 2) % 3
        save(root / 'masks' / f'{name}.png', dense.astype(np.uint8))
    found = {f.code: f for f in diagnose(look(root))}
    assert found['disagrees'].severity == 'error'
    assert found['disagrees'].message.startswith('100.0 % of')
    assert 'one above the masks' in found['disagrees'].mend
    # No class has 20 labelled pixels: too few to call it exchanged.
    assert 'class-elsewhere' not in found


def test_exchanged_classes_are_named(tmp_path: Path) -> None:
    root = healthy(tmp_path)
    for index, name in enumerate('abcd'):
        labels = np.full((12, 16), 255, np.uint8)
        labels[index, :10], labels[5, :10], labels[9, :10] = 0, 1, 2
        save(root / 'scribbles' / f'{name}.png', labels)
        mask = np.zeros((12, 16), np.uint8)
        mask[5:8], mask[8:] = 2, 1
        save(root / 'masks' / f'{name}.png', mask)
    found = {f.code: f for f in diagnose(look(root))}
    assert 'tree is road (100.0 %), road is tree (100.0 %)' in (
        found['class-elsewhere'].message
    )
    assert found['disagrees'].message.startswith('66.7 % of')


def test_masks_that_are_missing_or_of_another_size(tmp_path: Path) -> None:
    root = healthy(tmp_path)
    for index, name in enumerate('abc'):
        labels = strokes(index)
        labels[labels == 255] = 0
        save(root / 'masks' / f'{name}.png', labels)
    save(root / 'masks/b.png', np.zeros((12, 8), np.uint8))
    (root / 'masks/c.png').write_bytes(b'')
    found = {f.code: f for f in diagnose(look(root))}
    per_file = {'dense-missing', 'dense-size', 'dense-unreadable'}
    assert set(found) - {'position-bias'} == per_file
    assert {found[code].count for code in per_file} == {1}
    assert diagnose(look(root, dense='')) == []


def test_the_report_by_hand(tmp_path: Path) -> None:
    root = healthy(tmp_path)
    labels = np.full((12, 16), 255, np.uint8)
    labels[0, :6], labels[1, :2] = 0, 2
    save(root / 'scribbles/a.png', labels)
    save(root / 'scribbles/b.png', np.full((12, 16), 255, np.uint8))
    (root / 'scribbles/c.png').write_bytes(b'')
    found = examine(from_config(config(root), title='mine'))
    findings = diagnose(found)
    report = json.loads(json.dumps(report_dict(found, findings)))
    assert (report['images'], report['label_files']) == (4, 3)
    assert report['images_without_label'] == 1
    # a has 8 labelled pixels; d has 3 strokes of 4; of 3 x 12 x 16.
    assert (report['pixels'], report['labeled_pixels']) == (576, 20)
    assert report['labeled_share'] == pytest.approx(20 / 576)
    assert report['values'] == {'0': 10, '1': 4, '2': 6, '255': 556}
    assert [row['images'] for row in report['classes']] == [2, 1, 2]
    assert [row['share'] for row in report['classes']] == [0.5, 0.2, 0.3]
    assert report['dense'] is report['position'] is None
    assert (report['errors'], report['warnings'], report['notes']) == (1, 1, 0)
    assert [f['code'] for f in report['findings']] == [
        'unreadable', 'no-label',
    ]  # fmt: skip
    text = report_text(report)
    assert '4 images, 3 readable label files; 3.47 % of their' in text
    assert '   0 sky         2           10   50.0 %\n' in text
    assert f'    {root}/scribbles/c.png: no picture\n' in text
    assert '1 error, 1 warning, 0 notes' in text


def test_many_processes_find_the_same(tmp_path: Path) -> None:
    root = healthy(tmp_path)
    (root / 'scribbles/b.png').write_bytes(b'')
    seen: list[tuple[int, int]] = []
    data = from_folder(root / 'scribbles', classes=CLASSES)
    alone = examine(data)
    pooled = examine(data, workers=2, progress=lambda *n: seen.append(n))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert report_dict(alone, diagnose(alone)) == report_dict(
        pooled, diagnose(pooled)
    )
    with pytest.raises(ValueError, match=r'workers .* got -1'):
        examine(data, workers=-1)


def test_camvid_agrees_with_its_masks(data_root: Path) -> None:
    folder = data_root / 'camvid/points/train'
    data = from_folder(folder, classes=tuple('abcdefghijk'))
    data.items = data.items[:20]
    found = examine(data)
    assert found.agreement.images == 20
    assert found.agreement.disagreeing == 0
    means = found.agreement.mean_distance()
    assert means is not None
    assert means[0] > means[1] + 0.1  # clicks are central
