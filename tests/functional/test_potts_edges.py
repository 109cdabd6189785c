import pytest
import torch

from mmseg_sparse.functional import potts_energy
from tests.helpers.dfr_cases import F64, make_case
from tests.reference import dfr as reference


@pytest.mark.parametrize('shape', [(1, 1), (1, 5), (6, 1)])
def test_thin_maps(shape):
    prob, guide, _, _, _ = make_case(height=6, width=6)
    height, width = shape
    prob = prob[:, :, :height, :width].requires_grad_()
    guide = guide[:, :, :height, :width]
    energy = potts_energy(prob, guide, radius=3, sigma_xy=2.0)
    slow = reference.potts_energy(prob, guide, radius=3, sigma_xy=2.0)
    assert energy.item() == pytest.approx(slow, rel=1e-10)
    energy.backward()
    assert torch.isfinite(prob.grad).all()
    assert (prob.grad.abs().sum() == 0) == (shape == (1, 1))


def test_nothing_valid_or_one_class_gives_zero():
    prob, guide, _, _, valid = make_case()
    prob.requires_grad_()
    none = torch.zeros_like(valid)
    energy = potts_energy(prob, guide, radius=2, sigma_xy=2.0, valid=none)
    energy.backward()
    assert energy.item() == 0
    assert prob.grad.abs().sum() == 0
    ones = torch.ones(2, 1, 7, 10, dtype=F64)
    sure = potts_energy(ones, guide, radius=2, sigma_xy=2.0)
    assert sure.item() == pytest.approx(0, abs=1e-13)


def test_inputs_stay_as_they_were():
    prob, guide, _, _, valid = make_case()
    tensors = [prob, guide, valid]
    copies = [t.clone() for t in tensors]
    prob.requires_grad_()
    potts_energy(prob, guide, radius=2, sigma_xy=2.0, valid=valid).backward()
    assert all(map(torch.equal, tensors, copies))


@pytest.mark.parametrize(
    ('dtype', 'tolerance'),
    [
        (torch.float32, 1e-5),
        (torch.bfloat16, 2e-2),
        (torch.float16, 2e-2),
    ],
)
def test_narrow_dtypes_give_a_float32_energy(dtype, tolerance):
    prob, guide, _, _, valid = make_case()
    options = dict(radius=3, sigma_xy=2.0, valid=valid)
    exact = potts_energy(prob, guide, **options).item()
    narrow = prob.to(dtype).requires_grad_()
    energy = potts_energy(narrow, guide.to(dtype), **options)
    energy.backward()
    assert energy.dtype == torch.float32
    assert narrow.grad.dtype == dtype
    assert energy.item() == pytest.approx(exact, rel=tolerance)


def test_autocast_computes_in_float32():
    prob, guide, _, _, valid = make_case(dtype=torch.float32)
    options = dict(radius=3, sigma_xy=2.0, valid=valid)
    plain = potts_energy(prob, guide, **options)
    with torch.autocast('cpu', torch.bfloat16):
        cast = potts_energy(prob, guide, **options)
    assert cast.item() == plain.item()


@pytest.mark.cuda
def test_runs_on_cuda():
    prob, guide, _, _, valid = make_case(dtype=torch.float32)
    options = dict(radius=3, sigma_xy=2.0)
    cpu = potts_energy(prob, guide, valid=valid, **options)
    gpu = potts_energy(
        prob.cuda(), guide.cuda(), valid=valid.cuda(), **options
    )
    assert gpu.item() == pytest.approx(cpu.item(), rel=1e-5)


def test_errors_name_what_is_wrong():
    prob, guide, _, _, valid = make_case()
    with pytest.raises(ValueError, match=r'guide \(N, D, H, W\), got'):
        potts_energy(prob, guide[:1], radius=2, sigma_xy=2.0)
    with pytest.raises(ValueError, match=r'radius must .* got 0'):
        potts_energy(prob, guide, radius=0, sigma_xy=2.0)
    with pytest.raises(ValueError, match=r'radius must .* got 1.5'):
        potts_energy(prob, guide, radius=1.5, sigma_xy=2.0)
    with pytest.raises(ValueError, match=r'sigma_xy must .* got -1'):
        potts_energy(prob, guide, radius=2, sigma_xy=-1.0)
    with pytest.raises(ValueError, match=r'valid \(2, 7, 10\) of bool'):
        potts_energy(prob, guide, radius=2, sigma_xy=2.0, valid=valid[:1])
    with pytest.raises(ValueError, match=r'got .* of torch\.float32'):
        potts_energy(prob, guide, radius=2, sigma_xy=2.0, valid=valid.float())
