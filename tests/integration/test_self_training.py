"""Self-training begins at its iteration, in a resumed training too."""

import json
from pathlib import Path

import pytest

import mmseg_sparse  # noqa: F401
from tests.helpers import tiny

BEGIN = 5


def config(root: Path) -> dict:
    cfg = tiny.config(root)
    cfg['model'].pop('regularizers')
    cfg['model']['decode_head'] = dict(
        type='BLPHead',
        in_channels=[8, 8, 16, 16],
        in_index=[0, 1, 2, 3],
        channels=8,
        dropout_ratio=0.1,
        num_classes=len(tiny.CLASSES),
        norm_cfg=dict(type='BN'),
        self_training_begin=BEGIN,
        self_training_confidence=0.34,
    )
    cfg['default_hooks']['checkpoint'].update(interval=1, max_keep_ckpts=-1)
    cfg['default_hooks']['logger'] = dict(
        type='LoggerHook', interval=1, log_metric_by_epoch=False
    )
    cfg['log_processor'] = dict(by_epoch=False, window_size=1)
    return cfg


def loop(count: int) -> dict:
    return dict(type='IterBasedTrainLoop', max_iters=count, val_interval=100)


def in_phase(run: Path) -> dict[int, bool]:
    """Return by iteration, from 1, whether the log shows own labels."""
    found: dict[int, bool] = {}
    for path in sorted(run.rglob('scalars.json')):
        for line in path.read_text().splitlines():
            entry = json.loads(line)
            if 'loss' in entry:
                found[entry['iter']] = 'decode.self_labeled_share' in entry
    return found


@pytest.mark.parametrize('stop', [3, 5, 6])
def test_resumes_in_its_phase(tmp_path: Path, stop: int) -> None:
    """Stopped before the switch, at it and after it."""
    tiny.write_images(tmp_path / 'data')
    cfg = config(tmp_path / 'data')
    whole = tiny.train(cfg, tmp_path / 'whole', train_cfg=loop(8))
    expected = {i: i - 1 >= BEGIN for i in range(1, 9)}
    assert in_phase(whole) == expected
    parts = tmp_path / 'parts'
    tiny.train(cfg, parts, train_cfg=loop(stop))
    tiny.train(cfg, parts, train_cfg=loop(8), resume=True)
    assert in_phase(parts) == expected
    assert not tiny.differences(
        tiny.state(whole / 'iter_8.pth'), tiny.state(parts / 'iter_8.pth')
    )
