"""What the config of a stage reads counts, by content and not by place."""

import pytest
from mmengine.config import Config

from mmseg_sparse.datasets.supervision import ImageEntry
from mmseg_sparse.engine.stage_configs import (
    last_checkpoint,
    last_name,
    masks_digest,
    steps_of,
    to_json,
    weight_digests,
)


def entries(**kinds):
    return [
        ImageEntry(name, kind, f'list.txt:{line}')
        for line, (name, kind) in enumerate(kinds.items(), 1)
    ]


def config(*roots, **prefix):
    datasets = [
        dict(
            type='SparseSegDataset',
            classes=('a', 'b'),
            data_root=str(root),
            data_prefix=dict(seg_map_path='masks', **prefix),
            seg_map_suffix='_m.png',
        )
        for root in roots
    ]
    joined = dict(type='ConcatDataset', datasets=datasets)
    return Config(dict(train_dataloader=dict(dataset=joined)))


def test_masks_of_strong_images_count_wherever_they_are(tmp_path):
    for root, name in (('one', 'a'), ('two', 'b'), ('two', 'c')):
        path = tmp_path / root / 'masks' / f'{name}_m.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    cfg = config(tmp_path / 'one', tmp_path / 'two')
    kinds = entries(a='dense', b='dense', c='tag')
    first = masks_digest(cfg, kinds)
    (tmp_path / 'two/masks/c_m.png').write_bytes(b'weak')
    assert masks_digest(cfg, kinds) == first
    (tmp_path / 'two').rename(tmp_path / 'three')
    cfg = config(tmp_path / 'one', tmp_path / 'three')
    assert masks_digest(cfg, kinds) == first
    (tmp_path / 'three/masks/b_m.png').write_bytes(b'other')
    assert masks_digest(cfg, kinds) != first
    (tmp_path / 'three/masks/b_m.png').unlink()
    wanted = r'list\.txt:2: b is dense, but there is no mask .*one.masks.b_m'
    with pytest.raises(FileNotFoundError, match=wanted):
        masks_digest(cfg, kinds)


def test_strong_images_may_have_a_folder_of_their_own(tmp_path):
    (tmp_path / 'gold').mkdir()
    (tmp_path / 'gold/a_m.png').write_bytes(b'a')
    cfg = config(tmp_path, dense='gold')
    assert masks_digest(cfg, entries(a='dense'))


def test_weights_in_files_count_by_their_content(tmp_path):
    path = tmp_path / 'w.pth'
    path.write_bytes(b'1')
    init = dict(type='Pretrained', checkpoint=str(path))
    cfg = dict(
        model=dict(heads=[dict(init_cfg=init)]),
        load_from='https://example.org/w.pth',
        default_hooks=dict(checkpoint=dict(interval=2)),
    )
    first = weight_digests(cfg)
    assert [*first] == [str(path)]
    path.write_bytes(b'2')
    assert weight_digests(cfg) != first
    assert [*weight_digests(dict(load_from=str(path)))] == [str(path)]


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
    with pytest.raises(ValueError, match=r'own\.py: wanted max_iters or'):
        last_name(cfg, 'own.py')


def test_json_keeps_letters():
    assert to_json(dict(path='/d/é')) == '{"path": "/d/é"}'
