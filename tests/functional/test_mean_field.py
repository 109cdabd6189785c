import math

import pytest
import torch

from mmseg_sparse.functional import PairwiseKernels, mean_field
from tests.helpers.dfr_cases import F64, make_case
from tests.helpers.measure import largest_tensor
from tests.reference import mean_field as reference

WIDTHS = dict(
    sigma_rgb=0.8, sigma_xy=3.5, weight=1.7, smooth_sigma=0.9,
    smooth_weight=0.6,
)  # fmt: skip
CRF = PairwiseKernels(**WIDTHS)
PRINTED = PairwiseKernels(normalize=False, **WIDTHS)
CPU_TILE = 'mmseg_sparse.functional.dense_crf.CPU_TILE'


def make(**changes):
    prob, image, _, _, valid = make_case(**changes)
    present = torch.tensor([[True, True, True, False], [True] * 4])
    return prob, image, valid, present[:, : prob.shape[1]]


@pytest.mark.parametrize('normalize', [False, True])
@pytest.mark.parametrize('padded', [False, True])
def test_equals_reference(normalize, padded, monkeypatch):
    monkeypatch.setattr(CPU_TILE, 13)
    prob, image, valid, present = make(height=5, width=8)
    prob[0, :2, 0, 0] = torch.tensor([1.0, 0.0])
    options = dict(num_iters=3, min_prob=1e-3)
    found = mean_field(
        prob,
        image,
        CRF if normalize else PRINTED,
        valid=valid if padded else None,
        present=present if padded else None,
        **options,
    )
    assert found.dtype == F64
    every = torch.ones_like(valid), torch.ones_like(present)
    masks = (valid, present) if padded else every
    for n in range(2):
        slow = reference.mean_field(
            prob[n],
            image[n],
            *(mask[n] for mask in masks),
            normalize=normalize,
            **WIDTHS,
            **options,
        )
        torch.testing.assert_close(found[n], slow, rtol=1e-9, atol=1e-12)


def test_by_hand():
    # Two pixels 1 apart, colours 3 and 1: k = exp(-1/8 - 2), no smoothing.
    # Of pixel 1 the other has (1/4, 3/4), so that its odds of (1/2, 1/2)
    # become exp(2 k / 4) to exp(2 k 3 / 4).
    prob = torch.tensor([[[[0.5, 0.25]], [[0.5, 0.75]]]], dtype=F64)
    image = torch.tensor([[[[3.0, 1.0]]]], dtype=F64)
    kernels = PairwiseKernels(
        sigma_rgb=1.0, sigma_xy=2.0, weight=2.0, smooth_sigma=1.0,
        smooth_weight=0.0, normalize=False,
    )  # fmt: skip
    found = mean_field(prob, image, kernels, num_iters=1)
    odds = math.exp(2 * math.exp(-1 / 8 - 2) * (1 / 4 - 3 / 4))
    assert found[0, 0, 0, 0].item() == pytest.approx(odds / (1 + odds))


def test_without_iterations_the_probabilities_are_normalised():
    prob, image, _, present = make()
    options = dict(num_iters=0, min_prob=1e-30)
    found = mean_field(3 * prob, image, CRF, present=present, **options)
    prob = prob * present[:, :, None, None]
    torch.testing.assert_close(found, prob / prob.sum(1, keepdim=True))
    nothing = torch.zeros_like(present)
    none = mean_field(prob, image, CRF, present=nothing, **options)
    assert not none.any()


@pytest.mark.parametrize('kernels', [CRF, PRINTED])
def test_gradcheck(kernels):
    prob, image, valid, present = make(height=3, width=4)
    options = dict(num_iters=2, valid=valid, present=present)
    assert torch.autograd.gradcheck(
        lambda p: mean_field(p, image, kernels, **options),
        (prob.requires_grad_(),),
        fast_mode=True,
    )


def test_what_lies_in_padding_does_not_matter():
    prob, image, valid, _ = make()
    before = mean_field(prob, image, CRF, num_iters=3, valid=valid)
    hole = ~valid[:, None]
    prob = prob.masked_fill(hole, math.nan).requires_grad_()
    image = image.masked_fill(hole, math.nan)
    after = mean_field(prob, image, CRF, num_iters=3, valid=valid)
    inside = valid[:, None].expand_as(after)
    torch.testing.assert_close(after[inside], before[inside])
    assert after[~inside].isnan().all()
    after[inside].sum().backward()
    assert torch.isfinite(prob.grad).all()


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_narrow_dtypes_give_float32(dtype):
    prob, image, valid, _ = make()
    exact = mean_field(
        prob.to(dtype).double(), image, CRF, num_iters=3, valid=valid
    )
    with torch.autocast('cpu', torch.bfloat16):
        found = mean_field(
            prob.to(dtype), image.float(), CRF, num_iters=3, valid=valid
        )
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), exact, rtol=1e-5, atol=1e-5)


def test_inputs_stay_and_memory_does_not_grow_with_the_pairs():
    prob, image, valid, _ = make(height=30, width=40, dtype=torch.float32)
    copies = [one.clone() for one in (prob, image, valid)]

    def run():
        mean_field(prob, image, CRF, num_iters=1, valid=valid)

    assert largest_tensor(run) <= 256**2 < 1200**2
    assert all(map(torch.equal, (prob, image, valid), copies))


def test_no_second_derivative():
    prob, image, _, _ = make()
    prob.requires_grad_()
    refined = mean_field(prob, image, CRF, num_iters=2).sin().sum()
    with pytest.raises(RuntimeError, match='no second derivative'):
        torch.autograd.grad(refined, prob, create_graph=True)


def test_errors_name_what_is_wrong():
    prob, image, valid, present = make()
    for name, value, message in (
        ('sigma_rgb', 0.0, 'sigma_rgb must be positive, got 0.0'),
        ('sigma_xy', -1.0, 'sigma_xy must be positive, got -1'),
        ('smooth_sigma', 0.0, 'smooth_sigma must be positive, got 0.0'),
        ('weight', -1.0, 'weight must not be negative, got -1.0'),
        ('smooth_weight', -2.0, 'smooth_weight must not .* got -2.0'),
    ):
        with pytest.raises(ValueError, match=message):
            PairwiseKernels(**{**WIDTHS, name: value})
    with pytest.raises(ValueError, match=r'image \(N, 3, H, W\), got'):
        mean_field(prob, image[:1], CRF, num_iters=1)
    for number in (-1, 1.5):
        with pytest.raises(ValueError, match=f'num_iters must .* {number}'):
            mean_field(prob, image, CRF, num_iters=number)
    for changes, message in (
        (dict(min_prob=0.0), r'min_prob must .* got 0'),
        (dict(valid=valid[:1]), r'valid \(2, 7, 10\) of bool, got'),
        (dict(present=present[:1]), r'present \(2, 4\) of bool, got'),
    ):
        with pytest.raises(ValueError, match=message):
            mean_field(prob, image, CRF, num_iters=1, **changes)
