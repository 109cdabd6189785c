"""Where a training step's time goes."""

import json
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config

from tests.helpers import tiny
from tests.helpers.tools import call, load
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

@MODELS.register_module()
class Opposing(torch.nn.Module):
    def forward(self, logits, feats, labels, valid):
        large = torch.nn.functional.interpolate(
            logits, labels.shape[1:], mode='bilinear'
        )
        loss = torch.nn.functional.cross_entropy(
            large, labels, ignore_index=255
        )
        return {'loss_opposing': -0.5 * loss, 'share': loss.detach()}
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


def test_gradients_of_losses_are_compared_by_hand():
    # a = 3 w0 - 4 w1 has the gradient (3, -4, 0), b = mean(w0, w2) twice
    # (1, 0, 1); their cosine is 3 / (5 * sqrt 2). c does not see the weights.
    first = torch.tensor([1.0, 2.0], requires_grad=True)
    second = torch.tensor([[5.0]], requires_grad=True)
    b = torch.stack([first[0], second[0, 0]])
    losses = {
        'loss_a': 3 * first[0] - 4 * first[1],
        'acc': torch.tensor(1.0),
        'aux.loss_b': [b, b],
        'loss_c': torch.tensor(7.0),
    }
    found = load('profile_step').compare_gradients(losses, [first, second])
    assert found == {
        'loss_a': pytest.approx(dict(value=-5, norm=5, cosine=1)),
        'aux.loss_b': pytest.approx(
            dict(value=6, norm=2**0.5, cosine=0.6 / 2**0.5)
        ),
        'loss_c': pytest.approx(dict(value=7, norm=0, cosine=0)),
    }


def test_a_loss_that_opposes_the_first_is_told(config):
    cfg = Config.fromfile(config / 'config.py')
    cfg.model.regularizers = [dict(type='Opposing')]
    cfg.model.decode_head.loss_decode.avg_non_ignore = True
    cfg.dump(config / 'config.py')
    options = ['config.py', '--steps', '2', '--warmup', '0', '--gradients']
    done = run(config, *options, '--out', 'figures.json')
    found = json.loads((config / 'figures.json').read_text())['gradients']
    assert list(found) == ['decode.loss_ce', 'decode.loss_opposing']
    first, other = found.values()
    assert first['norm'] > 0
    assert first['cosine'] == pytest.approx(1)
    assert other['value'] == pytest.approx(-0.5 * first['value'])
    assert other['norm'] == pytest.approx(0.5 * first['norm'], rel=1e-4)
    assert other['cosine'] == pytest.approx(-1, abs=1e-5)
    assert '| decode.loss_opposing |' in done.stdout


def test_gradients_need_a_backbone_that_is_trained():
    frozen = torch.nn.Linear(2, 2).requires_grad_(False)
    training = SimpleNamespace(model=SimpleNamespace(backbone=frozen))
    with pytest.raises(ValueError, match='backbone has no parameter'):
        load('profile_step').measure_gradients(training, 1)


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
