"""Toy images, models that know nothing, and the tool run on them."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmseg.registry import MODELS

import mmseg_sparse.models.decode_heads
from mmseg_sparse.labels import make_toy_dataset
from tests.helpers.shipped import REPOSITORY
from tests.helpers.tools import load

assert mmseg_sparse.models.decode_heads  # registers BLPHead
BASE = REPOSITORY / (
    'configs/demo/ce_mit-tiny_segformer_1xb8-2k_toy-scribble-64x64.py'
)
HEAD = dict(
    type='BLPHead', in_channels=[16, 32, 80, 128], in_index=[0, 1, 2, 3],
    channels=8, num_classes=7, norm_cfg=dict(type='BN'),
    local_aggregation=False, self_training_begin=None,
    loss_decode=dict(type='CrossEntropyLoss'),
)  # fmt: skip


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Toy images, and a config and a checkpoint of either kind."""
    root = tmp_path_factory.mktemp('preference')
    make_toy_dataset(root / 'data', num_train=5, num_val=2)
    for name in ('blp', 'ce'):
        cfg = Config.fromfile(BASE)
        for split in ('train', 'val', 'test'):
            cfg[f'{split}_dataloader'].dataset.data_root = 'data'
        if name == 'blp':
            cfg.model.type = 'SparseEncoderDecoder'
            cfg.model.decode_head = HEAD
            cfg.custom_imports.imports.append(
                'mmseg_sparse.models.decode_heads'
            )
        cfg.dump(root / f'{name}_x.py')
        torch.manual_seed(0)
        model = MODELS.build(cfg.model)
        for parameter in model.parameters():
            parameter.data += 0.1 * torch.randn_like(parameter)
        state = dict(state_dict=model.state_dict(), meta={})
        torch.save(state, root / f'{name}.pth')
    return root


@pytest.fixture
def run(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., str]:
    """Run the tool; return what it prints."""
    monkeypatch.chdir(folder)

    def tool(*arguments: str) -> str:
        load('label_preference').main(arguments)
        return capsys.readouterr().out

    return tool
