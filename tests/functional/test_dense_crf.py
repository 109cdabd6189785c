import math

import pytest
import torch

from mmseg_sparse.functional import dense_crf_energy
from tests.helpers.dfr_cases import (
    F64,
    WAITING,
    Operators,
    as_if_elsewhere,
    make_case,
)
from tests.helpers.measure import largest_tensor
from tests.reference import dense_crf as reference

SIGMAS = dict(sigma_rgb=0.8, sigma_xy=3.5)
CPU_TILE = 'mmseg_sparse.functional.dense_crf.CPU_TILE'


def make(**changes):
    prob, image, _, _, valid = make_case(**changes)
    gate = torch.rand(valid.shape, dtype=prob.dtype)
    return prob, image, gate, valid


@pytest.mark.parametrize('tile', [16, 35, 256])
@pytest.mark.parametrize('gated', [False, True])
@pytest.mark.parametrize('padded', [False, True])
def test_equals_reference(tile, gated, padded, monkeypatch):
    monkeypatch.setattr(CPU_TILE, tile)
    prob, image, gate, valid = make(height=6, width=9)
    every = torch.ones_like(valid)
    options = dict(**SIGMAS, gate=gate if gated else None)
    options['valid'] = valid if padded else None
    found = dense_crf_energy(prob, image, **options)
    assert found.dtype == F64
    options['gate'] = gate if gated else every.to(F64)
    options['valid'] = valid if padded else every
    slow = reference.dense_crf_energy(prob, image, **options)
    assert found.item() == pytest.approx(slow, rel=1e-10)


def test_by_hand():
    # Two pixels 1 apart, colours 3 and 1: K = exp(-4 / 2 - 1 / 8). (1, 0)
    # agrees with itself by 1 and with (1/4, 3/4) by 1/4, that one with
    # itself by 1/16 + 9/16. Gates 1 and 1/2.
    prob = torch.tensor([[[[1, 0.25]], [[0, 0.75]]]], dtype=F64)
    image = torch.tensor([[[[3.0, 1.0]]]], dtype=F64)
    gate = torch.tensor([[[1.0, 0.5]]], dtype=F64)
    found = dense_crf_energy(
        prob, image, sigma_rgb=1.0, sigma_xy=2.0, gate=gate
    )
    k = math.exp(-2 - 1 / 8)
    wanted = k * 0.75 + 0.5 * (k * 0.75 + 6 / 16)
    assert found.item() == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize('gated', [False, True])
def test_gradcheck(gated, monkeypatch):
    monkeypatch.setattr(CPU_TILE, 7)
    prob, image, gate, valid = make(height=4, width=5, classes=3)
    prob.requires_grad_()
    options = dict(**SIGMAS, valid=valid, gate=gate if gated else None)

    def energy(prob):
        return 3 * dense_crf_energy(prob, image, **options)

    assert torch.autograd.gradcheck(energy, (prob,))


def test_one_sided_gradient_equals_reference(monkeypatch):
    monkeypatch.setattr(CPU_TILE, 7)
    prob, image, gate, valid = make(height=4, width=5)
    gate[0, 1, 2] = 0
    options = dict(**SIGMAS, gate=gate, valid=valid)
    wanted = reference.one_sided_gradient(prob, image, **options)
    prob.requires_grad_()
    dense_crf_energy(prob, image, one_sided=True, **options).backward()
    torch.testing.assert_close(prob.grad, wanted, rtol=1e-10, atol=1e-12)
    assert (prob.grad[0, :, 1, 2] == 0).all()


@pytest.mark.parametrize('one_sided', [False, True])
def test_what_lies_in_padding_does_not_matter(one_sided):
    prob, image, gate, valid = make()
    options = dict(**SIGMAS, valid=valid, one_sided=one_sided)
    before = dense_crf_energy(prob, image, gate=gate, **options)
    hole = ~valid
    prob = prob.masked_fill(hole[:, None], math.nan).requires_grad_()
    image = image.masked_fill(hole[:, None], math.nan).requires_grad_()
    gate = gate.masked_fill(hole, math.nan)
    after = dense_crf_energy(prob, image, gate=gate, **options)
    assert after.item() == pytest.approx(before.item(), rel=1e-14)
    after.backward()
    assert torch.equal(prob.grad.abs().sum(1) > 0, valid)
    assert image.grad is None


@pytest.mark.parametrize('shape', [(1, 1), (1, 5), (6, 1)])
def test_thin_maps(shape):
    prob, image, gate, _ = make(height=6, width=6)
    height, width = shape
    prob, image = prob[:, :, :height, :width], image[:, :, :height, :width]
    every = torch.ones_like(prob[:, 0]).bool()
    options = dict(**SIGMAS, gate=gate[:, :height, :width])
    found = dense_crf_energy(prob, image, **options)
    slow = reference.dense_crf_energy(prob, image, valid=every, **options)
    assert found.item() == pytest.approx(slow, rel=1e-10)


def test_nothing_valid_or_one_class_gives_zero():
    prob, image, gate, valid = make()
    prob.requires_grad_()
    none = torch.zeros_like(valid)
    energy = dense_crf_energy(prob, image, gate=gate, valid=none, **SIGMAS)
    energy.backward()
    assert energy.item() == 0
    assert prob.grad.abs().sum() == 0
    sure = dense_crf_energy(torch.ones(2, 1, 7, 10), image, **SIGMAS)
    assert sure.item() == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize(
    ('dtype', 'tolerance'),
    [(torch.float32, 1e-5), (torch.bfloat16, 2e-2), (torch.float16, 2e-2)],
)
def test_narrow_dtypes_give_a_float32_energy(dtype, tolerance):
    prob, image, gate, valid = make()
    image = 255 * torch.rand_like(image)
    options = dict(sigma_rgb=15.0, sigma_xy=50.0, valid=valid)
    exact = dense_crf_energy(prob, image, gate=gate, **options).item()
    narrow = prob.to(dtype).requires_grad_()
    with torch.autocast('cpu', torch.bfloat16):
        energy = dense_crf_energy(
            narrow, image.float(), gate=gate.to(dtype), **options
        )
    energy.backward()
    assert energy.dtype == torch.float32
    assert narrow.grad.dtype == dtype
    assert energy.item() == pytest.approx(exact, rel=tolerance)


def test_inputs_stay_as_they_were():
    tensors = make()
    copies = [one.clone() for one in tensors]
    prob, image, gate, valid = tensors
    prob = prob.detach().requires_grad_()
    dense_crf_energy(prob, image, gate=gate, valid=valid, **SIGMAS).backward()
    assert all(map(torch.equal, tensors, copies))


def test_memory_does_not_grow_with_the_pairs():
    prob, image, _, _ = make(height=60, width=70, dtype=torch.float32)
    prob.requires_grad_()

    def run():
        dense_crf_energy(prob, image, **SIGMAS).backward()

    assert largest_tensor(run) <= 256**2


def test_never_makes_the_host_wait(monkeypatch):
    as_if_elsewhere(monkeypatch)
    prob, image, gate, valid = make()
    prob.requires_grad_()
    with Operators() as operators:
        energy = dense_crf_energy(
            prob, image, gate=gate, valid=valid, **SIGMAS
        )
        energy.backward()
    assert not operators.names & set(WAITING)


def test_no_second_derivative():
    prob, image, _, _ = make()
    prob.requires_grad_()
    energy = dense_crf_energy(prob * prob, image, **SIGMAS)
    with pytest.raises(RuntimeError, match='no second derivative'):
        torch.autograd.grad(energy, prob, create_graph=True)


def test_errors_name_what_is_wrong():
    prob, image, gate, valid = make()
    with pytest.raises(ValueError, match=r'image \(N, 3, H, W\), got'):
        dense_crf_energy(prob, image[:1], **SIGMAS)
    for name in SIGMAS:
        with pytest.raises(ValueError, match=f'{name} must be pos.* got 0'):
            dense_crf_energy(prob, image, **{**SIGMAS, name: 0.0})
    with pytest.raises(ValueError, match=r'gate \(2, 7, 10\), got'):
        dense_crf_energy(prob, image, gate=gate[0], **SIGMAS)
    with pytest.raises(ValueError, match=r'valid \(2, 7, 10\) of bool, got'):
        dense_crf_energy(prob, image, valid=valid[:1], **SIGMAS)
    with pytest.raises(ValueError, match=r'valid .* of bool, got .*float64'):
        dense_crf_energy(prob, image, valid=gate, **SIGMAS)
