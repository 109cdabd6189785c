"""SparseEncoderDecoder in the place of mmseg's own segmentors."""

import pytest
import torch
from mmseg.registry import MODELS
from torch import nn

from tests.helpers import stock


@MODELS.register_module()
class ProbeRegularizer(nn.Module):
    """Looks at all that a regularizer is given; learns a projection."""

    def __init__(self, feature_from):
        super().__init__()
        self.feature_from = feature_from
        self.scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, logits, feats, labels, valid):
        feature = feats.module_inputs[self.feature_from]
        self.seen = (logits.detach(), feats, labels, valid)
        prob = logits.softmax(1)
        return {
            'loss_probe': self.scale * (prob * prob).sum(1).mean()
            + 1e-3 * feature.float().square().mean(),
            'probe_share': valid.float().mean(),
        }


def sparse_config(name):
    cfg = stock.stock_model_config(name)
    _, _, _, stages, feature_from = stock.STOCK[name]
    cfg.type = 'SparseEncoderDecoder'
    cfg.regularizers = [
        dict(type='ProbeRegularizer', feature_from=feature_from)
    ]
    if stages:
        cfg.regularizers.append(
            dict(type='AttentionAffinityLoss', stages=stages)
        )
    return cfg


def total(losses):
    return sum(
        sum(v) if isinstance(v, list) else v
        for k, v in losses.items()
        if 'loss' in k
    )


@pytest.mark.parametrize('name', stock.STOCK)
def test_trains_and_predicts_as_the_stock_model(name):
    images, samples = stock.batch()
    plain = stock.build(stock.stock_model_config(name))
    sparse = stock.build(sparse_config(name), seed=1)

    # keys: the stock ones, then the regularizers' own
    keys = list(sparse.state_dict())
    assert keys[: len(plain.state_dict())] == list(plain.state_dict())
    assert keys[len(plain.state_dict()) :] == ['regularizers.0.scale']
    missing = sparse.load_state_dict(plain.state_dict(), strict=False)
    assert missing.missing_keys == ['regularizers.0.scale']

    # predictions: bit for bit
    plain.train(False)
    sparse.train(False)
    with torch.no_grad():
        expected = plain.predict(images, [s.clone() for s in samples])
        actual = sparse.predict(images, [s.clone() for s in samples])
    for a, b in zip(expected, actual, strict=True):
        assert torch.equal(a.seg_logits.data, b.seg_logits.data)

    # losses: the stock ones, and what the regularizers add
    plain.train(True)
    sparse.train(True)
    expected = plain.loss(images, samples)
    actual = sparse.loss(images, samples)
    for key, value in expected.items():
        torch.testing.assert_close(
            actual.pop(key), value, rtol=1e-3, atol=1e-3
        )
    stages = stock.STOCK[name][3]
    extra = {'labeled_share', 'decode.loss_probe', 'decode.probe_share'}
    extra |= {'decode.loss_affinity'} if stages else set()
    assert set(actual) == extra

    # what they were given
    logits, feats, labels, valid = sparse.regularizers[0].seen
    assert torch.equal(feats.image, images)
    inside = torch.ones(2, 64, 64, dtype=torch.bool)
    inside[1, 56:] = False
    inside[1, :, 40:] = False
    assert torch.equal(valid, inside)
    assert torch.equal(labels[0], samples[0].gt_sem_seg.data[0])
    assert logits.shape[:2] == (2, stock.NUM_CLASSES)
    share = ((labels != 255) & inside).sum() / inside.sum()
    assert actual['labeled_share'].item() == pytest.approx(share.item())
    assert [len(layers) > 0 for layers in feats.attention] == (
        [i in stages for i in range(len(feats.attention))] if stages else []
    )

    # gradients
    (total(expected) * 0 + total(actual)).backward()
    assert sparse.regularizers[0].scale.grad.abs() > 0
    grads = [p.grad for p in sparse.backbone.parameters()]
    grads = [grad for grad in grads if grad is not None]
    assert all(torch.isfinite(grad).all() for grad in grads)
    assert any(grad.abs().sum() > 0 for grad in grads)
    hooks = [
        m for m in sparse.modules() if m._forward_pre_hooks or m._forward_hooks
    ]
    assert not hooks


@pytest.mark.parametrize('name', ['segformer', 'ocrnet', 'upernet-swin'])
def test_regularizers_are_optional(name):
    """Swapping the type alone changes nothing but the share in the log."""
    images, samples = stock.batch()
    cfg = stock.stock_model_config(name)
    plain = stock.build(cfg)
    cfg = stock.stock_model_config(name)
    cfg.type = 'SparseEncoderDecoder'
    sparse = stock.build(cfg)
    expected = plain.loss(images, samples)
    actual = sparse.loss(images, samples)
    assert actual.pop('labeled_share') > 0
    assert expected.keys() == actual.keys()
    for key, value in expected.items():
        assert torch.equal(actual[key], value)
