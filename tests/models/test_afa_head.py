"""AFAHead: classifier, activation, affinity, and where it runs."""

import copy

import pytest
import torch
import torch.nn.functional as F

from mmseg_sparse.functional import (
    balanced_cross_entropy,
    mean_attention,
    top_k_pool,
)
from mmseg_sparse.models.backbones import AttentionRecorder
from mmseg_sparse.models.decode_heads.affinity_from_attention import (
    AffinityFromAttention,
)
from mmseg_sparse.models.segmentors import Features
from tests.helpers import afa, stock


def build(**changes):
    return stock.build(afa.head_config(**changes))


def recorded(model, images, stages=(3,)):
    with AttentionRecorder(model.backbone, stages) as attention:
        maps = model.backbone(images)
    return Features(maps, images, attention)


def inside(samples):
    valid = torch.zeros(2, 64, 64, dtype=torch.bool)
    for mask, sample in zip(valid, samples, strict=True):
        height, width = sample.img_shape
        mask[:height, :width] = True
    return valid


def eq11(scores, tags):
    """Class by class, image by image."""
    total = 0.0
    for row, hot in zip(scores.double(), tags, strict=True):
        for score, y in zip(row, hot, strict=True):
            p = 1 / (1 + (-score).exp())
            total -= (y * p.log() + (1 - y) * (1 - p).log()).item() / len(hot)
    return total / len(scores)


@pytest.mark.parametrize('pooling', ['gmp', 'gap', 0.3])
def test_losses_are_those_of_the_formulas(pooling):
    images, samples = afa.batch()
    samples[0].gt_sem_seg.data[0, 5:30, 7:20] = 2
    samples[1].gt_sem_seg.data[0, 8:12, 3:11] = 0
    model = build(pooling=pooling)
    losses = model.loss(images, samples)

    feature = model.backbone(images)[3].double()
    valid = F.adaptive_max_pool2d(inside(samples)[:, None].float(), 2)[:, 0]
    assert valid.sum() < valid.numel()  # padding as wide as a token
    pooled = top_k_pool(feature, pooling=pooling, valid=valid > 0)
    scores = (
        pooled @ model.decode_head.classifier.weight[:, :, 0, 0].T.double()
    )
    tags = torch.stack([sample.gt_label for sample in samples])
    assert losses['decode.loss_cls'].item() == pytest.approx(
        eq11(scores, tags), rel=1e-5
    )

    logits, _ = model.decode_head.forward(model.extract_feat(images))
    labels = torch.cat([s.gt_sem_seg.data for s in samples])
    logits = F.interpolate(logits, (64, 64), mode='bilinear')
    expected = 0.1 * balanced_cross_entropy(logits, labels)
    assert losses['decode.loss_seg'].item() == pytest.approx(
        expected.item(), rel=1e-5
    )


def test_the_classifier_is_its_own_activation():
    """Eq. 2: the mean of a class's map is its score by average pooling."""
    images, _ = afa.batch()
    model = build(pooling='gap')
    feats = model.extract_feat(images)
    head = model.decode_head
    maps = head.activation(feats)
    assert maps.shape[1] == stock.NUM_CLASSES - 1
    assert (maps < 0).any()
    found = head.classify(feats)
    assert torch.allclose(maps.mean((2, 3)), found, atol=1e-6)


@pytest.mark.parametrize('scaled', [True, False])
def test_affinity_is_a_convolution_over_the_heads(scaled):
    images, _ = afa.batch(height=96, width=64)
    model = build(scaled_attention=scaled)
    feats = recorded(model, images)
    (layer,) = feats.attention[3]
    s = layer.query @ layer.key.transpose(2, 3)
    s = s * layer.scale if scaled else s
    conv = model.decode_head.affinity.conv
    expected = conv(s + s.transpose(2, 3)).sigmoid()[:, 0]
    found = model.decode_head.affinities(feats)
    assert found.shape == (2, 6, 6)
    assert torch.allclose(found, expected, atol=1e-6)
    found.sum().backward()
    assert conv.weight.grad.any()
    assert conv.bias.grad.any()
    attention = model.backbone.layers[3][1][0].attn.attn
    assert attention.in_proj_weight.grad.any()
    assert torch.allclose(
        mean_attention([layer]), layer.dense().mean(1), atol=1e-6
    )


def test_affinity_refuses_attention_that_is_not_square():
    images, _ = afa.batch()
    model = build(attention_stage=1, attention_heads=1)
    feats = recorded(model, images, [1])
    with pytest.raises(ValueError, match=r'stage 1: .*8x8 to keys on 2x2'):
        model.decode_head.affinities(feats)


def test_affinity_refuses_other_heads_and_what_was_not_recorded():
    images, _ = afa.batch()
    model = build(attention_heads=16)
    with pytest.raises(ValueError, match=r'stage 3: .* each of 4 heads'):
        model.decode_head.affinities(recorded(model, images))
    with pytest.raises(ValueError, match='type="AFASegmentor"'):
        model.decode_head.affinities(model.extract_feat(images))
    without = build(attention_heads=None).decode_head
    assert without.attention_stages == ()
    assert not any('affinity' in key for key in without.state_dict())
    with pytest.raises(ValueError, match='attention_heads=None'):
        without.affinities(recorded(model, images))


def test_inference_is_the_stock_head(monkeypatch):
    images, samples = afa.batch()
    model = build().eval()
    cfg = afa.head_config()
    cfg.decode_head = {
        key: value
        for key, value in afa.HEAD.items()
        if key != 'attention_heads'
    } | dict(type='SegformerHead')
    plain = stock.build(cfg).eval()
    state = {
        key: value
        for key, value in model.state_dict().items()
        if 'classifier' not in key and 'affinity' not in key
    }
    plain.load_state_dict(state)
    monkeypatch.setattr(model.decode_head.classifier, 'forward', None)
    found = model.predict(images, copy.deepcopy(samples))
    expected = plain.predict(images, samples)
    for a, b in zip(found, expected, strict=True):
        assert torch.equal(a.seg_logits.data, b.seg_logits.data)


def test_every_class_may_be_a_tag():
    images, samples = afa.batch(tags=[[1, 0, 1, 0, 1], [0, 0, 0, 0, 0]])
    model = build(background=None)
    losses = model.loss(images, samples)
    assert torch.isfinite(losses['decode.loss_cls'])
    with pytest.raises(ValueError, match=r'hold 4 tags .*shape \(5,\)'):
        build().loss(images, samples)


def test_needs_tags():
    images, samples = afa.batch()
    samples[1].pop('gt_label')
    with pytest.raises(ValueError, match='end with PackSparseInputs'):
        build().loss(images, samples)


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        (dict(sampler=dict(type='OHEMPixelSampler')), 'no pixel sampler'),
        (dict(background=5), 'one of 5 classes, got 5'),
        (dict(pooling='max'), "'gap' or a share"),
        (dict(attention_heads=0), 'attention_heads must be positive, got 0'),
    ],
)
def test_refuses(changes, words):
    with pytest.raises(ValueError, match=words):
        build(**changes)


def test_the_affinity_starts_as_in_the_release():
    """Kaiming's normal of the fan out: sqrt(2 / (1 + 5)) / 1."""
    torch.manual_seed(0)
    module = AffinityFromAttention(4000, stage=3)
    assert module.conv.weight.std().item() == pytest.approx(0.577, rel=0.05)
    assert abs(module.conv.weight.mean().item()) < 0.03
