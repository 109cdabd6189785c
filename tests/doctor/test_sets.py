"""The doctor finds what is wrong with a data set, and nothing else."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from mmseg_sparse.doctor import examine, from_config, from_folder
from tests.helpers.own_data import write_sidecar
from tests.helpers.sick_labels import (
    CLASSES,
    NAMES,
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


@pytest.mark.parametrize(('kind', 'sick'), [
    ('scribble', True), ('point', True), ('block', True), ('dense', False),
    ('words', False),
])  # fmt: skip
def test_dense_masks_where_sparse_labels_are_announced(
    kind: str, sick: bool, tmp_path: Path
) -> None:
    root = healthy(tmp_path)
    for index, name in enumerate(NAMES):
        labels = strokes(index)
        labels[:, 2:] = index % 3
        labels[0, :3] = (0, 1, 2)
        save(root / 'scribbles' / f'{name}.png', labels)
    (root / 'scribbles').rename(root / kind)
    cfg = config(root, data_prefix=dict(img_path='images', seg_map_path=kind))
    found = config_findings(cfg)
    assert set(found) == ({'dense-where-sparse'} if sick else set())
    if sick:
        assert f'simulate_labels {kind}s' in found['dense-where-sparse'].mend
        # The name of a config announces as well.
        cfg_of = config_findings(cfg, title='ce_x_voc12-dense-512x512')
        assert cfg_of == {}


def test_strokes_where_dense_masks_are_announced(tmp_path: Path) -> None:
    cfg = config(healthy(tmp_path))
    cfg['val_dataloader'] = cfg['train_dataloader']
    finding = one(config_findings(cfg, 'val'), 'sparse-where-dense')
    assert '6.25 % of an image (median)' in finding.message


def test_images_and_classes_without_labels(tmp_path: Path) -> None:
    root = healthy(tmp_path)
    save(root / 'scribbles/c.png', np.full((12, 16), 255, np.uint8))
    save(root / 'scribbles/a.png', np.full((12, 16), 255, np.uint8))
    found = findings(root, classes=(*CLASSES, 'car', 'dog'))
    assert set(found) == {'no-label', 'class-never-labelled'}
    assert [Path(f).name for f, _ in found['no-label'].files] == [
        'a.png', 'c.png',
    ]  # fmt: skip
    assert found['class-never-labelled'].message.endswith(': car, dog')
    assert {f.severity for f in found.values()} == {'warning'}


def test_label_files_without_image(tmp_path: Path) -> None:
    root = healthy(tmp_path)
    save(root / 'scribbles/z.png', strokes(9))
    for found in (findings(root), config_findings(config(root))):
        finding = one(found, 'label-without-image')
        assert finding.files == ((str(root / 'scribbles/z.png'), ''),)


def test_what_is_there_twice(tmp_path: Path) -> None:
    root = healthy(tmp_path)
    shutil.copy(root / 'scribbles/a.png', root / 'scribbles/d.png')
    shutil.copy(root / 'images/a.jpg', root / 'images/c.jpg')
    found = findings(root)
    assert set(found) == {'same-labels', 'same-images'}
    assert found['same-labels'].files == (
        (str(root / 'scribbles/a.png'),
         f'the same as {root / "scribbles/d.png"}'),
    )  # fmt: skip
    assert found['same-images'].count == 1
    assert found['same-images'].message.startswith('2 images are copies')


def test_an_image_that_is_listed_or_labelled_twice(tmp_path: Path) -> None:
    root = healthy(tmp_path)
    (root / 'list.txt').write_text('a\nb\na\n')
    finding = one(config_findings(config(root, ann_file='list.txt')), 'twice')
    assert finding.files == ((str(root / 'images/a.jpg'), ''),)
    save(root / 'scribbles/a.bmp', strokes(8))
    finding = one(findings(root), 'twice')
    assert [Path(f).name for f, _ in finding.files] == ['a.bmp', 'a.png']


def test_nothing_to_examine(tmp_path: Path) -> None:
    root = healthy(tmp_path)
    for path in (root / 'scribbles').iterdir():
        path.unlink()
    shutil.rmtree(root / 'images')
    assert one(findings(root), 'empty').severity == 'error'


def test_a_dataset_that_names_no_labels(tmp_path: Path) -> None:
    cfg = config(healthy(tmp_path), data_prefix=dict(img_path='images'))
    found = config_findings(cfg)
    assert one(found, 'no-label-folder').severity == 'error'


def test_a_dataset_that_refuses(tmp_path: Path) -> None:
    cfg = config(healthy(tmp_path), ann_file='nowhere.txt')
    found = config_findings(cfg)
    assert set(found) == {'refused'}
    assert 'nowhere.txt' in found['refused'].message


def test_unknown_classes_are_a_note(tmp_path: Path) -> None:
    found = findings(healthy(tmp_path), classes=(), palette=())
    assert one(found, 'classes-unknown').severity == 'note'


def test_a_label_folder_says_classes_and_kinds(tmp_path: Path) -> None:
    root = healthy(tmp_path)
    images = {n: dict(supervision='scribble', tags=[]) for n in NAMES[:3]}
    images['d'] = dict(supervision='tag', tags=['tree', 'road'])
    (root / 'scribbles/d.png').unlink()
    write_sidecar(root / 'scribbles/labels.json', CLASSES, images)
    data = from_folder(root / 'scribbles')
    assert data.classes == CLASSES
    assert [item.supervision for item in data.items] == [
        *['scribble'] * 3, 'tag',
    ]  # fmt: skip
    assert examine(data).images[:3].tolist() == [3, 4, 4]


def test_joined_data_sets_are_read_each_in_its_way(tmp_path: Path) -> None:
    first = config(healthy(tmp_path / '1'))['train_dataloader']['dataset']
    second = config(healthy(tmp_path / '2'), reduce_zero_label=True)
    change(tmp_path / '2', as_zero)
    both = dict(
        type='ConcatDataset',
        datasets=[first, second['train_dataloader']['dataset']],
    )
    cfg = dict(train_dataloader=dict(
        dataset=dict(type='RepeatDataset', times=3, dataset=both)
    ))  # fmt: skip
    found = examine(from_config(cfg))
    assert len(found.files) == 8
    assert found.pixels[:4].tolist() == [32, 32, 32, 0]
