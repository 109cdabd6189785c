"""The doctor finds values that do not mean what the config says."""

from pathlib import Path

import numpy as np

from mmseg_sparse.doctor import diagnose, examine, from_folder
from tests.helpers.sick_labels import (
    CLASSES,
    as_zero,
    change,
    config,
    config_findings,
    findings,
    healthy,
    one,
    save,
    strokes,
)


def test_values_that_are_no_class(tmp_path: Path) -> None:
    root = healthy(tmp_path)
    labels = strokes(1)
    labels[0, :5] = (3, 3, 7, 254, 254)
    save(root / 'scribbles/b.png', labels)
    finding = one(findings(root), 'out-of-range')
    assert finding.severity == 'error'
    assert finding.files == (
        (str(root / 'scribbles/b.png'),
         '3 (2 pixels), 7 (1 pixel), 254 (2 pixels)'),
    )  # fmt: skip
    assert '0 to 2 are classes' in finding.message
    assert 'label_map' in finding.mend


def test_a_label_map_that_does_not_name_every_value(tmp_path: Path) -> None:
    root = healthy(tmp_path)
    cfg = config(
        root, type='SparseSegDataset', classes=CLASSES, metainfo=None,
        label_map={0: 0, 1: 2},
    )  # fmt: skip
    dataset = cfg['train_dataloader']['dataset']
    del dataset['metainfo']
    found = config_findings(cfg)
    # stock loading knows nothing of label_map
    assert set(found) == {'out-of-range', 'class-never-labelled', 'refused'}
    dataset['pipeline'] = [
        dict(type='LoadImageFromFile'),
        dict(type='LoadSparseAnnotations'),
        dict(type='PackSparseInputs'),
    ]
    found = config_findings(cfg)
    assert set(found) == {'out-of-range', 'class-never-labelled'}
    assert '2 (16 pixels)' in found['out-of-range'].message
    assert 'tree' in found['class-never-labelled'].message


def test_classes_that_count_from_one_with_zero_for_no_label(
    tmp_path: Path,
) -> None:
    root = healthy(tmp_path)
    change(root, as_zero)
    finding = one(findings(root), 'reduce-zero-label-missing')
    assert finding.mend == 'dataset=dict(reduce_zero_label=True)'
    assert finding.count == 4
    assert findings(root, reduce_zero_label=True) == {}
    assert config_findings(config(root, reduce_zero_label=True)) == {}


def test_classes_that_count_from_one_with_255_for_no_label(
    tmp_path: Path,
) -> None:
    root = healthy(tmp_path)
    change(root, lambda x: np.where(x == 255, x, x + 1).astype(np.uint8))
    found = findings(root)
    assert 'reduce-zero-label-missing' in found
    assert findings(root, reduce_zero_label=True) == {}


def test_zero_for_no_label_without_the_last_class(tmp_path: Path) -> None:
    root = healthy(tmp_path)
    classes = (*CLASSES, 'car')
    change(root, as_zero)
    found = findings(root, classes=classes)
    assert set(found) == {'zero-unlabelled'}
    assert found['zero-unlabelled'].severity == 'error'
    # 12 of 192 pixels of each image are labelled.
    assert '0 covers 93.8 % of the pixels' in found['zero-unlabelled'].message
    assert 'label-images' in found['zero-unlabelled'].mend


def test_zero_as_background_of_dense_masks_is_no_finding(
    tmp_path: Path,
) -> None:
    root = healthy(tmp_path)
    change(root, lambda x: np.where(x == 255, 0, x).astype(np.uint8))
    (root / 'scribbles').rename(root / 'masks')
    data = from_folder(root / 'masks', classes=CLASSES)
    assert diagnose(examine(data)) == []


def test_reduce_zero_label_too_much(tmp_path: Path) -> None:
    root = healthy(tmp_path)
    found = config_findings(config(root, reduce_zero_label=True))
    assert set(found) == {'reduce-zero-label-excess', 'class-never-labelled'}
    finding = found['reduce-zero-label-excess']
    assert finding.mend == 'dataset=dict(reduce_zero_label=False)'


def test_the_loader_contradicts_the_dataset(tmp_path: Path) -> None:
    root = healthy(tmp_path)
    loader = dict(type='LoadAnnotations', reduce_zero_label=True)
    found = config_findings(config(root, loader))
    assert set(found) == {'refused'}
    assert 'True in the transform' in found['refused'].message


def test_zero_is_the_background_of_pseudo_labels(tmp_path: Path) -> None:
    """Mostly class 0 and no 255: masks without a doubt, not strokes."""
    root = healthy(tmp_path)
    change(root, as_zero)
    assert 'zero-unlabelled' in findings(root, classes=(*CLASSES, 'car'))
    (root / 'scribbles').rename(root / 'pseudo')
    (root / 'scribbles').symlink_to(root / 'pseudo')
    found = diagnose(
        examine(from_folder(root / 'pseudo', classes=(*CLASSES, 'car')))
    )
    assert 'zero-unlabelled' not in {f.code for f in found}
