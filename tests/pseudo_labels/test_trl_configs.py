"""What the config of a stage reads counts, by content and not by place."""

import pytest
from mmengine.config import Config

from mmseg_sparse.labels.image_list import ImageEntry
from mmseg_sparse.pseudo_labels.trl_configs import (
    masks_digest,
    steps_of,
    training_dataset,
    without_images,
)


def entries(**kinds):
    return [
        ImageEntry(name, kind, f'list.txt:{line}')
        for line, (name, kind) in enumerate(kinds.items(), 1)
    ]


def dataset(root, **prefix):
    node = dict(
        type='SparseSegDataset',
        classes=('a', 'b'),
        data_root=str(root),
        data_prefix=dict(seg_map_path='masks', **prefix),
        seg_map_suffix='_m.png',
    )
    return without_images(node)


def test_masks_of_strong_images_count_wherever_they_are(tmp_path):
    masks = tmp_path / 'one/masks'
    masks.mkdir(parents=True)
    for name in 'abc':
        (masks / f'{name}_m.png').write_bytes(name.encode())
    kinds = entries(a='dense', b='dense', c='tag')
    first = masks_digest(dataset(tmp_path / 'one'), kinds)
    (masks / 'c_m.png').write_bytes(b'weak')
    assert masks_digest(dataset(tmp_path / 'one'), kinds) == first
    (tmp_path / 'one').rename(tmp_path / 'two')
    moved = dataset(tmp_path / 'two')
    assert masks_digest(moved, kinds) == first
    (tmp_path / 'two/masks/b_m.png').write_bytes(b'other')
    assert masks_digest(moved, kinds) != first
    (tmp_path / 'two/masks/b_m.png').unlink()
    wanted = r'list\.txt:2: b is dense, but there is no mask .*two.masks.b_m'
    with pytest.raises(FileNotFoundError, match=wanted):
        masks_digest(moved, kinds)


def test_strong_images_may_have_a_folder_of_their_own(tmp_path):
    (tmp_path / 'gold').mkdir()
    (tmp_path / 'gold/a_m.png').write_bytes(b'a')
    assert masks_digest(dataset(tmp_path, dense='gold'), entries(a='dense'))


def test_a_list_is_of_one_data_set():
    node = dict(type='ConcatDataset', datasets=[dict(type='A')] * 2)
    cfg = Config(dict(train_dataloader=dict(dataset=node)))
    with pytest.raises(ValueError, match=r'own\.py: expected .*one.*, got 2'):
        training_dataset(cfg, 'own.py')
    with pytest.raises(ValueError, match='got 0'):
        training_dataset(Config(dict(model=dict())))


def test_steps_are_found_by_name_scope_or_class():
    class LoadHeatmaps:
        pass

    steps = [
        dict(type='LoadHeatmaps', root='a'),
        dict(type='mmseg.LoadHeatmaps', root='b'),
        dict(type=LoadHeatmaps, root='c'),
        dict(type='LoadHeatmapsToo', root='d'),
        dict(type=None, root='e'),
    ]
    node = dict(a=[dict(type='Wrap', transforms=steps)])
    assert [s['root'] for s in steps_of(node, 'LoadHeatmaps')] == [*'abc']
