"""What everything that we register with MODELS must do."""

import copy

import pytest
import torch
from mmengine.config import Config
from mmseg.registry import MODELS

from tests.helpers import stock

#: One config of each registered regularizer; a new one must enter here.
REGULARIZERS = {
    'AttentionAffinityLoss': dict(
        type='AttentionAffinityLoss', stages=[1, 3], loss_weight=0.5
    ),
    'DFRLoss': dict(type='DFRLoss', in_channels=16, confidence=0.3),
    'DenseCRFLoss': dict(type='DenseCRFLoss', loss_weight=1e-5),
    'GatedCRFLoss': dict(type='GatedCRFLoss'),
}
#: Likewise of the losses that a decode head takes as `loss_decode`.
DECODE_LOSSES = {
    'BalancedCrossEntropyLoss': dict(
        type='BalancedCrossEntropyLoss', background=2, loss_weight=0.5
    ),
    'PartialFocalLoss': dict(type='PartialFocalLoss', gamma=1.0),
}
#: Losses of one head of ours: tests/models/test_blp_losses.py.
HEAD_LOSSES = {'AnnotationLoss', 'BLPLoss'}


def registered(folder):
    prefix = f'mmseg_sparse.models.{folder}'
    return {
        name
        for name, module in MODELS.module_dict.items()
        if module.__module__.startswith(prefix)
    }


def model_config(name):
    cfg = stock.stock_model_config('segformer')
    cfg.type = 'SparseEncoderDecoder'
    cfg.decode_head.loss_decode.avg_non_ignore = True
    cfg.regularizers = [copy.deepcopy(REGULARIZERS[name])]
    return cfg


def test_every_loss_is_in_a_table():
    assert registered('losses') == {
        *REGULARIZERS,
        *DECODE_LOSSES,
        *HEAD_LOSSES,
    }


@pytest.mark.parametrize(
    'name', [*REGULARIZERS, *DECODE_LOSSES, *sorted(HEAD_LOSSES)]
)
def test_names_that_mmengine_would_not_train_on_are_refused(name):
    cfg = (REGULARIZERS | DECODE_LOSSES).get(name, dict(type=name))
    message = r"loss_name must contain 'loss.* got 'energy'"
    with pytest.raises(ValueError, match=message):
        MODELS.build(dict(cfg, loss_name='energy'))


@pytest.mark.parametrize('name', DECODE_LOSSES)
def test_a_stock_head_takes_the_loss(name):
    images, samples = stock.batch()
    values = []
    for weight in (0.5, 2.0):
        cfg = stock.stock_model_config('segformer')
        cfg.decode_head.loss_decode = DECODE_LOSSES[name] | dict(
            loss_weight=weight
        )
        model = stock.build(cfg)
        key = f'decode.{model.decode_head.loss_decode.loss_name}'
        optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
        steps = []
        for _ in range(3):
            loss = model.loss(images, samples)[key]
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            steps.append(loss.item())
        assert steps[2] < steps[0]
        values.append(steps[0])
    assert values[1] == pytest.approx(4 * values[0], rel=1e-5)
    with pytest.raises(ValueError, match=f'{name} .*sampler=None'):
        model.decode_head.loss_decode(
            torch.zeros(1, 5, 2, 2),
            torch.zeros(1, 2, 2).long(),
            weight=torch.ones(1, 2, 2),
        )


@pytest.mark.parametrize('name', REGULARIZERS)
def test_builds_from_a_config_file_and_trains(name, tmp_path):
    # through text, as users' configs come
    Config(dict(model=model_config(name))).dump(tmp_path / 'config.py')
    cfg = Config.fromfile(tmp_path / 'config.py')
    model = stock.build(cfg.model)
    images, samples = stock.batch()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    before = copy.deepcopy(model.state_dict())
    totals = []
    for _ in range(3):
        losses = model.loss(images, samples)
        loss, log = model.parse_losses(losses)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        totals.append(loss.item())
        own = [key for key in losses if key not in ('labeled_share',)]
        parts = [losses[key] for key in own if 'loss' in key]
        assert len(parts) >= 2
        assert loss.item() == pytest.approx(sum(map(float, parts)))
        assert 'labeled_share' in log
    assert totals[2] < totals[0]

    # its state goes through a file and back
    torch.save(model.state_dict(), tmp_path / 'state.pth')
    again = stock.build(cfg.model, seed=5)
    again.load_state_dict(torch.load(tmp_path / 'state.pth'))
    for key, value in model.state_dict().items():
        assert torch.equal(again.state_dict()[key], value)
    assert any(
        not torch.equal(before[key], value)
        for key, value in model.state_dict().items()
    )


@pytest.mark.parametrize('name', REGULARIZERS)
def test_loss_weight_is_a_factor(name):
    images, samples = stock.batch()
    values = []
    for weight in (0.5, 2.0):
        cfg = model_config(name)
        cfg.regularizers[0].loss_weight = weight
        model = stock.build(cfg)
        losses = model.loss(images, samples)
        values.append(losses[f'decode.{model.regularizers[0].loss_name}'])
    assert values[1].item() == pytest.approx(4 * values[0].item(), rel=1e-5)
