import copy

import pytest
import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from torch import nn

from mmseg_sparse.functional import feature_distance
from tests.helpers import dfr_cases, stock
from tests.helpers.sparse import config
from tests.models.test_dfr_loss import DFR, make_case, small_maps
from tests.reference import dfr as reference

KEEPING = dict(type='KeepingRegularizer', feature_from='decode_head.conv_seg')


@pytest.mark.parametrize('kind', ['DFRLoss', 'GatedCRFLoss'])
def test_unlabeled_only_leaves_labelled_pixels_out(kind):
    logits, feats, labels, valid = make_case()
    logits.requires_grad_()
    extra = DFR if kind == 'DFRLoss' else {}
    _, given, inside = small_maps(feats, labels, valid)
    for only in (False, True):
        loss = MODELS.build({**extra, 'type': kind, 'unlabeled_only': only})
        name = loss.loss_name
        found = loss(logits, feats, labels, valid)[name]
        (grad,) = torch.autograd.grad(found, logits)
        touched = grad.abs().sum(1) > 0
        counted = inside & (given == 255) if only else inside
        assert torch.equal(touched, counted)
    assert 0 < counted.sum() < inside.sum()


@pytest.mark.parametrize(
    'kernel', [('feature',), ('xy', 'feature'), ('rgb', 'feature')]
)
def test_the_kernel_of_eq_13_is_always_position_and_colour(kernel):
    case = make_case()
    full = MODELS.build({**DFR, 'supervision': 'labels'})
    part = copy.deepcopy(full)
    part.kernel = MODELS.build({**DFR, 'kernel': kernel}).kernel
    wanted, found = full(*case), part(*case)
    assert wanted['loss_fr'] > 0
    assert torch.equal(found['loss_fr'], wanted['loss_fr'])
    assert torch.equal(found['loss_fd'], wanted['loss_fd'])
    assert not torch.equal(found['loss_dfr'], wanted['loss_dfr'])


@pytest.mark.parametrize('factor', [1.0, 1e-3])
def test_a_normalized_feature_has_the_batchs_own_unit(factor):
    logits, feats, labels, valid = make_case()
    deep = feats.module_inputs['decode_head.conv_seg']
    feats.module_inputs['decode_head.conv_seg'] = deep * factor
    loss = MODELS.build(dict(DFR, sigma_feature=0.4, normalize_feature=True))
    torch.nn.init.zeros_(loss.conv.bias)
    found = loss(logits, feats, labels, valid)['loss_dfr'].item()
    colours, _, inside = small_maps(feats, labels, valid)
    feature = F.relu(loss.conv(deep)).detach().double()  # factor cancels
    unit = reference.mean_square_distance(feature, inside) ** 0.5
    energy = reference.potts_energy(
        logits.double().softmax(1),
        torch.cat([colours.double() / 0.5, feature / (0.4 * unit)], 1),
        radius=2,
        sigma_xy=6.0,
        valid=inside,
    )
    assert found == pytest.approx(0.01 * energy, rel=1e-4)


def test_a_constant_feature_leaves_the_kernel_of_colours():
    case = make_case()
    case[1].module_inputs['decode_head.conv_seg'] = torch.ones(2, 6, 8, 10)
    losses = [
        MODELS.build(dict(DFR, **options))(*case)['loss_dfr']
        for options in (
            dict(sigma_feature=0.4, normalize_feature=True),
            dict(kernel=('xy', 'rgb')),
        )
    ]
    assert torch.allclose(*losses, rtol=1e-5)


def test_gated_crf_adds_weighted_kernels():
    logits, feats, labels, valid = make_case()
    kernels = [
        dict(weight=0.9, sigma_xy=6.0, sigma_rgb=0.3),
        dict(weight=0.1, sigma_xy=2.0),
        dict(sigma_rgb=0.7),
    ]
    options = dict(type='GatedCRFLoss', radius=3, loss_weight=2.0)
    every = MODELS.build(dict(options, kernels=kernels))
    total = every(logits, feats, labels, valid)['loss_gated_crf']
    parts = [
        MODELS.build(dict(options, kernels=[kernel])) for kernel in kernels
    ]
    values = [
        part(logits, feats, labels, valid)['loss_gated_crf'].item()
        for part in parts
    ]
    assert len(set(values)) == 3
    assert total.item() == pytest.approx(sum(values), rel=1e-6)


def test_feature_of_another_size_is_resized():
    logits, feats, labels, _ = make_case()
    valid = torch.ones_like(labels, dtype=torch.bool)
    deep = torch.randn(2, 6, 4, 5)
    feats.module_inputs['decode_head.conv_seg'] = deep
    loss = MODELS.build(dict(DFR, confidence=0.5))
    found = loss(logits, feats, labels, valid)
    feature = F.relu(loss.conv(deep))
    feature = F.interpolate(feature, (8, 10), mode='bilinear')
    best, pseudo = logits.softmax(1).max(1)
    pseudo[best <= 0.5] = 255
    wanted = feature_distance(feature, pseudo, radius=2)
    assert found['loss_fd'].item() == pytest.approx(
        0.001 * wanted.item(), rel=1e-5
    )


def test_two_of_them_with_names_of_their_own():
    first = dict(DFR, in_channels=16, confidence=0.3)
    second = dict(first, loss_name='loss_dfr_far', loss_weight=0.5, radius=4)
    images, samples = stock.batch()
    model = stock.build(config([first, second]))
    both = model.loss(images, samples)
    names = ('loss_dfr', 'loss_fd', 'loss_fr', 'confident_share')
    for name in names:
        assert f'decode.{name}' in both
        assert f'decode.{name}_far' in both
    assert both['decode.loss_dfr_far'] > 10 * both['decode.loss_dfr']
    _, log = model.parse_losses(both)
    parts = [float(v) for k, v in log.items() if 'loss_' in k]
    assert float(log['loss']) == pytest.approx(sum(parts), rel=1e-5)
    with pytest.raises(ValueError, match='another loss_name'):
        stock.build(config([first, first])).loss(images, samples)


@pytest.mark.parametrize('dropout', [0.0, 0.5])
def test_the_feature_is_that_before_the_heads_dropout(dropout):
    cfg = config([KEEPING])
    cfg.decode_head.dropout_ratio = dropout
    model = stock.build(cfg)
    head = model.decode_head
    seen = []
    head.conv_seg.register_forward_pre_hook(
        lambda module, args: seen.append(args[0])
    )
    images, samples = stock.batch()
    model.loss(images, samples)
    kept = model.regularizers[0].feats.module_inputs['decode_head.conv_seg']
    blank = (kept.flatten(2).abs().sum(-1) == 0).float().mean()
    dropped = (seen[0].flatten(2).abs().sum(-1) == 0).float().mean()
    assert blank < 0.1
    assert (dropped > 0.2) == (dropout > 0)
    if not dropout:
        assert torch.equal(kept, seen[0])


def test_a_module_that_dropout_does_not_lead_to_keeps_its_input():
    class Head(nn.Module):
        def __init__(self):
            super().__init__()
            self.dropout = nn.Dropout2d(0.5)
            self.conv_seg = nn.Conv2d(2, 2, 1)

        def forward(self, x):
            self.dropout(x)
            return self.conv_seg(x + 1)

    from mmseg_sparse.models.features import ModuleInputs

    model = nn.Module()
    model.decode_head = Head()
    x = torch.randn(1, 2, 3, 3)
    with ModuleInputs(model, ['decode_head.conv_seg']) as inputs:
        model.decode_head(x)
    assert torch.equal(inputs['decode_head.conv_seg'], x + 1)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(kernel=('xy', 'lab')), r"kernel must .* got \('xy', 'lab'\)"),
        (dict(kernel=()), r'kernel must be some of'),
        (dict(kernel='rgb'), r"kernel must .* got 'rgb'"),
        (dict(kernel=('feature',), sigma_feature=None), r'kernel must be'),
        (dict(radius=0), r'radius must be a whole number .* got 0'),
        (dict(radius=2.0), r'radius must be a whole number .* got 2.0'),
        (dict(sigma_xy=None), r'sigma_xy must be positive, got None'),
        (dict(supervision='gt'), r"supervision must .* got 'gt'"),
        (dict(confidence=1.0), r'confidence must .* got 1.0'),
        (dict(sigma_rgb=0.0), r'sigma_rgb must be positive, got 0.0'),
        (dict(in_channels=None), r'in_channels, the channels .* got None'),
        (dict(feature_channels=None), r'set feature_loss_weight=0'),
        (dict(feature_loss_weight=(1, 2, 3)), r'or two, got \(1, 2, 3\)'),
        (dict(loss_name='loss_potts'), r"contain 'loss_dfr' .* got 'loss_p"),
        (dict(loss_name='loss_2_loss_dfr'), r"and no other loss, .* got 'l"),
    ],
)
def test_wrong_arguments_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        MODELS.build({**DFR, **changes})


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(kernels=[]), 'at least one'),
        (dict(kernels=[dict(weight=1.0)]), r"got \{'weight': 1.0\}"),
        (dict(kernels=[dict(sigma=1.0)]), r"got \{'sigma': 1.0\}"),
        (dict(kernels=[dict(sigma_xy=0.0)]), r'must be positive, got'),
        (dict(kernels=[dict(sigma_rgb=None)]), r'must be positive, got'),
        (dict(radius=0), r'radius must be a whole number .* got 0'),
    ],
)
def test_wrong_gated_crf_arguments_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        MODELS.build({'type': 'GatedCRFLoss', **changes})


def test_a_feature_that_does_not_fit_is_named():
    logits, feats, labels, valid = make_case()
    loss = MODELS.build(dict(DFR, in_channels=7))
    with pytest.raises(ValueError, match=r'in_channels=7, but .* has 6'):
        loss(logits, feats, labels, valid)
    feats.module_inputs['decode_head.conv_seg'] = torch.randn(2, 80, 6)
    with pytest.raises(ValueError, match=r'one map \(N, C, h, w\), got'):
        loss(logits, feats, labels, valid)


def test_waits_for_no_device(monkeypatch):
    logits, feats, labels, valid = make_case()
    loss = MODELS.build(dict(DFR, confidence=0.5))
    dfr_cases.as_if_elsewhere(monkeypatch)
    with dfr_cases.Operators() as operators:
        found = loss(logits.requires_grad_(), feats, labels, valid)
        (found['loss_dfr'] + found['loss_fd']).backward()
    assert not operators.names & set(dfr_cases.WAITING)


@pytest.mark.parametrize('confidence', [0.3, 0.9999])
def test_every_parameter_gets_a_gradient(confidence):
    """As DDP asks, also where no prediction is confident."""
    cfg = config([dict(DFR, in_channels=16, confidence=confidence)])
    model = stock.build(copy.deepcopy(cfg))
    images, samples = stock.batch()
    loss, log = model.parse_losses(model.loss(images, samples))
    loss.backward()
    assert [n for n, p in model.named_parameters() if p.grad is None] == []
    sure = confidence < 0.5
    assert (log['decode.confident_share'] > 0) == sure
    head = model.regularizers[0].conv
    assert (head.weight.grad.abs().sum() > 0) == sure
