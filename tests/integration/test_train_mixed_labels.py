"""Images labelled in every way train together, from the shipped config."""

import json

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmseg.registry import DATASETS
from PIL import Image

from tests.helpers import tiny

KINDS = {
    'm': 'dense', 's': 'scribble thing', 'p': 'point', 'b': 'block',
    't': 'tag thing, other', 'u': 'tag other',
}  # fmt: skip


@pytest.fixture
def config(tmp_path):
    """Write own data and a config of a user's over the shipped one."""
    rng = np.random.default_rng(0)
    for name in (*KINDS, 'v'):
        split, labels = ('val', 'masks') if name == 'v' else ('train', '')
        image = rng.integers(0, 256, (80, 96, 3), dtype=np.uint8)
        path = tmp_path / 'images' / split / f'{name}.jpg'
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
        if KINDS.get(name, '').startswith('tag'):
            continue
        mask = rng.integers(0, 3, (80, 96), dtype=np.uint8)
        if KINDS.get(name) == 'point':
            mask[:] = 255
            mask[40, 48] = 1
        path = tmp_path / (labels or 'labels') / split / f'{name}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).save(path)
    (tmp_path / 'train.txt').write_text(
        ''.join(f'{name} {kind}\n' for name, kind in KINDS.items())
    )
    user = tmp_path / 'user.py'
    user.write_text(f"""
_base_ = 'mmseg_sparse::_base_/datasets/custom_sparse.py'
classes = {tiny.CLASSES!r}
train_dataloader = dict(num_workers=0, persistent_workers=False,
    dataset=dict(data_root={str(tmp_path)!r}, classes=classes))
val_dataloader = dict(num_workers=0, persistent_workers=False,
    dataset=dict(data_root={str(tmp_path)!r}, classes=classes))
test_dataloader = val_dataloader
""")
    return Config.fromfile(user)


def test_a_user_config_trains_and_validates(config, tmp_path):
    run = tiny.config(tmp_path) | dict(
        train_dataloader=config.train_dataloader,
        val_dataloader=config.val_dataloader,
        train_cfg=dict(
            type='IterBasedTrainLoop', max_iters=2, val_interval=2
        ),
    )  # fmt: skip
    run['model']['data_preprocessor']['size'] = (512, 512)
    tiny.train(run, tmp_path / 'work')
    (log,) = (tmp_path / 'work').rglob('scalars.json')
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    assert 'mIoU' in rows[-1]


@pytest.mark.parametrize('workers', [0, 2])
def test_batches_keep_what_each_image_has(config, workers):
    config.train_dataloader.update(num_workers=workers, batch_size=6)
    config.train_dataloader.sampler = dict(
        type='DefaultSampler', shuffle=False
    )
    loader = Runner.build_dataloader(config.train_dataloader)
    (batch,) = loader
    samples = batch['data_samples']
    kinds = [kind.partition(' ')[0] for kind in KINDS.values()]
    assert [s.supervision for s in samples] == kinds
    labeled = [(s.gt_sem_seg.data != 255).any().item() for s in samples]
    assert labeled == [True, True, True, True, False, False]
    tags = {
        name: s.gt_label.tolist()
        for name, s in zip(KINDS, samples, strict=True)
        if 'gt_label' in s
    }
    # No class is called background: all three are tags. s lists one of them
    # and has pixels of all.
    assert tags == {'s': [1, 1, 1], 't': [0, 1, 1], 'u': [0, 0, 1]}
    assert samples[4].gt_label.dtype == torch.float32


def test_strong_and_weak_branches_share_one_list(config):
    item = config.train_dataloader.dataset
    sizes = {}
    for name, kinds in (('strong', 'dense'), ('weak', ['tag'])):
        one = item | dict(filter_cfg=dict(supervision=kinds))
        sizes[name] = len(DATASETS.build(one))
    assert sizes == {'strong': 1, 'weak': 2}
