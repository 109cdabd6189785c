import math

import pytest
import torch

from mmseg_sparse.functional import balanced_cross_entropy


def by_loop(logits, labels, background, ignore_index):
    """The docstring, one pixel at a time."""
    parts = {True: [], False: []}
    log = logits.double().log_softmax(1)
    for n, y, x in (labels != ignore_index).nonzero().tolist():
        label = labels[n, y, x].item()
        parts[label == background].append(-log[n, label, y, x].item())
    means = [math.fsum(p) / len(p) if p else 0.0 for p in parts.values()]
    return means[1] if background is None else sum(means) / 2


@pytest.fixture
def case():
    generator = torch.Generator().manual_seed(2)
    logits = torch.randn(2, 4, 5, 7, dtype=torch.float64, generator=generator)
    labels = torch.randint(0, 4, (2, 5, 7), generator=generator)
    labels[0, :2] = 9
    labels[1, 1:4, 2] = 0
    return logits, labels


@pytest.mark.parametrize('background', [0, 2, None])
def test_equals_the_loop(case, background):
    logits, labels = case
    copies = [x.clone() for x in case]
    found = balanced_cross_entropy(
        logits, labels, background=background, ignore_index=9
    )
    expected = by_loop(logits, labels, background, 9)
    assert found.item() == pytest.approx(expected, rel=1e-12)
    assert all(map(torch.equal, case, copies))


def test_by_hand():
    # background: -log 0.5; foreground: mean of -log 0.25 and -log 0.75
    prob = torch.tensor([[0.5, 0.75, 0.25, 0.9], [0.5, 0.25, 0.75, 0.1]])
    labels = torch.tensor([[[0, 1, 1, 255]]])
    found = balanced_cross_entropy(prob.log()[None, :, None], labels)
    foreground = -(math.log(0.25) + math.log(0.75)) / 2
    assert found.item() == pytest.approx((math.log(2) + foreground) / 2)


def test_gradient(case):
    logits, labels = case
    logits.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: balanced_cross_entropy(x, labels, ignore_index=9), logits
    )
    balanced_cross_entropy(logits, labels, ignore_index=9).backward()
    unlabelled = (labels == 9)[:, None].expand_as(logits)
    assert not logits.grad[unlabelled].any()


@pytest.mark.parametrize('label', [0, 3, 255])
def test_one_part_or_none(case, label):
    logits, labels = case
    logits.requires_grad_()
    loss = balanced_cross_entropy(logits, torch.full_like(labels, label))
    nll = 0 if label == 255 else -logits.log_softmax(1)[:, label].mean()
    assert float(loss) == pytest.approx(float(nll) / 2)
    loss.backward()
    assert torch.isfinite(logits.grad).all()
    assert logits.grad.any() == (label != 255)


@pytest.mark.parametrize(
    ('dtype', 'tolerance'),
    [
        (torch.float32, 1e-5),
        (torch.bfloat16, 2e-2),
        (torch.float16, 2e-2),
    ],
)
def test_dtypes(case, dtype, tolerance):
    logits, labels = case
    exact = balanced_cross_entropy(logits, labels, ignore_index=9)
    found = balanced_cross_entropy(logits.to(dtype), labels, ignore_index=9)
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(exact.item(), rel=tolerance)


def test_refuses_other_shapes(case):
    with pytest.raises(ValueError, match=r'labels \(N, H, W\), got \(2, 4'):
        balanced_cross_entropy(case[0], case[1][:, 1:])
