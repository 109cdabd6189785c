"""What a training depends on, and whether it is done."""

import hashlib

import pytest
import torch
from mmengine.config import Config

from mmseg_sparse.engine.training_run import (
    last_checkpoint,
    last_name,
    portable_settings,
    run_tool,
    to_json,
    weight_digests,
)
from mmseg_sparse.utils.stages import StageError


def test_weights_count_by_content(tmp_path):
    paths = [tmp_path / name for name in ('a.pth', 'b.pth', 'gone.pth')]
    for path in paths[:2]:
        path.write_text(path.name)
    files = [str(path) for path in paths]
    init = dict(type='Pretrained', checkpoint=files[0])
    model = dict(heads=[dict(init_cfg=init)], pretrained=files[2])
    cfg = Config(
        dict(
            model=model,
            load_from=files[1],
            hub=dict(checkpoint='torchvision://resnet50'),
            default_hooks=dict(checkpoint=dict(interval=2)),
        )
    )
    found = weight_digests(cfg, {files[2]: 'old'}, 'own.py')
    assert found == {
        files[0]: hashlib.sha256(b'a.pth').hexdigest(),
        files[1]: hashlib.sha256(b'b.pth').hexdigest(),
        files[2]: 'old',
    }
    with pytest.raises(FileNotFoundError, match=r'own\.py: .*gone\.pth'):
        weight_digests(cfg, {}, 'own.py')


def test_settings_without_paths_that_may_change(tmp_path):
    root = f'{tmp_path}/data/é'
    cfg = Config(dict(data_root=root, work_dir='a', seed=1))
    found = portable_settings(cfg, {'DATA': tmp_path / 'data'})
    assert found == dict(data_root='DATA/é', seed=1)


def test_a_tool_that_fails_is_named_with_its_log(tmp_path):
    log = tmp_path / 'log.txt'
    with pytest.raises(StageError, match=r'no_such a ended with .*log\.txt'):
        run_tool('no_such', ['a'], log=log)
    assert "no tool 'no_such'" in log.read_text()


@pytest.mark.parametrize(
    ('train', 'name'),
    [
        (dict(type='IterBasedTrainLoop', max_iters=40), 'iter_40.pth'),
        (dict(by_epoch=True, max_epochs=3), 'epoch_3.pth'),
    ],
)
def test_a_training_is_done_with_its_last_checkpoint(tmp_path, train, name):
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
