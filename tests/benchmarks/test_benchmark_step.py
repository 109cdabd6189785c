import json

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MessageHub

from mmseg_sparse.models.progress import (
    training_iteration,
    training_length,
)
from tests.helpers import stock
from tests.helpers.tools import call, load


def write_config(path, layers):
    cfg = Config(dict(model=stock.stock_model_config('segformer')))
    cfg.model.backbone.num_layers = [layers] * 4
    cfg.custom_imports = dict(imports=['mmseg_sparse'])
    cfg.optim_wrapper = dict(
        type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-4)
    )
    cfg.train_dataloader = dict(batch_size=2)
    cfg.dump(path)


def run(*arguments, cwd):
    return call('benchmark_step', *arguments, cwd=cwd, check=False)


def test_tells_a_deeper_model_from_a_shallow_one(tmp_path):
    write_config(tmp_path / 'shallow.py', 1)
    write_config(tmp_path / 'deep.py', 6)
    done = run(
        'shallow.py', 'deep.py', '--size', '128', '160', '--steps', '4',
        '--warmup', '1', '--threads', '1', '--out', 'out.json',
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert 'b: deep' in done.stdout
    figures = json.loads((tmp_path / 'out.json').read_text())
    assert figures['ratio']['cpu_s'] > 1.5
    assert figures['ratio']['peak_mib'] > 1
    assert figures['ratio']['tensors_mib'] > 1.5
    assert len(figures['a']['wall_s']) == 4


def test_a_broken_config_ends_with_its_error(tmp_path):
    write_config(tmp_path / 'good.py', 1)
    done = run('good.py', 'good.py', '--steps', '1', cwd=tmp_path)
    assert done.returncode == 1
    assert 'data_preprocessor.size: give --size' in done.stderr


def test_the_model_is_told_the_iteration(tmp_path, monkeypatch):
    path = str(tmp_path / 'a.py')
    write_config(path, 1)
    cfg = Config.fromfile(path)
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=80)
    cfg.dump(path)
    hub = MessageHub.get_instance('test_benchmark_step')
    monkeypatch.setattr(
        MessageHub, 'get_current_instance', classmethod(lambda cls: hub)
    )
    step = load('benchmark_step')
    words = ['--iteration', '30', '--size', '64', '64', '--device', 'cpu']
    step.Trainer(path, step.parse_args([path, path, *words]))
    assert training_iteration() == 30
    assert training_length() == 80


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['none.py', 'none.py'], "config not found: 'none.py'"),
        ([__file__, __file__, '--labeled', '2'], 'must lie in [0, 1]'),
        ([__file__, __file__, '--steps', '0'], '--steps must be at least 1'),
        ([__file__, __file__, '--iteration', '-1'], '--iteration at least 0'),
    ],
)
def test_wrong_arguments_are_named(arguments, message, tmp_path):
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr


@pytest.mark.parametrize('labeled', [0.0, 0.04, 1.0])
def test_strokes_are_clumps_of_the_share(labeled):
    random_strokes = load('benchmark_step').random_strokes
    generator = torch.Generator().manual_seed(1)
    labels = random_strokes((120, 90), 5, labeled, generator)
    known = labels != 255
    share = known.float().mean().item()
    assert labeled <= share <= labeled + 72 / (120 * 90)
    assert set(labels[known].tolist()) <= set(range(5))
    if labeled == 0.04:
        assert len(labels[known].unique()) > 1
        beside = known[:, 1:] & known[:, :-1]
        assert beside.sum() > 0.5 * known.sum()
