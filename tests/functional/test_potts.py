import math

import pytest
import torch

from mmseg_sparse.functional import potts_energy
from tests.helpers.dfr_cases import F64, make_case
from tests.reference import dfr as reference


@pytest.mark.parametrize('radius', [1, 2, 5, 12])
@pytest.mark.parametrize('padded', [False, True])
def test_equals_reference(radius, padded):
    prob, guide, _, _, valid = make_case()
    valid = valid if padded else None
    options = dict(radius=radius, sigma_xy=2.3, valid=valid)
    fast = potts_energy(prob, guide, **options)
    assert fast.dtype == F64
    slow = reference.potts_energy(prob, guide, **options)
    assert fast.item() == pytest.approx(slow, rel=1e-10)


@pytest.mark.parametrize('channels', [0, 1, 7, 8, 21])
def test_any_number_of_guides_equals_reference(channels):
    prob, _, _, _, valid = make_case()
    guide = torch.randn(2, channels, 7, 10, dtype=F64) / max(channels, 1)
    options = dict(radius=3, sigma_xy=math.inf, valid=valid)
    fast = potts_energy(prob, guide, **options)
    slow = reference.potts_energy(prob, guide, **options)
    assert fast.item() == pytest.approx(slow, rel=1e-10)


def test_by_hand():
    # Two pixels side by side, 1 apart, guides 3 and 1, sigma 2:
    # K = exp(-1/8 - (3 - 1)^2 / 2), and p_i = (1, 0), p_j = (1/4, 3/4)
    # agree by 1/4. Each of the two pixels has this one pair: the mean over
    # two pixels of K (1 - 1/4). The gradient on p_i is -2/2 K p_j.
    prob = torch.tensor([[[[1, 0.25]], [[0, 0.75]]]], dtype=F64)
    prob.requires_grad_()
    guide = torch.tensor([[[[3.0, 1.0]]]], dtype=F64)
    energy = potts_energy(prob, guide, radius=1, sigma_xy=2.0)
    energy.backward()
    kernel = math.exp(-1 / 8 - 2)
    assert energy.item() == pytest.approx(kernel * 0.75, rel=1e-14)
    wanted = -kernel * torch.tensor([0.25, 0.75], dtype=F64)
    torch.testing.assert_close(prob.grad[0, :, 0, 0], wanted)


def test_images_do_not_meet():
    """Each image alone, summed over pixels, makes up the batch."""
    prob, guide, _, _, _ = make_case(n=3)
    options = dict(radius=4, sigma_xy=2.0)
    each = [
        potts_energy(prob[k : k + 1], guide[k : k + 1], **options)
        for k in range(3)
    ]
    batch = potts_energy(prob, guide, **options)
    assert batch.item() == pytest.approx(sum(each).item() / 3, rel=1e-12)


@pytest.mark.parametrize('channels', [2, 8])
def test_gradcheck(channels):
    prob, _, _, _, valid = make_case(height=5, width=6, classes=3)
    guide = torch.randn(2, channels, 5, 6, dtype=F64) * 0.5
    prob.requires_grad_()

    def energy(prob):
        return potts_energy(
            prob, guide, radius=2, sigma_xy=1.7, valid=valid
        ) * torch.tensor(3.0, dtype=F64)

    assert torch.autograd.gradcheck(energy, (prob,))


def test_guide_gets_no_gradient_and_padding_none():
    prob, guide, _, _, valid = make_case()
    prob.requires_grad_()
    guide.requires_grad_()
    potts_energy(prob, guide, radius=2, sigma_xy=2.0, valid=valid).backward()
    assert guide.grad is None
    touched = prob.grad.abs().sum(1) > 0
    assert torch.equal(touched, valid)


def test_what_lies_in_padding_does_not_matter():
    prob, guide, _, _, valid = make_case()
    before = potts_energy(prob, guide, radius=2, sigma_xy=2.0, valid=valid)
    hole = ~valid[:, None]
    prob, guide = prob.masked_fill(hole, 1e9), guide.masked_fill(hole, 1e9)
    prob[hole.expand_as(prob)] = math.nan
    after = potts_energy(prob, guide, radius=2, sigma_xy=2.0, valid=valid)
    assert after.item() == before.item()


def test_no_second_derivative():
    prob, guide, _, _, _ = make_case()
    prob.requires_grad_()
    energy = potts_energy(prob * prob, guide, radius=1, sigma_xy=2.0)
    with pytest.raises(RuntimeError, match='no second derivative'):
        torch.autograd.grad(energy, prob, create_graph=True)
