"""A loss that is not finite stops a run and spoils no checkpoint."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from mmseg_sparse.engine import FiniteLossHook
from mmseg_sparse.engine.hooks import LossError

NAN = {
    'loss': torch.tensor(float('nan')),
    'decode.loss_ce': torch.tensor(1.0),
    'decode.loss_dfr': torch.tensor(float('nan')),
    'decode.acc_seg': torch.tensor(float('nan')),
}
FINE = {'loss': torch.tensor(1.0, requires_grad=True), 'acc': float('nan')}


class Run(SimpleNamespace):
    def after(self, hook: FiniteLossHook, outputs: dict) -> None:
        hook.after_train_iter(self, self.iter, None, outputs)
        self.iter += 1


@pytest.fixture
def run(tmp_path: Path) -> Run:
    said: list[str] = []
    logger = SimpleNamespace(warning=said.append)
    return Run(iter=6, work_dir=str(tmp_path), logger=logger, said=said)


def test_three_in_a_row_stop_the_run(run: Run, tmp_path: Path) -> None:
    hook = FiniteLossHook()
    run.after(hook, NAN)
    run.after(hook, NAN)
    run.after(hook, FINE)
    run.after(hook, NAN)
    run.after(hook, NAN)
    assert run.said[0].startswith('iteration 7: decode.loss_dfr is nan (1 in')
    torch.save({}, tmp_path / 'iter_5.pth')
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'iter_5.pth'))
    with pytest.raises(LossError) as caught:
        run.after(hook, NAN)
    text = str(caught.value)
    assert text.startswith('iteration 12: decode.loss_dfr is nan, 3 iter')
    assert f'last complete checkpoint is {tmp_path}/iter_5.pth' in text
    assert '--allow-nan' in text


def test_going_on_all_the_same(run: Run) -> None:
    hook = FiniteLossHook(patience=1, allow_nan=True)
    for _ in range(3):
        run.after(hook, {'loss': float('inf')})
    assert run.said[-1] == 'iteration 9: loss is inf (3 in a row)'


def test_patience_is_positive() -> None:
    with pytest.raises(ValueError, match='at least 1, got 0'):
        FiniteLossHook(patience=0)
