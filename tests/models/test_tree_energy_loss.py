import pytest
import torch
import torch.nn.functional as F
from mmseg.registry import MODELS

from mmseg_sparse.functional import tree_energy
from mmseg_sparse.models.features import Features
from tests.helpers import stock

DEEP = 'decode_head.conv_seg'
F64 = torch.float64


def build(**changes):
    return MODELS.build(dict(type='TreeEnergyLoss', **changes)).double()


def make_case():
    image = torch.randn(2, 3, 16, 24, dtype=F64)
    feats = Features((), image)
    feats.module_inputs[DEEP] = torch.randn(2, 6, 4, 6, dtype=F64) / 2
    labels = torch.full((2, 16, 24), 255)
    labels[:, 5, 9:19] = labels[0, 0, 0] = 2
    valid = torch.ones(2, 16, 24, dtype=torch.bool)
    valid[1, 11:] = False
    logits = 2 * torch.randn(2, 4, 4, 6, dtype=F64)
    return logits.requires_grad_(), feats, labels, valid


def expected(logits, feats, labels, valid, feature=None, **options):
    """Of 4x4 pixels none is padding, and none has a label."""
    known = F.max_pool2d((labels != 255).float(), 4) > 0
    padded = F.max_pool2d((~valid).float(), 4) > 0
    return tree_energy(
        logits.softmax(1),
        F.avg_pool2d(feats.image, 4),
        feature,
        counted=~known,
        valid=~padded,
        **options,
    )


def test_is_the_energy_of_colours_and_deep_feature():
    case = make_case()
    deep = case[1].module_inputs[DEEP]
    loss = build(sigma=0.5, sigma_feature=2.0, loss_weight=0.3)
    found = loss(*case)
    assert found.keys() == {'loss_tree'}
    wanted = expected(*case, deep, sigma=0.5, sigma_feature=2.0)
    torch.testing.assert_close(found['loss_tree'], 0.3 * wanted)
    low = build(sigma=0.5, feature_from=None, loss_weight=1.0)(*case)
    wanted = expected(*case, sigma=0.5)
    torch.testing.assert_close(low['loss_tree'], wanted)


def test_the_convolution_learns_through_the_affinities():
    case = make_case()
    loss = build(channels=5, in_channels=6, detach=False, loss_weight=1.0)
    found = loss(*case)['loss_tree']
    deep = loss.conv(case[1].module_inputs[DEEP]).relu()
    wanted = expected(*case, deep, sigma=0.02, detach=False)
    torch.testing.assert_close(found, wanted)
    found.backward()
    assert loss.conv.weight.grad.abs().sum() > 0


def test_a_segmentor_hands_over_the_deep_feature():
    cfg = stock.stock_model_config('segformer')
    cfg.type = 'SparseEncoderDecoder'
    cfg.regularizers = [
        dict(type='TreeEnergyLoss', channels=5, in_channels=16, detach=False)
    ]
    model = stock.build(cfg)
    losses = model.loss(*stock.batch())
    losses['decode.loss_tree'].backward()
    assert model.regularizers[0].conv.weight.grad.abs().sum() > 0
    assert 'regularizers.0.conv.weight' in model.state_dict()


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(sigma=0.0), 'sigma must be positive, got 0'),
        (dict(sigma_feature=-1.0), 'sigma_feature must be .* got -1'),
        (dict(channels=5, in_channels=6), 'in_channels and detach=False'),
        (dict(channels=5, detach=False), f'got {DEEP}, None and'),
    ],
)
def test_errors_name_what_is_wrong(changes, message):
    with pytest.raises(ValueError, match=message):
        build(**changes)
