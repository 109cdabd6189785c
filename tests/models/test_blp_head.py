"""BLPHead: its branches, losses, self-training, and where it runs."""

import copy

import pytest
import torch
import torch.nn.functional as F

from mmseg_sparse.functional import blp_loss, self_training_labels
from tests.helpers import stock
from tests.helpers.sparse import config

HEAD = dict(
    type='BLPHead',
    in_channels=[8, 8, 16, 32],
    in_index=[0, 1, 2, 3],
    channels=12,
    num_classes=stock.NUM_CLASSES,
    dropout_ratio=0.0,
    norm_cfg=dict(type='BN'),
    self_training_confidence=0.3,
)
#: One sum over strokes and own labels at all pixels, as in the paper.
JOINT = dict(self_training_normalizer='joint', self_training_sample=None)
CE = dict(
    loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    scribble_loss=False,
)


def build(regularizers=(), **changes):
    cfg = config(regularizers)
    cfg.decode_head = HEAD | changes
    return stock.build(cfg)


def outputs(model, images, samples):
    """What the head gives in training, at the labels' size."""
    labels = torch.cat([s.gt_sem_seg.data for s in samples])
    valid = torch.ones_like(labels, dtype=torch.bool)
    valid[1, 56:] = False
    valid[1, :, 40:] = False
    feats = model.extract_feat(images)
    feats.labels, feats.valid, feats.regularized = labels, valid, True
    maps = model.decode_head.forward(feats)
    logits, scribble = (
        F.interpolate(m, labels.shape[1:], mode='bilinear') for m in maps
    )
    return logits, scribble, labels, valid


def by_hand_annotation_loss(scribble, labels, valid):
    """Eq. 1, pixel by pixel, padding left out."""
    log = scribble.double().log_softmax(1)
    total, count = 0.0, 0
    for n, y, x in valid.nonzero().tolist():
        label = labels[n, y, x].item()
        empty = label == 255
        target = stock.NUM_CLASSES if empty else label
        weight = 0.02 if empty else 1.0
        total -= weight * log[n, target, y, x].item()
        count += 1
    return total / count


def test_losses_are_those_of_the_functions(hub):
    images, samples = stock.batch()
    model = build()
    losses = model.loss(images, samples)
    logits, scribble, labels, valid = outputs(model, images, samples)
    expected = blp_loss(logits, scribble, labels, gamma=2.0)
    assert losses['decode.loss_blp'].item() == pytest.approx(
        expected.item(), rel=1e-5
    )
    expected = by_hand_annotation_loss(scribble, labels, valid)
    assert losses['decode.loss_annotation'].item() == pytest.approx(
        expected, rel=1e-4
    )
    assert 'decode.self_labeled_share' not in losses


def test_the_scribble_branch_trains_itself_alone(hub):
    images, samples = stock.batch()
    model = build()
    losses = model.loss(images, samples)
    losses['decode.loss_annotation'].backward()
    trained = {
        name for name, p in model.named_parameters() if p.grad is not None
    }
    assert trained
    assert all('scribble' in name for name in trained)
    model.zero_grad()
    model.loss(images, samples)['decode.loss_blp'].backward()
    trained = {
        name for name, p in model.named_parameters() if p.grad is not None
    }
    assert not any('scribble' in name for name in trained)
    others = {name for name, _ in model.named_parameters()} - trained
    assert all('scribble' in name for name in others)


def test_self_training_begins_with_its_iteration(hub):
    images, samples = stock.batch()
    model = build(self_training_begin=7, **JOINT)
    losses = {}
    for iteration in (0, 6, 7, 30):
        hub.update_info('iter', iteration)
        losses[iteration] = model.loss(images, samples)
        own = 'decode.self_labeled_share' in losses[iteration]
        assert own == (iteration >= 7)
    assert losses[0]['decode.loss_blp'] == losses[6]['decode.loss_blp']
    logits, scribble, labels, valid = outputs(model, images, samples)
    target = self_training_labels(logits, labels, confidence=0.3, valid=valid)
    own = (target != labels).sum()
    assert own > 0
    assert losses[7]['decode.self_labeled_share'].item() == pytest.approx(
        own.item() / valid.sum().item()
    )
    expected = blp_loss(logits, scribble, target)
    assert losses[7]['decode.loss_blp'].item() == pytest.approx(
        expected.item(), rel=1e-5
    )
    # The scribble branch goes on with what was drawn.
    name = 'decode.loss_annotation'
    assert losses[7][name] == losses[0][name]


def test_without_branch_and_self_training_it_is_stock_cross_entropy(hub):
    hub.update_info('iter', 20_000)
    images, samples = stock.batch()
    model = build(**CE, self_training_begin=None)
    losses = model.loss(images, samples)
    feats = model.extract_feat(images)
    labels = torch.cat([s.gt_sem_seg.data for s in samples])
    feats.valid = torch.ones_like(labels, dtype=torch.bool)
    feats.valid[1, 56:] = feats.valid[1, :, 40:] = False
    logits = F.interpolate(
        model.decode_head.forward(feats), (64, 64), mode='bilinear'
    )
    expected = F.cross_entropy(logits, labels, ignore_index=255)
    assert losses['decode.loss_ce'].item() == pytest.approx(
        expected.item(), rel=1e-5
    )
    assert not any('scribble' in name for name in model.state_dict())


def test_inference_runs_the_segmentation_branch_alone(hub, monkeypatch):
    images, samples = stock.batch()
    model = build().eval()
    expected = model.predict(images, copy.deepcopy(samples))
    head = model.decode_head
    for module in (head.scribble_branch, head.conv_scribble):
        monkeypatch.setattr(module, 'forward', None)  # not callable
    found = model.predict(images, samples)
    for a, b in zip(found, expected, strict=True):
        assert torch.equal(a.seg_logits.data, b.seg_logits.data)


def test_local_aggregation_is_part_of_the_prediction(hub):
    images, _ = stock.batch()
    with_lam, without = build(), build(local_aggregation=False)
    state = {
        name: value
        for name, value in with_lam.state_dict().items()
        if 'local_aggregation' not in name
    }
    without.load_state_dict(state)
    with torch.no_grad():
        feats = with_lam.eval().extract_feat(images)
        plain = without.eval().decode_head(feats)
        found = with_lam.decode_head(feats)
    expected = with_lam.decode_head.local_aggregation(plain, feats)
    assert torch.allclose(found, expected, atol=1e-6)
    assert (found - plain).abs().max() > 1e-4


@pytest.mark.parametrize('align_corners', [False, True])
@pytest.mark.parametrize('size', [(64, 64), (61, 47)])
def test_what_no_label_looks_at_is_left_out(
    size, align_corners, hub, monkeypatch
):
    """Losses and gradients are those of aggregating everything."""
    labels = torch.full((2, *size), 255)
    labels[0, 17, 3:9] = 1
    labels[1, 0, 30] = 2
    images, samples = stock.batch(height=size[0], width=size[1], labels=labels)
    results = []
    for everything in (False, True):
        model = build(align_corners=align_corners)
        lam = model.decode_head.local_aggregation
        seen = []
        plain = lam.forward

        def forward(*args, receiving, seen=seen, plain=plain, **kwargs):
            seen.append(receiving)
            kept = None if everything else receiving  # noqa: B023
            return plain(*args, receiving=kept, **kwargs)

        monkeypatch.setattr(lam, 'forward', forward)
        loss = model.loss(images, samples)['decode.loss_blp']
        loss.backward()
        assert 0 < seen[0].float().mean() < 0.3
        results.append((loss, *(p.grad for p in model.parameters())))
    for found, wanted in zip(*results, strict=True):
        assert (found is None) == (wanted is None)
        if found is not None:
            assert torch.allclose(found, wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    'changes',
    [
        dict(regularizers=[dict(type='KeepingRegularizer')]),
        dict(self_training_begin=0, self_training_sample=None),
        dict(
            loss_decode=dict(type='LovaszLoss', reduction='none'),
            scribble_loss=False,
        ),
    ],
)
def test_everything_is_aggregated_where_it_may_be_used(
    changes, hub, monkeypatch
):
    images, samples = stock.batch()
    model = build(**changes)
    lam, seen = model.decode_head.local_aggregation, []
    plain = lam.forward

    def forward(*args, receiving, **kwargs):
        seen.append(receiving)
        return plain(*args, receiving=receiving, **kwargs)

    monkeypatch.setattr(lam, 'forward', forward)
    model.loss(images, samples)
    assert seen == [None]


def test_annotation_logits_are_those_of_training(hub):
    images, _samples = stock.batch()
    model = build(branch_norm=False, norm_cfg=None)
    feats = model.extract_feat(images)
    _, expected = model.decode_head.forward(feats)
    assert expected.shape[1] == stock.NUM_CLASSES + 1
    found = model.decode_head.annotation_logits(feats)
    assert torch.equal(found, expected)
    with pytest.raises(ValueError, match='no scribble branch'):
        build(**CE).decode_head.annotation_logits(feats)


def test_branches_have_norms_as_said(hub):
    for norm, count in ((True, 2), (False, 0)):
        head = build(branch_norm=norm).decode_head
        for branch in (head.segmentation_branch, head.scribble_branch):
            kinds = [type(m).__name__ for m in branch.modules()]
            assert kinds.count('BatchNorm2d') == count
            assert kinds.count('Conv2d') == 2


def test_regularizers_see_the_segmentation_logits(hub):
    images, samples = stock.batch()
    model = build([dict(type='KeepingRegularizer')])
    model.loss(images, samples)
    logits, *_ = outputs(model, images, samples)
    found = F.interpolate(
        model.regularizers[0].logits, (64, 64), mode='bilinear'
    )
    assert torch.allclose(found, logits, atol=1e-6)


def test_table_five_learns_what_is_labelled(hub):
    images, samples = stock.batch()
    losses = [
        build(local_aggregation=dict(aggregate=kind)).loss(images, samples)
        for kind in ('all', 'labeled', 'unlabeled')
    ]
    values = {loss['decode.loss_blp'].item() for loss in losses}
    assert len(values) == 3


def test_high_level_features_are_the_decoders(hub):
    images, samples = stock.batch()
    model = build(local_aggregation=dict(use_high_level=True))
    model.loss(images, samples)['decode.loss_blp'].backward()
    lam = model.decode_head.local_aggregation
    assert lam.high_level.patches.weight.shape == (12, 12, 1, 1)
    assert lam.high_level.conv.weight.grad.abs().sum() > 0
    with torch.no_grad():
        feats = model.eval().extract_feat(images)
        head = model.decode_head
        deep = head.segmentation_branch(head._forward_feature(feats))
        head(feats)
    assert torch.equal(feats.module_inputs['decode_head.conv_seg'], deep)


@pytest.mark.parametrize('begin', [0, None])
def test_a_batch_without_labels_gives_zero(begin, hub):
    labels = torch.full((2, 64, 64), 255)
    images, samples = stock.batch(labels=labels)
    model = build(self_training_begin=begin)
    losses = model.loss(images, samples)
    assert losses['decode.loss_blp'].item() == 0
    loss, _ = model.parse_losses(losses)
    loss.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        (dict(sampler=dict(type='OHEMPixelSampler')), 'no pixel sampler, got'),
        (dict(scribble_loss=False), 'BLPLoss needs the scribble branch'),
        (dict(num_classes=2, out_channels=1, threshold=0.3), 'got 1'),
        (dict(self_training_begin=-3), r'in \[0, 1\] or None, got -3'),
        (dict(self_training_begin='10k'), "or None, got '10k'"),
        (dict(self_training_confidence=1.5), r'in \[0, 1\], or .* got 1\.5'),
        (dict(local_aggregation='on'), "True, False or a dict, got 'on'"),
        (dict(scribble_loss='on'), "True, False or a dict, got 'on'"),
        (
            dict(local_aggregation=dict(feature_from='decode_head.x')),
            "'decode_head.conv_seg', got 'decode_head.x'",
        ),
        (
            dict(
                scribble_loss=dict(type='AnnotationLoss', loss_name='loss_blp')
            ),
            "both called 'loss_blp'",
        ),
    ],
)
def test_refuses(changes, words, hub):
    with pytest.raises(ValueError, match=words):
        build(**changes)


def test_none_is_without_and_norms_are_there_by_default(hub):
    head = build(
        local_aggregation=None, norm_cfg=None, **CE | dict(scribble_loss=None)
    ).decode_head
    assert head.local_aggregation is None
    assert head.scribble_loss is None
    kinds = [type(m).__name__ for m in head.segmentation_branch.modules()]
    assert kinds.count('BatchNorm2d') == 2


def test_a_refiner_beside_it_is_refused(hub):
    cfg = config(refiner=dict(type='LocalAggregation'))
    cfg.decode_head = HEAD
    with pytest.raises(ValueError, match='BLPHead gives more in training'):
        stock.build(cfg)


def test_needs_the_image(hub):
    cfg = config()
    cfg.decode_head = HEAD
    cfg.type = 'EncoderDecoder'
    del cfg.regularizers
    model = stock.build(cfg)
    images, samples = stock.batch()
    with pytest.raises(ValueError, match='type="SparseEncoderDecoder"'):
        model.loss(images, samples)
