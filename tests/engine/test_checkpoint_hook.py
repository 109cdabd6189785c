from pathlib import Path
from types import SimpleNamespace

import mmengine.hooks
import pytest
import torch
from mmengine.hub import get_config
from mmengine.logging import MessageHub
from mmseg.registry import HOOKS

from mmseg_sparse import registry
from mmseg_sparse.engine import ResumableCheckpointHook


def test_stock_schedules_get_it() -> None:
    cfg = get_config('mmseg::_base_/schedules/schedule_40k.py')
    hook = HOOKS.build(cfg.default_hooks.checkpoint)
    assert type(hook) is ResumableCheckpointHook
    assert hook.interval == cfg.default_hooks.checkpoint.interval
    scoped = registry.HOOKS.get('mmseg_sparse.CheckpointHook')
    assert scoped is ResumableCheckpointHook
    stock = HOOKS.build(dict(type='mmengine.CheckpointHook'))
    assert type(stock) is mmengine.hooks.CheckpointHook


def test_validation_leaves_the_random_state_as_it_was() -> None:
    hook = ResumableCheckpointHook()
    hook.before_val(None)
    first = torch.rand(3)
    hook.after_val(None)
    assert torch.equal(torch.rand(3), first)


class Runner(SimpleNamespace):
    """As much of a runner as saving a checkpoint takes."""

    def save_checkpoint(self, out_dir, filename, *args, **kwargs):
        self.listed = self.message_hub.get_info('keep_ckpt_ids')
        if self.broken:
            raise OSError('disk full')
        (Path(out_dir) / filename).touch()


def test_outdated_checkpoint_goes_after_its_successor(tmp_path: Path) -> None:
    hook = ResumableCheckpointHook(
        interval=1, by_epoch=False, max_keep_ckpts=1
    )
    runner = Runner(
        work_dir=str(tmp_path),
        message_hub=MessageHub(tmp_path.name),
        logger=SimpleNamespace(info=str),
        iter=0,
        epoch=0,
        broken=False,
        model=torch.nn.Linear(1, 1),
    )
    hook.before_train(runner)

    def names() -> list[str]:
        return sorted(path.name for path in tmp_path.glob('*.pth'))

    hook._save_checkpoint(runner)
    runner.iter, runner.broken = 1, True
    with pytest.raises(OSError, match='disk full'):
        hook._save_checkpoint(runner)
    assert names() == ['iter_1.pth']
    last = tmp_path / 'last_checkpoint'
    assert last.read_text() == str(tmp_path / 'iter_1.pth')
    # A run resumed from the new checkpoint knows that the old may be there.
    assert runner.listed == [1, 2]

    runner.iter, runner.broken = 2, False
    hook._save_checkpoint(runner)
    assert last.read_text() == str(tmp_path / 'iter_3.pth')
    assert 'iter_3.pth' in names()
    assert runner.message_hub.get_info('keep_ckpt_ids') == [3]
