import pytest
import torch

from mmseg_sparse.functional import self_training_labels


def by_loop(logits, labels, confidence, valid, ignore_index):
    """The docstring, one pixel at a time."""
    found = labels.clone()
    prob = logits.double().softmax(1)
    for n in range(len(labels)):
        present = set(labels[n].unique().tolist()) - {ignore_index}
        for y in range(labels.shape[1]):
            for x in range(labels.shape[2]):
                if labels[n, y, x] != ignore_index or not valid[n, y, x]:
                    continue
                scores = {c: prob[n, c, y, x].item() for c in present}
                if not scores:
                    continue
                best = max(scores, key=scores.get)
                if scores[best] >= confidence:
                    found[n, y, x] = best
    return found


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
    expected = by_loop(logits, labels, confidence, valid, 9)
    assert torch.equal(found, expected)
    assert all(map(torch.equal, case, copies))
    if confidence == 0.4:
        # every rule is seen: sure and unsure, an image without labels
        new = (found != 9) & (labels == 9)
        assert 0 < new[0].sum() < (labels[0] == 9).sum()
        assert set(found[0].unique().tolist()) == {0, 3, 9}
        assert (found[2] == 9).all()


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
    assert torch.equal(found, by_loop(low, labels, 0.4, valid, 9))


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
    with pytest.raises(ValueError, match=r'expected valid \(3, 7, 11\)'):
        self_training_labels(logits, labels, valid=valid[:2])
