"""Ctrl-C leaves a checkpoint from which a run goes on bit for bit."""

import os
import signal
import sys
from pathlib import Path

import pytest
from mmengine.hooks import Hook
from mmseg.registry import HOOKS

import mmseg_sparse
from mmseg_sparse.engine.hooks.interrupt import resume_command
from tests.helpers import tiny


@HOOKS.register_module()
class SignalSelf(Hook):
    """Sends a signal to its own process at one point of a run."""

    def __init__(self, after: int, number: int, times: int, val: bool) -> None:
        self.after, self.number = after, number
        self.times, self.val = times, val

    def after_train_iter(self, runner, *args, **kwargs):
        if not self.val and runner.iter + 1 == self.after:
            self.send()

    def before_val_iter(self, runner, *args, **kwargs):
        if self.val and runner.iter == self.after:
            self.send()

    def send(self):
        for _ in range(self.times):
            os.kill(os.getpid(), self.number)


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp('data')
    tiny.write_images(root)
    return root


@pytest.fixture(scope='module')
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.train(config(data), tmp_path_factory.mktemp('whole'))


def config(data: Path, **sent: object) -> dict:
    cfg = tiny.config(data)
    cfg['train_cfg'].update(max_iters=6, val_interval=3)
    cfg['default_hooks'].update(
        interrupt=dict(type='InterruptHook'),
        checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=6),
    )
    if sent:
        given = dict(number=signal.SIGINT, times=1, val=False) | sent
        cfg['custom_hooks'] = [dict(type='SignalSelf', **given)]
    return cfg


@pytest.mark.parametrize(
    ('sent', 'status', 'step'),
    [
        (dict(after=2), 130, 2),
        (dict(after=2, number=signal.SIGTERM), 143, 2),
        (dict(after=3, val=True), 130, 3),
    ],
    ids=['Ctrl-C', 'SIGTERM', 'validation'],
)
def test_an_interrupted_run_goes_on_as_if_it_were_not(
    data: Path, whole: Path, tmp_path: Path, sent: dict, status: int,
    step: int, capfd: pytest.CaptureFixture,
) -> None:  # fmt: skip
    before = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(SystemExit) as caught:
        tiny.train(config(data, **sent), tmp_path / 'run', log_level='INFO')
    assert caught.value.code == status
    assert before == [
        signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)
    ]
    run = tmp_path / 'run'
    path = run / f'iter_{step}.pth'
    assert (run / 'last_checkpoint').read_text() == str(path)
    captured = capfd.readouterr()
    assert 'Ctrl-C again ends at once' in captured.err
    said = captured.out.partition('interrupted after iteration ')[2]
    assert said.startswith(f'{step}: {path} is complete, go on with: ')
    assert ' --resume\n' in said

    tiny.train(config(data), run, resume=True)
    expected = tiny.state(whole / 'iter_6.pth')
    assert not tiny.differences(expected, tiny.state(run / 'iter_6.pth'))


def test_twice_ends_at_once(data: Path, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        tiny.train(config(data, after=2, times=2), tmp_path)
    assert not list(tmp_path.glob('*.pth'))
    assert signal.getsignal(signal.SIGINT) is before


def test_a_command_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(mmseg_sparse.__file__).parents[1]
    ours = str(root / 'tools/train.py')
    monkeypatch.setattr(sys, 'argv', [ours, 'my config.py', '--amp'])
    assert resume_command() == (
        "python -m mmseg_sparse train 'my config.py' --amp --resume"
    )
    monkeypatch.setattr(sys, 'argv', ['x/tools/train.py', 'a.py', '--resume'])
    assert resume_command() == 'python x/tools/train.py a.py --resume'
