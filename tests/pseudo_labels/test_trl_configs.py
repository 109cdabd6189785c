"""What the config of a stage reads counts, by content and not by place."""

import pytest
from mmengine.config import Config

from mmseg_sparse.labels.image_list import ImageEntry
from mmseg_sparse.pseudo_labels.trl_configs import (
    last_checkpoint,
    last_name,
    masks_digest,
    steps_of,
    to_json,
    training_dataset,
    weight_files,
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


def test_files_of_weights_are_found():
    init = dict(type='Pretrained', checkpoint='a/w.pth')
    cfg = dict(
        model=dict(heads=[dict(init_cfg=init)], pretrained=None),
        load_from='b.pth',
        default_hooks=dict(checkpoint=dict(interval=2)),
    )
    assert weight_files(cfg) == ['a/w.pth', 'b.pth']
    assert weight_files(dict(checkpoint='torchvision://resnet50')) == []


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


@pytest.mark.parametrize(
    ('train', 'name'),
    [
        (dict(type='IterBasedTrainLoop', max_iters=40), 'iter_40.pth'),
        (dict(by_epoch=True, max_epochs=3), 'epoch_3.pth'),
    ],
)
def test_a_training_is_done_with_its_last_checkpoint(tmp_path, train, name):
    import torch

    cfg = Config(dict(train_cfg=train))
    assert last_checkpoint(tmp_path, cfg) is None
    torch.save(dict(state_dict={}), tmp_path / name)
    last = tmp_path / 'last_checkpoint'
    last.write_text(f'/elsewhere/{name}')
    assert last_checkpoint(tmp_path, cfg) == name
    last.write_text('/elsewhere/iter_39.pth')
    assert last_checkpoint(tmp_path, cfg) is None
    last.write_text(f'/elsewhere/{name}')
    (tmp_path / name).write_bytes(b'half')
    assert last_checkpoint(tmp_path, cfg) is None


def test_a_config_without_length_is_named():
    cfg = Config(dict(train_cfg=dict(type='Own')))
    with pytest.raises(ValueError, match=r'own\.py: expected max_iters or'):
        last_name(cfg, 'own.py')


@pytest.mark.parametrize('kind', ['InfiniteSampler', 'StrongWeakSampler'])
def test_epochs_that_never_end_are_refused(kind):
    cfg = dict(
        train_cfg=dict(max_epochs=3),
        train_dataloader=dict(sampler=dict(type=f'mmseg.{kind}')),
    )
    with pytest.raises(ValueError, match=f'epoch of {kind} never ends'):
        last_name(Config(cfg))


def test_json_keeps_letters():
    assert to_json(dict(path='/d/é')) == '{"path": "/d/é"}'
