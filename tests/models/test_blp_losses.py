"""The registered losses of BLPHead."""

import pytest
import torch
from mmseg.registry import MODELS

from mmseg_sparse.functional import annotation_loss, blp_loss


@pytest.fixture
def case():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 4, 5, generator=generator)
    scribble = torch.randn(2, 4, 4, 5, generator=generator)
    labels = torch.full((2, 4, 5), 9)
    labels[0, 1, 1:4] = torch.tensor([0, 2, 1])
    labels[1, 3, 0] = 2
    valid = torch.ones(2, 4, 5, dtype=torch.bool)
    valid[1, :2] = False
    return logits, scribble, labels, valid


def test_blp_loss_is_its_function_times_its_weight(case):
    logits, scribble, labels, _ = case
    options = dict(gamma=0.7, normalizer='labels', detach_weight=False)
    loss = MODELS.build(dict(type='BLPLoss', loss_weight=0.3, **options))
    found = loss(logits, labels, ignore_index=9, scribble_logits=scribble)
    wanted = blp_loss(logits, scribble, labels, ignore_index=9, **options)
    assert found.item() == pytest.approx(0.3 * wanted.item())
    assert not loss.state_dict()


def test_annotation_loss_is_its_function_times_its_weight(case):
    _, scribble, labels, valid = case
    loss = MODELS.build(
        dict(type='AnnotationLoss', loss_weight=0.3, empty_weight=0.4)
    )
    found = loss(scribble, labels, valid=valid, ignore_index=9)
    wanted = annotation_loss(
        scribble, labels, valid=valid, empty_weight=0.4, ignore_index=9
    )
    assert found.item() == pytest.approx(0.3 * wanted.item())


def test_defaults_are_the_papers(case):
    logits, scribble, labels, valid = case
    found = MODELS.build(dict(type='BLPLoss'))(
        logits, labels, ignore_index=9, scribble_logits=scribble
    )
    wanted = blp_loss(
        logits, scribble, labels, gamma=2.0, normalizer='weights',
        ignore_index=9,
    )  # fmt: skip
    assert torch.equal(found, wanted)
    found = MODELS.build(dict(type='AnnotationLoss'))(
        scribble, labels, valid=valid, ignore_index=9
    )
    wanted = annotation_loss(
        scribble, labels, valid=valid, empty_weight=0.02, ignore_index=9
    )
    assert torch.equal(found, wanted)


def test_errors(case):
    logits, scribble, labels, _ = case
    loss = MODELS.build(dict(type='BLPLoss'))
    with pytest.raises(ValueError, match='needs the scribble branch'):
        loss(logits, labels)
    with pytest.raises(ValueError, match=r'BLPLoss .* sampler=None'):
        loss(logits, labels, labels.float(), scribble_logits=scribble)
    for kind in ('BLPLoss', 'PartialFocalLoss'):
        with pytest.raises(ValueError, match=r'gamma .* got -1'):
            MODELS.build(dict(type=kind, gamma=-1))
        with pytest.raises(ValueError, match=r"normalizer .* got 'mean'"):
            MODELS.build(dict(type=kind, normalizer='mean'))
    with pytest.raises(ValueError, match=r'empty_weight .* got -1'):
        MODELS.build(dict(type='AnnotationLoss', empty_weight=-1))
