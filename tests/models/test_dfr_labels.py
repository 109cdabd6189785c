"""How DFR's losses see labels that are finer than the logits."""

import pytest
import torch
from mmseg.registry import MODELS

from mmseg_sparse.functional import feature_distance
from mmseg_sparse.functional.resize import agreed_labels
from mmseg_sparse.models.segmentors import Features

SIZE = (5, 7)


def by_loop(labels, size, ignore_index=255):
    """The class of all labels of a block, in blocks of 4×4."""
    found = torch.full((len(labels), *size), ignore_index)
    for n in range(len(labels)):
        for y in range(size[0]):
            for x in range(size[1]):
                block = labels[n, 4 * y : 4 * y + 4, 4 * x : 4 * x + 4]
                classes = set(block.unique().tolist()) - {ignore_index}
                if len(classes) == 1:
                    found[n, y, x] = classes.pop()
    return found


def points():
    """Single labelled pixels, two of which share a block and disagree."""
    labels = torch.full((2, 20, 28), 255)
    labels[0, 3, 3] = 2
    labels[0, 9, 17] = 0
    labels[1, 18, 1] = 1
    labels[1, 5, 6], labels[1, 6, 5] = 1, 3
    labels[1, 12, 20:24] = 254
    return labels


@pytest.mark.parametrize('ignore_index', [255, -1])
def test_no_point_is_lost_and_disagreement_is_no_label(ignore_index):
    labels = points()
    labels[labels == 255] = ignore_index
    kept = labels.clone()
    found = agreed_labels(labels, SIZE, ignore_index)
    assert found.dtype == torch.int64
    assert torch.equal(found, by_loop(labels, SIZE, ignore_index))
    assert torch.equal(labels, kept)
    assert (found != ignore_index).sum() == 4


def case(classes=5):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, classes, *SIZE, generator=generator)
    feats = Features((), torch.randn(2, 3, 20, 28, generator=generator))
    deep = torch.randn(2, 6, *SIZE, generator=generator)
    feats.module_inputs = {'decode_head.conv_seg': deep}
    return logits, feats, torch.ones(2, 20, 28, dtype=torch.bool)


def build(**changes):
    torch.manual_seed(0)
    options = dict(
        type='DFRLoss', in_channels=6, feature_channels=4, sigma_feature=1.0,
        radius=3, background=None,
    )  # fmt: skip
    return MODELS.build(options | changes)


def test_given_labels_of_single_pixels_train_the_feature():
    logits, feats, valid = case()
    labels = points()
    labels[labels == 254] = 4
    loss = build(supervision='labels', radius=5)
    found = loss(logits, feats, labels, valid)['loss_fd']
    feature = loss.conv(feats.module_inputs['decode_head.conv_seg']).relu()
    wanted = 0.001 * feature_distance(
        feature, by_loop(labels, SIZE), radius=5, background=None
    )
    assert wanted > 0
    assert found.item() == pytest.approx(wanted.item(), rel=1e-5)


@pytest.mark.parametrize('kind', ['DFRLoss', 'GatedCRFLoss'])
def test_unlabeled_only_leaves_every_block_with_a_label_out(kind):
    logits, feats, valid = case()
    logits.requires_grad_()
    loss = build(unlabeled_only=True)
    if kind == 'GatedCRFLoss':
        loss = MODELS.build(dict(type=kind, radius=3, unlabeled_only=True))
    labels = points()
    found = loss(logits, feats, labels, valid)[loss.loss_name]
    (gradient,) = torch.autograd.grad(found, logits)
    labelled = torch.zeros(2, *SIZE, dtype=torch.bool)
    labelled[0, 0, 0] = labelled[0, 2, 4] = True
    labelled[1, 4, 0] = labelled[1, 1, 1] = labelled[1, 3, 5] = True
    assert torch.equal(gradient.abs().sum(1) == 0, labelled)


def test_class_255_is_a_class():
    logits, feats, valid = case(classes=300)
    logits[:, 255] += 100
    logits[:, 7, :2] += 300
    labels = torch.full((2, 20, 28), 255)
    losses = build()(logits, feats, labels, valid)
    assert losses['confident_share'] == 1
    assert losses['loss_fd'] > 0
    low = logits.clone()
    low[:, 8], low[:, 255] = logits[:, 255], logits[:, 8]
    other = build()(low, feats, labels, valid)
    assert torch.equal(other['loss_fd'], losses['loss_fd'])


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_autocast_is_near_float32(dtype):
    logits, feats, valid = case()
    labels = points()
    labels[labels == 254] = 4
    loss = build(supervision='both', confidence=0.3)
    wanted = loss(logits, feats, labels, valid)
    with torch.autocast('cpu', dtype):
        found = loss(logits.to(dtype), feats, labels, valid)
    for name, value in found.items():
        assert value.dtype == torch.float32
        assert value.item() == pytest.approx(wanted[name].item(), rel=2e-2)
    sum(v for k, v in found.items() if 'loss' in k).backward()
    assert torch.isfinite(loss.conv.weight.grad).all()


def test_kernels_must_be_a_list():
    with pytest.raises(TypeError, match='a list of dicts, got the dict'):
        MODELS.build(dict(type='GatedCRFLoss', kernels=dict(sigma_xy=6.0)))
