"""A regularizer's weight goes on where a resumed training goes on."""

import json
from pathlib import Path

import mmseg_sparse  # noqa: F401
from tests.helpers import tiny

NAME = 'decode.loss_affinity'


def config(root: Path) -> dict:
    cfg = tiny.config(root)
    (loss,) = cfg['model']['regularizers']
    loss.update(begin=2, ramp=4)
    cfg['default_hooks']['checkpoint'].update(interval=1, max_keep_ckpts=-1)
    cfg['default_hooks']['logger'] = dict(
        type='LoggerHook', interval=1, log_metric_by_epoch=False
    )
    cfg['log_processor'] = dict(by_epoch=False, window_size=1)
    return cfg


def loop(count: int) -> dict:
    return dict(type='IterBasedTrainLoop', max_iters=count, val_interval=100)


def logged(run: Path) -> dict[int, float]:
    """Return the loss by iteration, from 1."""
    found: dict[int, float] = {}
    for path in sorted(run.rglob('scalars.json')):
        for line in path.read_text().splitlines():
            entry = json.loads(line)
            if NAME in entry:
                found[entry['iter']] = entry[NAME]
    return found


def test_a_resumed_training_counts_on(tmp_path: Path) -> None:
    tiny.write_images(tmp_path / 'data')
    cfg = config(tmp_path / 'data')
    run = tmp_path / 'run'
    tiny.train(cfg, run, train_cfg=loop(1))
    assert logged(run) == {1: 0.0}
    # Were it counted from the start of the process, all would be 0.
    tiny.train(cfg, run, train_cfg=loop(3), resume=True)
    assert [logged(run)[i] > 0 for i in (1, 2, 3)] == [False, False, True]
