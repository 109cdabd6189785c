"""Where a training step's time goes."""

import json

import pytest
from mmengine.config import Config

from tests.helpers import tiny
from tests.helpers.tools import call
from tests.helpers.tools import run as command

#: Regularizers that wait: always, and from an iteration on.
WAITING = """
import time
import torch
from mmengine.logging import MessageHub
from mmseg.registry import MODELS

@MODELS.register_module()
class Waiting(torch.nn.Module):
    def __init__(self, seconds, begin):
        super().__init__()
        self.seconds, self.begin = seconds, begin

    def forward(self, logits, feats, labels, valid):
        if MessageHub.get_current_instance().get_info('iter') >= self.begin:
            time.sleep(self.seconds)
        return {'loss_waiting': logits.sum() * 0}
"""


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setenv('PYTHONPATH', str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    tiny.write_images(tmp_path)
    (tmp_path / 'waiting.py').write_text(WAITING)
    cfg = Config(tiny.config(tmp_path))
    cfg.custom_imports = dict(imports=['mmseg_sparse', 'waiting'])
    cfg.model.regularizers = [dict(type='Waiting', seconds=1.0, begin=100)]
    cfg.dump(tmp_path / 'config.py')
    return tmp_path


def run(folder, *arguments, how=call, **more):
    return how(
        'profile_step', *arguments, '--device', 'cpu', cwd=folder, **more
    )


def test_a_part_that_waits_is_told_in_its_phase(config):
    options = ['config.py', '--steps', '2', '--warmup', '1']
    options += ['--out', 'figures.json']
    done = run(config, *options, '--iteration', '100', how=command)
    rows = [line.split('|')[1] for line in done.stdout.splitlines() if
            line.startswith('|')]  # fmt: skip
    assert [row.rstrip() for row in rows] == [
        '', ' data loading', ' forward', '   Waiting', ' backward',
        ' optimizer', ' sum',
    ]  # fmt: skip
    figures = json.loads((config / 'figures.json').read_text())
    seconds, shares = figures['seconds'], figures['shares']
    assert 1.0 <= seconds['Waiting'] <= seconds['forward']
    phases = ('data loading', 'forward', 'backward', 'optimizer')
    assert sum(shares[name] for name in phases) == pytest.approx(1)
    assert figures['step_s'] == pytest.approx(
        sum(seconds[name] for name in phases)
    )
    run(config, *options, '--iteration', '99')
    earlier = json.loads((config / 'figures.json').read_text())['seconds']
    assert earlier['Waiting'] < 0.5
    made = {path.name for path in config.iterdir()} - {'__pycache__'}
    assert made == {
        'config.py', 'figures.json', 'images', 'labels', 'waiting.py',
    }  # fmt: skip


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (['none.py'], "config not found: 'none.py'"),
        (['config.py', '--steps', '0'], '--steps must be at least 1, got 0'),
        (['config.py', '--iteration', '-1'], 'must be at least 0, got -1'),
    ],
)
def test_wrong_arguments_are_named(arguments, words, config):
    done = run(config, *arguments, check=False)
    assert done.returncode != 0
    assert words in done.stderr
