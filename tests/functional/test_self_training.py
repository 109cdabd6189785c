import pytest
import torch

from mmseg_sparse.functional import self_training_labels
from tests.reference import blpseg as reference


@pytest.fixture
def case():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 4, 7, 11, generator=generator) * 3
    labels = torch.full((3, 7, 11), 9)
    labels[0, 1, 2:8] = 3
    labels[0, 5, 5] = 0
    labels[1, 2:4, 6] = 1
    valid = torch.ones(3, 7, 11, dtype=torch.bool)
    valid[1, :, 9:] = False
    valid[0, 6:] = False
    return logits, labels, valid


@pytest.mark.parametrize('confidence', [0.0, 0.4, 0.9, 1.0])
def test_equals_the_loop(case, confidence):
    logits, labels, valid = case
    copies = [x.clone() for x in case]
    found = self_training_labels(
        logits, labels, confidence=confidence, valid=valid, ignore_index=9
    )
    expected = reference.self_training_labels(
        logits, labels, confidence=(confidence, confidence), valid=valid,
        ignore_index=9,
    )  # fmt: skip
    assert torch.equal(found, expected)
    assert all(map(torch.equal, case, copies))
    if confidence == 0.4:
        # every rule is seen: sure and unsure, an image without labels
        new = (found != 9) & (labels == 9)
        assert 0 < new[0].sum() < (labels[0] == 9).sum()
        assert set(found[0].unique().tolist()) == {0, 3, 9}
        assert (found[2] == 9).all()


@pytest.mark.parametrize('confidence', [(0.0, 1.0), (0.3, 0.7), (0.8, 0.95)])
@pytest.mark.parametrize('everything', [False, True])
def test_thresholds_of_classes_equal_the_loop(case, confidence, everything):
    logits, labels, valid = case
    options = dict(confidence=confidence, valid=valid, ignore_index=9)
    if everything:  # classes that no stroke names, and a sample of pixels
        options['present'] = torch.ones(3, 4, dtype=torch.bool)
        options['candidates'] = torch.rand(3, 7, 11) < 0.6
    logits = logits.double()
    found = self_training_labels(logits, labels, **options)
    expected = reference.self_training_labels(logits, labels, **options)
    assert torch.equal(found, expected)
    new = found[(found != 9) & (labels == 9)]
    assert set(new.tolist()) == ({0, 1, 2, 3} if everything else {0, 1, 3})


def test_threshold_of_a_class_by_hand():
    # Class 0 is predicted with 0.9 and 0.7, so its threshold is 0.8; class 1
    # with 0.55, 0.6 and 0.65: 0.6. A fixed threshold would leave class 1 out.
    sure = torch.tensor([0.9, 0.7, 0.45, 0.4, 0.35, 0.5], dtype=torch.float64)
    logits = torch.stack([sure, 1 - sure]).log()[None, :, None]
    labels = torch.tensor([[[255, 255, 255, 255, 255, 0]]])
    both = torch.ones(1, 2, dtype=torch.bool)
    found = self_training_labels(
        logits, labels, confidence=(0.5, 0.95), present=both
    )
    assert found.tolist() == [[[0, 255, 255, 1, 1, 0]]]
    found = self_training_labels(logits, labels, confidence=0.8, present=both)
    assert found.tolist() == [[[0, 255, 255, 255, 255, 0]]]


def test_by_hand():
    # p = (0.95, 0.05), (0.05, 0.95), (0.6, 0.4); class 1 is labelled once
    prob = torch.tensor([[0.95, 0.05, 0.6, 0.5], [0.05, 0.95, 0.4, 0.5]])
    labels = torch.tensor([[[255, 255, 255, 1]]])
    found = self_training_labels(prob.log()[None, :, None], labels)
    assert found.tolist() == [[[255, 1, 255, 1]]]


def test_half_precision_gives_the_labels_of_its_values(case):
    logits, labels, valid = case
    low = logits.bfloat16()
    found = self_training_labels(
        low, labels, confidence=0.4, valid=valid, ignore_index=9
    )
    expected = reference.self_training_labels(
        low, labels, confidence=(0.4, 0.4), valid=valid, ignore_index=9
    )
    assert torch.equal(found, expected)


def test_carries_no_gradient(case):
    logits, labels, _ = case
    logits.requires_grad_()
    assert not self_training_labels(
        logits, labels, ignore_index=9
    ).requires_grad


def test_refuses_what_does_not_fit(case):
    logits, labels, valid = case
    with pytest.raises(ValueError, match=r'\(3, 4, 7, 11\), \(3, 7, 10\)'):
        self_training_labels(logits, labels[..., :10])
    with pytest.raises(ValueError, match=r'confidence .* got 1\.5'):
        self_training_labels(logits, labels, confidence=1.5)
    with pytest.raises(ValueError, match=r'rising order, got \(0\.9, 0\.5\)'):
        self_training_labels(logits, labels, confidence=(0.9, 0.5))
    with pytest.raises(ValueError, match=r'expected valid \(3, 7, 11\)'):
        self_training_labels(logits, labels, valid=valid[:2])
    with pytest.raises(ValueError, match=r'expected present \(3, 4\)'):
        self_training_labels(logits, labels, present=valid[:, 0, :3])
