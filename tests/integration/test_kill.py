"""A killed training loses nothing from before its last checkpoint."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import mmseg
import pytest
import torch
from mmengine.config import Config

import mmseg_sparse  # noqa: F401
from mmseg_sparse.engine.resume import is_complete
from tests.helpers import tiny

ROOT = Path(__file__).resolve().parents[2]
OURS = ROOT / 'tools' / 'train.py'
STOCK = Path(mmseg.__file__).parent / '.mim' / 'tools' / 'train.py'

#: Writes half of iter_10.pth, reports it and stops, however it is opened.
STALL = """
import builtins, pathlib, time
marker = pathlib.Path(__file__).with_name('stalled')
opened = builtins.open

class Stalling:
    def __init__(self, file):
        self.file = file
    def __enter__(self):
        return self
    def __exit__(self, *error):
        self.file.close()
    def write(self, data):
        self.file.write(data[: len(data) // 2])
        self.file.flush()
        marker.touch()
        time.sleep(600)

def open(name, mode='r', *args, **kwargs):
    file = opened(name, mode, *args, **kwargs)
    if 'iter_10.pth' in str(name) and 'w' in mode:
        return Stalling(file)
    return file

builtins.open = open
"""

#: Slows training down, so that a kill falls anywhere.
SLOW = """
import time
from mmengine.hooks import Hook
from mmseg.registry import HOOKS

@HOOKS.register_module()
class Slow(Hook):
    def after_train_iter(self, *args, **kwargs):
        time.sleep(0.05)
"""


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp('data')
    tiny.write_images(root)
    return root


def start(
    cfg: dict, plugin: str, folder: Path, *options: str, tool: Path = OURS
) -> subprocess.Popen:
    """Start a training with a plugin; its work folder is ``folder/run``."""
    (folder / 'kill_plugin.py').write_text(plugin)
    cfg['custom_imports']['imports'].append('kill_plugin')
    Config(cfg).dump(str(folder / 'config.py'))
    cfg['custom_imports']['imports'].remove('kill_plugin')
    paths = [str(ROOT), str(folder), os.environ.get('PYTHONPATH', '')]
    environment = dict(
        os.environ,
        PYTHONPATH=os.pathsep.join(paths),
        # Sums depend on the number of threads.
        OMP_NUM_THREADS=str(torch.get_num_threads()),
    )
    command = [sys.executable, str(tool), str(folder / 'config.py')]
    command += ['--work-dir', str(folder / 'run')]
    with open(folder / 'log.txt', 'ab') as log:
        return subprocess.Popen(
            [*command, *options],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def wait_for(path: Path, process: subprocess.Popen, folder: Path) -> None:
    deadline = time.monotonic() + 400
    while not path.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            pytest.fail(
                f'no {path.name}, exit status {process.poll()}: '
                + (folder / 'log.txt').read_text()[-2000:]
            )
        time.sleep(0.01)


def kill(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


def config(data: Path, max_iters: int) -> dict:
    cfg = tiny.config(data)
    cfg['train_cfg'].update(max_iters=max_iters, val_interval=1000)
    # One checkpoint only: nothing to fall back to but the last.
    cfg['default_hooks']['checkpoint'].update(interval=5, max_keep_ckpts=1)
    return cfg


def test_killed_while_a_checkpoint_is_written(
    data: Path, tmp_path: Path
) -> None:
    cfg = config(data, max_iters=12)
    whole = tiny.train(cfg, tmp_path / 'whole')
    run = tmp_path / 'run'
    process = start(cfg, STALL, tmp_path)
    wait_for(tmp_path / 'stalled', process, tmp_path)
    kill(process)

    assert (run / 'last_checkpoint').read_text() == str(run / 'iter_5.pth')
    assert is_complete(run / 'iter_5.pth')
    assert [path.name for path in run.glob('*.pth')] == ['iter_5.pth']
    assert (run / 'iter_10.pth.part').is_file()

    tiny.train(cfg, run, resume=True)
    assert [path.name for path in run.glob('*.pth*')] == ['iter_12.pth']
    expected = tiny.state(whole / 'iter_12.pth')
    assert not tiny.differences(expected, tiny.state(run / 'iter_12.pth'))


def last_checkpoint(run: Path) -> str:
    path = run / 'last_checkpoint'
    return path.read_text() if path.exists() else ''


def test_killed_at_any_moment(data: Path, tmp_path: Path) -> None:
    """Killed twice, once in a run that mmseg's own tool resumed."""
    cfg = config(data, max_iters=40)
    cfg['default_hooks']['checkpoint']['interval'] = 2
    whole = tiny.train(cfg, tmp_path / 'whole')
    run = tmp_path / 'run'
    slow = dict(cfg, custom_hooks=[dict(type='Slow')])
    for options, tool in (([], OURS), (['--resume'], STOCK)):
        before = last_checkpoint(run)
        process = start(slow, SLOW, tmp_path, *options, tool=tool)
        deadline = time.monotonic() + 400
        while last_checkpoint(run) == before:
            assert process.poll() is None, (tmp_path / 'log.txt').read_text()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(random.random() / 2)
        kill(process)
        assert is_complete(Path(last_checkpoint(run)))
        assert all(is_complete(path) for path in run.glob('iter_*.pth'))
    tiny.train(cfg, run, resume=True)
    expected = tiny.state(whole / 'iter_40.pth')
    assert not tiny.differences(expected, tiny.state(run / 'iter_40.pth'))
