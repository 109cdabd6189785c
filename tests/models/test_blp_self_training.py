"""How BLPHead learns from its own labels."""

import pytest
import torch
import torch.nn.functional as F

from mmseg_sparse.functional.resize import (
    fully_valid_on_grid,
    valid_on_grid,
)
from mmseg_sparse.models.progress import has_begun
from tests.helpers import stock
from tests.models.test_blp_head import JOINT, build
from tests.reference import blpseg as reference


@pytest.fixture
def hub(hub):
    hub.update_info('iter', 3)
    hub.update_info('max_iters', 12)
    return hub


def strokes(size=(64, 64)):
    labels = torch.full((2, *size), 255)
    labels[0, 17, 3:19] = 1
    labels[0, 40:43, 30] = 3
    labels[1, 8, 2:7] = 2
    return stock.batch(height=size[0], width=size[1], labels=labels)


def outputs(model, images, samples, size=None):
    """Both logits in float64, the labels, and what is no padding."""
    labels = torch.cat([s.gt_sem_seg.data for s in samples])
    valid = torch.ones_like(labels, dtype=torch.bool)
    height, width = samples[1].img_shape
    valid[1, height:] = valid[1, :, width:] = False
    feats = model.extract_feat(images)
    feats.labels, feats.valid, feats.regularized = labels, valid, True
    with torch.no_grad():
        maps = model.decode_head.forward(feats)
    if size is None:
        size = labels.shape[1:]
    logits, scribble = (
        m.double()
        if m.shape[2:] == size
        else F.interpolate(m, size, mode='bilinear').double()
        for m in maps
    )
    return logits, scribble, labels, valid


@pytest.mark.parametrize(
    ('begin', 'first'), [(5, 5), (0.25, 3), (0.3, 4), (0.0, 0), (1.0, 12)]
)
def test_a_float_is_a_fraction_of_the_training(hub, begin, first):
    for iteration in range(14):
        hub.update_info('iter', iteration)
        assert has_begun(begin) == (iteration >= first)
    assert not has_begun(None)


def test_a_training_of_unknown_length_has_no_fraction(hub, monkeypatch):
    monkeypatch.setattr(
        'mmseg_sparse.models.progress.training_length', lambda: None
    )
    assert has_begun(0.0)
    assert not has_begun(0.1)
    assert has_begun(3)


@pytest.mark.parametrize('present_only', [True, False])
def test_strokes_and_own_labels_have_a_sum_each(hub, present_only):
    images, samples = strokes((32, 32))
    model = build(
        self_training_confidence=(0.1, 0.3),
        self_training_sample=None,
        self_training_weight=0.7,
        self_training_present=present_only,
    )
    losses = model.loss(images, samples)
    logits, scribble, labels, valid = outputs(model, images, samples)
    classes = None
    if not present_only:
        classes = torch.ones(2, stock.NUM_CLASSES, dtype=torch.bool)
    both = reference.self_training_labels(
        logits, labels, confidence=(0.1, 0.3), present=classes, valid=valid
    )
    own = both.masked_fill(labels != 255, 255)
    assert (own != 255).any()
    for name, target, factor in (('', labels, 1.0), ('_own', own, 0.7)):
        wanted = factor * reference.blp_loss(
            logits, scribble, target, gamma=2.0, normalizer='weights'
        )
        found = losses[f'decode.loss_blp{name}'].item()
        assert found == pytest.approx(wanted, rel=1e-4)
    share = (own != 255).sum().item() / valid.sum().item()
    assert losses['decode.self_labeled_share'].item() == pytest.approx(share)


@pytest.mark.parametrize('size', [(64, 64), (61, 47)])
def test_a_sample_of_the_logits_is_learned_at(hub, size):
    images, samples = strokes(size)
    model = build(self_training_sample=0.4)
    losses = model.loss(images, samples)
    grid = tuple(-(-side // 4) for side in size)
    logits, scribble, labels, valid = outputs(model, images, samples, grid)
    drawn = model.decode_head.self_training.drawn(logits)
    assert 0.2 < drawn.float().mean() < 0.6
    free = fully_valid_on_grid(valid, grid)
    share = (drawn & free).sum().item()
    free = free & ~valid_on_grid(labels != 255, grid)
    named = torch.zeros(2, stock.NUM_CLASSES, dtype=torch.bool)
    named[0, [1, 3]] = named[1, 2] = True
    own = reference.self_training_labels(
        logits,
        torch.full((2, *grid), 255),
        confidence=(0.3, 0.3),
        candidates=drawn & free,
        present=named,
    )
    assert (own != 255).any()
    wanted = reference.blp_loss(
        logits, scribble, own, gamma=2.0, normalizer='weights'
    )
    found = losses['decode.loss_blp_own'].item()
    assert found == pytest.approx(wanted, rel=1e-4)
    share = (own != 255).sum().item() / share
    assert losses['decode.self_labeled_share'].item() == pytest.approx(share)


def test_each_iteration_draws_other_pixels(hub):
    head = build(self_training_sample=0.2).decode_head
    logits = torch.zeros(2, 5, 16, 16)
    first = head.self_training.drawn(logits)
    assert torch.equal(first, head.self_training.drawn(logits))
    state = torch.get_rng_state()
    hub.update_info('iter', 4)
    assert not torch.equal(first, head.self_training.drawn(logits))
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize('begin', [None, 0])
def test_logits_that_nothing_looks_at_are_not_averaged(
    hub, begin, monkeypatch
):
    """Losses and gradients are those of averaging all logits."""
    images, samples = strokes()
    results = []
    for everything in (False, True):
        model = build(self_training_begin=begin, self_training_sample=0.1)
        lam = model.decode_head.local_aggregation
        plain, seen = lam.forward, []

        def forward(*args, receiving, seen=seen, plain=plain, **kwargs):
            seen.append(receiving)
            kept = None if everything else receiving  # noqa: B023
            return plain(*args, receiving=kept, **kwargs)

        monkeypatch.setattr(lam, 'forward', forward)
        losses = model.loss(images, samples)
        loss, _ = model.parse_losses(losses)
        loss.backward()
        assert seen[0].float().mean() < 0.4
        results.append((loss, *(p.grad for p in model.parameters())))
    for found, wanted in zip(*results, strict=True):
        assert torch.allclose(found, wanted, rtol=1e-4, atol=1e-6)


def test_an_attached_scribble_branch_trains_the_decoder(hub):
    images, samples = strokes()
    model = build(detach_scribble=False)
    model.loss(images, samples)['decode.loss_annotation'].backward()
    for name in ('fpn_bottleneck.conv.weight', 'conv_scribble.weight'):
        grad = model.decode_head.get_parameter(name).grad
        assert grad is not None
        assert grad.abs().sum() > 0
    assert model.decode_head.conv_seg.weight.grad is None


def test_the_weight_may_have_a_gradient(hub):
    images, samples = strokes()
    grads = []
    for detach in (True, False):
        model = build(
            loss_decode=dict(type='BLPLoss', detach_weight=detach),
            detach_scribble=False,
        )
        model.loss(images, samples)['decode.loss_blp'].backward()
        grads.append(model.decode_head.conv_scribble.weight.grad)
    assert grads[0] is None
    assert grads[1].abs().sum() > 0


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        (dict(self_training_begin=1.5), r'in \[0, 1\] or None, got 1\.5'),
        (dict(self_training_begin=True), r'or None, got True'),
        (dict(self_training_normalizer='mean'), "got 'mean'"),
        (dict(self_training_weight=-1), 'weight must be at least 0, got -1'),
        (dict(self_training_sample=0), r'sample must lie in \(0, 1\].*got 0'),
        (JOINT | dict(self_training_sample=0.1), 'sample=None.*got 0.1 and 1'),
        (JOINT | dict(self_training_weight=2), 'got None and 2'),
        (dict(self_training_confidence=(0.9, 0.5)), r'got \(0\.9, 0\.5\)'),
    ],
)
def test_refuses(hub, changes, words):
    with pytest.raises(ValueError, match=words):
        build(**changes)


def test_joint_is_the_sum_over_both(hub):
    images, samples = strokes((32, 32))
    model = build(**JOINT)
    losses = model.loss(images, samples)
    assert 'decode.loss_blp_own' not in losses
    logits, scribble, labels, valid = outputs(model, images, samples)
    both = reference.self_training_labels(
        logits, labels, confidence=(0.3, 0.3), valid=valid
    )
    wanted = reference.blp_loss(
        logits, scribble, both, gamma=2.0, normalizer='weights'
    )
    found = losses['decode.loss_blp'].item()
    assert found == pytest.approx(wanted, rel=1e-4)
    accuracy = (logits.argmax(1) == labels)[labels != 255].double().mean()
    assert losses['decode.acc_seg'].item() == pytest.approx(100 * accuracy)


def test_other_losses_learn_from_own_labels_too(hub):
    images, samples = strokes((32, 32))
    ce = dict(type='CrossEntropyLoss', avg_non_ignore=True)
    model = build(loss_decode=ce, self_training_sample=None)
    losses = model.loss(images, samples)
    logits, _, labels, valid = outputs(model, images, samples)
    both = reference.self_training_labels(
        logits, labels, confidence=(0.3, 0.3), valid=valid
    )
    own = both.masked_fill(labels != 255, 255)
    for name, target in (('', labels), ('_own', own)):
        wanted = F.cross_entropy(logits, target, ignore_index=255)
        found = losses[f'decode.loss_ce{name}']
        assert found.item() == pytest.approx(wanted.item(), rel=1e-4)
