import pytest
import torch
import torch.nn.functional as F
from mmseg.registry import MODELS

from mmseg_sparse.functional import (
    feature_distance,
    feature_regularization,
    potts_energy,
)
from mmseg_sparse.models.segmentors import Features

DFR = dict(type='DFRLoss', in_channels=6, feature_channels=4, radius=2)
LIKE_PAPER = dict(sigma_xy=6.0, sigma_rgb=0.5, sigma_feature=50.0)


def make_case(n=2, classes=4):
    """Logits at 1/4 of the image, a deep feature, labels and padding."""
    logits = torch.randn(n, classes, 8, 10) * 4
    image = torch.randn(n, 3, 32, 40)
    feats = Features([], image)
    feats.module_inputs['decode_head.conv_seg'] = torch.randn(n, 6, 8, 10)
    labels = torch.full((n, 32, 40), 255)
    labels[:, 4:12, 8:28] = 1
    labels[:, 20:24, 4:36] = 2
    valid = torch.ones(n, 32, 40, dtype=torch.bool)
    valid[-1, 26:] = False
    valid[-1, :, 31:] = False
    return logits, feats, labels, valid


def small_maps(feats, labels, valid):
    """What the loss compares, by other operators: 4x4 pixels become one."""
    colours = F.avg_pool2d(feats.image, 4)
    inside = -F.max_pool2d(-valid[:, None].float(), 4)[:, 0] == 1
    return colours, labels[:, ::4, ::4], inside


def test_is_made_of_the_functions():
    logits, feats, labels, valid = make_case()
    loss = MODELS.build(dict(DFR, confidence=0.6))
    found = loss(logits, feats, labels, valid)
    colours, _, inside = small_maps(feats, labels, valid)
    assert inside[1].sum() == 6 * 7
    prob = logits.softmax(1)
    deep = feats.module_inputs['decode_head.conv_seg']
    feature = F.relu(F.conv2d(deep, loss.conv.weight, loss.conv.bias))
    energy = potts_energy(
        prob,
        torch.cat([colours / 0.5, feature / 50], 1),
        radius=2,
        sigma_xy=6.0,
        valid=inside,
    )
    best, pseudo = prob.max(1)
    pseudo[(best <= 0.6) | ~inside] = 255
    distance = feature_distance(feature, pseudo, radius=2)
    regularization = feature_regularization(
        feature, colours / 0.5, pseudo, radius=2, sigma_xy=6.0, valid=inside
    )
    share = (pseudo != 255).sum() / inside.sum()
    wanted = {
        'loss_dfr': 0.01 * energy,
        'loss_fd': 0.001 * distance,
        'loss_fr': 0.001 * regularization,
        'confident_share': share,
    }
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert found[name].item() == pytest.approx(value.item(), rel=1e-5)
    assert 0.2 < share < 1


def test_gradients_go_where_they_should():
    logits, feats, labels, valid = make_case()
    deep = feats.module_inputs['decode_head.conv_seg'].requires_grad_()
    logits.requires_grad_()
    loss = MODELS.build(dict(DFR, confidence=0.5))
    found = loss(logits, feats, labels, valid)
    # F is a constant of the kernel, M one of the feature losses.
    names = {
        name: torch.autograd.grad(
            found[name], [logits, deep, loss.conv.weight], retain_graph=True,
            allow_unused=True,
        )
        for name in ('loss_dfr', 'loss_fd')
    }  # fmt: skip
    assert [g is not None for g in names['loss_dfr']] == [True, False, False]
    assert [g is not None for g in names['loss_fd']] == [False, True, True]
    assert not found['loss_fr'].requires_grad
    # the gradient of both feature losses, through the one that has it
    both = MODELS.build(dict(DFR, confidence=0.5))
    both.load_state_dict(loss.state_dict())
    parts = []
    for weights in ((0.001, 0.0), (0.0, 0.001)):
        both.feature_loss_weight = weights
        total = both(logits, feats, labels, valid)['loss_fd']
        parts += torch.autograd.grad(total, both.conv.weight)
        assert parts[-1].abs().sum() > 0
    torch.testing.assert_close(names['loss_fd'][2], parts[0] + parts[1])


def test_padding_changes_nothing():
    logits, feats, labels, valid = make_case()
    loss = MODELS.build(dict(DFR, confidence=0.5, supervision='both'))
    before = loss(logits, feats, labels, valid)
    hole = ~valid
    feats.image.masked_fill_(hole[:, None], 1e6)
    labels = labels.masked_fill(hole, 3)
    small = ~small_maps(feats, labels, valid)[2]
    logits = logits.masked_fill(small[:, None], 50.0)
    deep = feats.module_inputs['decode_head.conv_seg']
    deep.masked_fill_(small[:, None], 1e6)
    after = loss(logits, feats, labels, valid)
    assert before.keys() == after.keys()
    for name, value in before.items():
        assert value.item() == pytest.approx(after[name].item(), rel=1e-6)


@pytest.mark.parametrize('size', [(8, 10), (4, 5), (16, 20)])
def test_a_padded_feature_that_is_not_finite_reaches_nothing(size):
    """Nor does it where the feature has another size than the logits."""
    logits, feats, labels, valid = make_case()
    loss = MODELS.build(dict(DFR, confidence=0.5, supervision='both'))
    deep = torch.randn(2, 6, *size)
    held = small_maps(feats, labels, valid)[2]
    if size != (8, 10):  # at the edge, what holds some of the image stays
        held = F.max_pool2d(valid[:, None].float(), 32 // size[0])[:, 0] == 1
    found = []
    for value in (0.0, float('nan'), float('inf')):
        filled = deep.masked_fill(~held[:, None], value).requires_grad_()
        feats.module_inputs['decode_head.conv_seg'] = filled
        losses = loss(logits, feats, labels, valid)
        total = losses['loss_fd'] + losses['loss_dfr']
        grads = torch.autograd.grad(total, [filled, *loss.parameters()])
        assert not grads[0].abs().sum(1)[~held].any()
        found.append([*losses.values(), *grads])
    for other in found[1:]:
        assert all(map(torch.equal, found[0], other))
    assert all(grad.abs().sum() > 0 for grad in found[0][-3:])


@pytest.mark.parametrize('supervision', ['labels', 'both'])
def test_table_7_supervision(supervision):
    logits, feats, labels, valid = make_case()
    loss = MODELS.build(
        dict(DFR, confidence=0.5, supervision=supervision, background=None)
    )
    found = loss(logits, feats, labels, valid)
    _, given, inside = small_maps(feats, labels, valid)
    target = given.masked_fill(~inside, 255)
    if supervision == 'both':
        best, pseudo = logits.softmax(1).max(1)
        pseudo[(best <= 0.5) | ~inside] = 255
        target = torch.where(target == 255, pseudo, target)
    deep = feats.module_inputs['decode_head.conv_seg']
    feature = F.relu(loss.conv(deep))
    wanted = feature_distance(feature, target, radius=2, background=None)
    assert found['loss_fd'].item() == pytest.approx(
        0.001 * wanted.item(), rel=1e-5
    )


@pytest.mark.parametrize(
    'kernel', [('xy',), ('xy', 'rgb'), ('xy', 'feature'), ('rgb',)]
)
def test_table_5_kernels(kernel):
    logits, feats, labels, valid = make_case()
    loss = MODELS.build(dict(DFR, kernel=kernel, sigma_xy=1.5))
    found = loss(logits, feats, labels, valid)
    colours, _, inside = small_maps(feats, labels, valid)
    guide = colours[:, :0]
    if 'rgb' in kernel:
        guide = colours / 0.5
    if 'feature' in kernel:
        deep = feats.module_inputs['decode_head.conv_seg']
        guide = torch.cat([guide, F.relu(loss.conv(deep)) / 50], 1)
    sigma = 1.5 if 'xy' in kernel else float('inf')
    wanted = potts_energy(
        logits.softmax(1), guide, radius=2, sigma_xy=sigma, valid=inside
    )
    assert found['loss_dfr'].item() == pytest.approx(
        0.01 * wanted.item(), rel=1e-5
    )
    assert ('loss_fd' in found) == ('feature' in kernel)


def test_without_feature_it_is_gated_crf():
    logits, feats, labels, valid = make_case()
    plain = MODELS.build(dict(type='DFRLoss', sigma_feature=None))
    gated = MODELS.build(dict(type='GatedCRFLoss'))
    assert list(plain.parameters()) == []
    assert plain.feature_from is None
    first = plain(logits, feats, labels, valid)
    second = gated(logits, feats, labels, valid)
    assert set(first) == {'loss_dfr', 'confident_share'}
    assert first['loss_dfr'].item() == second['loss_gated_crf'].item() > 0
    inside = small_maps(feats, labels, valid)[2]
    sure = (logits.softmax(1).amax(1) > 0.98) & inside
    share = sure.sum() / inside.sum()
    assert first['confident_share'].item() == pytest.approx(share.item())
    assert share > 0


def test_table_4_row_2_compares_the_deep_feature_itself():
    logits, feats, labels, valid = make_case()
    loss = MODELS.build(
        dict(DFR, feature_channels=None, feature_loss_weight=0, **LIKE_PAPER)
    )
    found = loss(logits, feats, labels, valid)
    assert list(loss.parameters()) == []
    colours, _, inside = small_maps(feats, labels, valid)
    deep = feats.module_inputs['decode_head.conv_seg']
    wanted = potts_energy(
        logits.softmax(1),
        torch.cat([colours / 0.5, deep / 50], 1),
        radius=2,
        sigma_xy=6.0,
        valid=inside,
    )
    assert found['loss_dfr'].item() == pytest.approx(
        0.01 * wanted.item(), rel=1e-5
    )
    assert 'loss_fd' not in found
