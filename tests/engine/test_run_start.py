"""A run starts with ten lines, and not at all if it would be in vain."""

import re
import uuid
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import RUNNERS
from mmseg.registry import HOOKS

import mmseg_sparse
from mmseg_sparse.engine import (
    CheckedRunner,
    FiniteLossHook,
    InterruptHook,
    RunStartHook,
    launch,
)
from mmseg_sparse.engine.hooks.run_start import RunError
from tests.helpers import tiny
from tests.helpers.own_data import write_labels

LINES = (
    'model', 'data', 'labels', 'schedule', 'validation', 'weights', 'device',
    'output', 'estimate',
)  # fmt: skip


@pytest.fixture
def cfg(tmp_path: Path) -> Config:
    tiny.write_images(tmp_path)
    cfg = Config(tiny.config(tmp_path, log_level='INFO'))
    cfg.work_dir = str(tmp_path / 'run')
    cfg.experiment_name = uuid.uuid4().hex
    cfg.train_cfg.update(max_iters=4, val_interval=100)
    cfg.default_hooks.checkpoint.interval = 4
    return cfg


def start(cfg: Config, **given: bool) -> None:
    runner = launch.build_runner(cfg)
    launch.watch(runner, **given)
    runner.train()


def test_ten_lines_and_a_full_log(
    cfg: Config, capfd: pytest.CaptureFixture
) -> None:
    start(cfg)
    printed = capfd.readouterr().out.splitlines()
    assert [line.partition(':')[0] for line in printed[:9]] == list(LINES)
    said = dict(zip(LINES, printed, strict=False))
    for name, words in (
        ('model', 'SparseEncoderDecoder: MixVisionTransformer, SegformerHead'),
        ('model', 'AttentionAffinityLoss'),
        ('data', '7 images, 3 classes: '),
        ('labels', '% of the pixels, from 7 of 7 label files'),
        ('schedule', '4 iterations of 2 images (1.14 times the data set), '
         'AdamW, learning rate 0.001'),
        ('validation', '2 images every 100 iterations'),
        ('weights', 'random: trained from scratch'),
        ('output', f'{cfg.work_dir}, a checkpoint every 4 iterations; full'),
        ('estimate', 's an iteration after 3: about 0:00:0'),
    ):  # fmt: skip
        assert words in said[name]
    loss = re.search(r'loss (\S+),', said['estimate'])
    assert 0 < float(loss.group(1)) < 10
    assert 'Saving checkpoint' not in ''.join(printed[:9])
    (log,) = Path(cfg.work_dir).glob('*/*.log')
    full = log.read_text()
    for words in ('System environment:', 'Config:', *said.values()):
        assert words in full


def break_classes(cfg: Config) -> None:
    cfg.model.decode_head.num_classes = 19


def break_labels(cfg: Config) -> None:
    folder = Path(cfg.train_dataloader.dataset.data_root, 'labels/train')
    write_labels(folder / '3.png', np.full((80, 96), 9))


def break_validation(cfg: Config) -> None:
    folder = Path(cfg.train_dataloader.dataset.data_root, 'labels/val')
    (folder / '1.png').unlink()


@pytest.mark.parametrize(
    ('spoil', 'words'),
    [
        (break_classes, r'^model\.decode_head\.num_classes is 19'),
        (break_labels, r'^training: values are not a class: 9 .*/3\.png'),
        (break_validation, r'^validation: images have no label file: .*1\.p'),
    ],
)
def test_a_run_in_vain_does_not_start(cfg: Config, spoil, words: str) -> None:
    spoil(cfg)
    with pytest.raises(RunError, match=words):
        start(cfg)
    assert not list(Path(cfg.work_dir).glob('*.pth'))


def test_resumed_runs_do_not_look_unless_asked(
    cfg: Config, capfd: pytest.CaptureFixture
) -> None:
    break_classes(cfg)
    start(cfg, check=False)
    cfg.resume = True
    cfg.train_cfg.max_iters = 5
    cfg.experiment_name = uuid.uuid4().hex
    start(cfg)
    printed = capfd.readouterr().out
    assert printed.count('labels:     not checked\n') == 2
    assert 'weights:    of iteration 4, where this run goes on' in printed
    cfg.experiment_name = uuid.uuid4().hex
    with pytest.raises(RunError, match='num_classes is 19'):
        start(cfg, check=True)


def test_the_base_config_for_stock_tools() -> None:
    cfg = Config.fromfile(
        mmseg_sparse.config('_base_/runtimes/checked_runtime.py')
    )
    assert RUNNERS.get(cfg.runner_type) is CheckedRunner
    kinds = [HOOKS.get(hook.type) for hook in cfg.custom_hooks]
    assert kinds == [RunStartHook, FiniteLossHook, InterruptHook]
    assert cfg.default_scope == 'mmseg'
