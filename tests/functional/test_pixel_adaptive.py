import math

import pytest
import torch
import torch.nn.functional as F

from mmseg_sparse.functional import pixel_adaptive_refine, pixel_affinity
from tests.functional.dfr_cases import (
    F64,
    WAITING,
    Operators,
    as_if_elsewhere,
)
from tests.measure import largest_tensor
from tests.reference import afa as reference

KERNEL = dict(dilations=(1, 3), w_rgb=0.7, w_pos=0.4, w_mix=0.2)
OPTIONS = dict(num_iters=3, **KERNEL)


def make_case(n=2, classes=4, height=7, width=10, dtype=F64):
    prob = (torch.randn(n, classes, height, width, dtype=F64) * 2).softmax(1)
    image = torch.randn(n, 3, height, width, dtype=F64)
    image[:, 1] *= 40
    return prob.to(dtype), image.to(dtype)


def slow(prob, image, **options):
    return torch.stack(
        [
            reference.pixel_adaptive_refine(p, i, **options)
            for p, i in zip(prob, image, strict=True)
        ]
    )


def close(found, wanted, rtol=1e-10, atol=1e-12):
    torch.testing.assert_close(found, wanted, rtol=rtol, atol=atol)


@pytest.mark.parametrize('block', [7, 4096])
@pytest.mark.parametrize('dilations', [(1, 3), (2,), (1, 2, 4, 8, 12, 24)])
def test_equals_reference(dilations, block, monkeypatch):
    path = 'mmseg_sparse.functional.pixel_adaptive.BLOCK'
    monkeypatch.setattr(path, block)
    prob, image = make_case()
    options = {**OPTIONS, 'dilations': dilations}
    fast = pixel_adaptive_refine(prob, image, **options)
    assert fast.dtype == F64
    close(fast, slow(prob, image, **options))


def test_defaults_are_those_of_the_release():
    prob, image = make_case(n=1, classes=2, height=6, width=9)
    close(pixel_adaptive_refine(prob, image), slow(prob, image))


def test_ways_of_other_devices_equal_reference(monkeypatch):
    prob, image = make_case()
    as_if_elsewhere(monkeypatch)
    with Operators() as operators:
        found = pixel_adaptive_refine(prob, image, **OPTIONS)
    assert not operators.names & set(WAITING)
    close(found, slow(prob, image, **OPTIONS))


def test_by_hand():
    # Two pixels, colours 0 and 1. At dilation 1 the left one has three
    # neighbours of colour 1 (to the right) and five of its own (replicated),
    # the right one the reverse. Their mean is 3/8, so that the variance is
    # (3 (5/8)^2 + 5 (3/8)^2) / 7 = 15/56; w_rgb = 2 leaves an exponent of
    # -56/15/4 = -14/15 where colours differ. The left pixel, 1 in the map,
    # keeps 5 / (5 + 3 exp(-14/15)) of it. w_mix = 0 leaves the place out.
    prob = torch.tensor([[[[1.0, 0.0]]]], dtype=F64)
    image = torch.tensor([[[[0.0, 1.0]]]], dtype=F64)
    found = pixel_adaptive_refine(
        prob, image, dilations=(1,), num_iters=1, w_rgb=2.0, w_mix=0.0
    )
    kept = 5 / (5 + 3 * math.exp(-14 / 15))
    close(found, torch.tensor([[[[kept, 1 - kept]]]], dtype=F64), 1e-6)


def test_rows_of_the_kernel_sum_to_one_and_w_mix():
    _, image = make_case()
    weights = pixel_affinity(image, w_mix=0.25).weights
    assert weights.shape == (2, 70, 48)
    close(weights.sum(2), torch.full((2, 70), 1.25, dtype=F64))


def test_rescaled_colours_change_nothing():
    prob, image = make_case()
    scale = torch.tensor([3.0, -0.2, 50.0], dtype=F64)[:, None, None]
    found = pixel_adaptive_refine(prob, image * scale + scale, **OPTIONS)
    close(found, pixel_adaptive_refine(prob, image, **OPTIONS), 1e-5, 1e-6)


def test_an_image_is_refined_as_if_it_had_no_padding():
    prob, image = make_case(height=9, width=12)
    valid = torch.zeros(2, 9, 12, dtype=torch.bool)
    valid[0, :6, :9] = True
    valid[1, 2:, 3:11] = True
    hole = ~valid[:, None]
    image = image.masked_fill(hole, math.nan)
    prob = prob.masked_fill(hole, math.inf).requires_grad_()
    found = pixel_adaptive_refine(prob, image, valid=valid, **OPTIONS)
    parts = [(0, slice(0, 6), slice(0, 9)), (1, slice(2, 9), slice(3, 11))]
    for n, rows, columns in parts:
        part = (slice(n, n + 1), slice(None), rows, columns)
        alone = pixel_adaptive_refine(prob[part], image[part], **OPTIONS)
        assert torch.equal(found[part], alone)
    assert torch.isinf(found[hole.expand_as(found)]).all()
    found[valid[:, None].expand_as(found)].sum().backward()
    assert torch.equal(prob.grad.abs().sum(1) > 0, valid)


def test_nothing_valid_leaves_the_prediction():
    prob, image = make_case()
    valid = torch.zeros(2, 7, 10, dtype=torch.bool)
    valid[0] = True
    found = pixel_adaptive_refine(prob, image, valid=valid, **OPTIONS)
    assert torch.equal(found[1], prob[1])
    assert not torch.isclose(found[0], prob[0]).any()


def test_only_present_classes_are_refined():
    prob, image = make_case()
    prob[~torch.tensor([[1, 0, 1, 0], [0, 0, 0, 0]]).bool()] = math.nan
    present = torch.tensor([[True, False, True, False], [False] * 4])
    affinity = pixel_affinity(image, **KERNEL)
    found = affinity.propagate(prob, num_iters=3, present=present)
    wanted = slow(prob[:1, ::2], image[:1], **OPTIONS)
    close(found[:1, ::2], wanted)
    assert (found[~present] == 0).all()


def test_a_kernel_serves_many_predictions():
    prob, image = make_case()
    affinity = pixel_affinity(image, **KERNEL)
    for maps in (prob, prob[:, :1] * 5):
        found = affinity.propagate(maps, num_iters=3)
        assert torch.equal(
            found, pixel_adaptive_refine(maps, image, **OPTIONS)
        )
    assert torch.equal(affinity.propagate(prob, num_iters=0), prob)


def test_gradcheck():
    prob, image = make_case(n=2, classes=2, height=4, width=5)
    prob.requires_grad_()
    image.requires_grad_()
    valid = torch.ones(2, 4, 5, dtype=torch.bool)
    valid[1, 3:] = False

    def refine(prob):
        return pixel_adaptive_refine(prob, image, valid=valid, **OPTIONS)

    assert torch.autograd.gradcheck(refine, (prob,))
    refine(prob).sum().backward()
    assert image.grad is None


@pytest.mark.parametrize('shape', [(1, 1), (1, 5), (6, 1)])
def test_thin_maps(shape):
    prob, image = make_case(height=6, width=6)
    prob = prob[:, :, : shape[0], : shape[1]]
    image = image[:, :, : shape[0], : shape[1]]
    found = pixel_adaptive_refine(prob, image, **OPTIONS)
    close(found, slow(prob, image, **OPTIONS))


def test_one_colour_spreads_evenly():
    prob, image = make_case()
    image = torch.full_like(image, 0.1)
    found = pixel_adaptive_refine(prob, image, **OPTIONS)
    close(found, slow(prob, image, **OPTIONS))


def test_a_pixel_unlike_all_around_is_refined_exactly_in_float32():
    prob, image = make_case(height=9, width=9)
    image = 1e-3 * image.div(image.std((2, 3), keepdim=True)).float()
    image[:, :, 4, 4] = 3
    wanted = slow(prob, image.double(), **OPTIONS)
    found = pixel_adaptive_refine(prob.float(), image, **OPTIONS)
    close(found.double(), wanted, 0, 1e-3)


@pytest.mark.parametrize(
    ('dtype', 'tolerance'),
    [(torch.float32, 1e-5), (torch.bfloat16, 2e-2), (torch.float16, 2e-2)],
)
def test_narrow_dtypes(dtype, tolerance):
    prob, image = make_case()
    image = image.to(dtype)
    wanted = pixel_adaptive_refine(prob, image.to(F64), **OPTIONS)
    found = pixel_adaptive_refine(prob.to(dtype), image, **OPTIONS)
    assert found.dtype == dtype
    close(found.to(F64), wanted, tolerance, tolerance)


def test_autocast_computes_in_float32():
    prob, image = make_case(dtype=torch.float32)
    plain = pixel_adaptive_refine(prob, image, **OPTIONS)
    with torch.autocast('cpu', torch.bfloat16):
        cast = pixel_adaptive_refine(prob, image, **OPTIONS)
    assert torch.equal(cast, plain)


def test_inputs_stay_as_they_were():
    prob, image = make_case()
    valid = torch.ones(2, 7, 10, dtype=torch.bool)
    tensors = [prob, image, valid]
    copies = [t.clone() for t in tensors]
    pixel_adaptive_refine(prob, image, valid=valid, **OPTIONS)
    assert all(map(torch.equal, tensors, copies))


def test_no_tensor_of_classes_and_neighbours():
    prob = torch.rand(2, 30, 40, 50)
    image = torch.rand(2, 3, 40, 50)
    pixels = 40 * 50
    largest = largest_tensor(lambda: pixel_adaptive_refine(prob, image))
    # of one image a kernel, of the batch kernels and maps
    assert largest <= 2 * pixels * 48


def test_runs_on_cuda():
    if not torch.cuda.is_available():
        pytest.skip('no CUDA device')
    prob, image = make_case(dtype=torch.float32)
    valid = F.pad(torch.ones(2, 5, 8), (0, 2, 0, 2)).bool()
    cpu = pixel_adaptive_refine(prob, image, valid=valid, **OPTIONS)
    gpu = pixel_adaptive_refine(
        prob.cuda(), image.cuda(), valid=valid.cuda(), **OPTIONS
    )
    close(gpu.cpu(), cpu, 1e-5, 1e-6)


def test_errors_name_what_is_wrong():
    prob, image = make_case()
    with pytest.raises(ValueError, match=r'image \(N, 3, H, W\), got'):
        pixel_adaptive_refine(prob, image[:1])
    valid = torch.ones(2, 7, 10, dtype=torch.bool)
    with pytest.raises(ValueError, match=r'valid \(2, 7, 10\) of bool'):
        pixel_adaptive_refine(prob, image, valid=valid[:1])
    for name, value, wanted in (
        ('dilations', (), 'dilations must'),
        ('dilations', (1, 0), r'dilations must .* \(1, 0\)'),
        ('dilations', (1.5,), 'dilations must'),
        ('w_rgb', 0.0, 'w_rgb must be positive, got 0'),
        ('w_pos', -1.0, 'w_pos must be positive, got -1'),
        ('w_mix', -1.0, 'w_mix must not be negative, got -1'),
        ('num_iters', -1, 'num_iters must be at least 0, got -1'),
    ):
        with pytest.raises(ValueError, match=wanted):
            pixel_adaptive_refine(prob, image, **{name: value})
    affinity = pixel_affinity(image)
    with pytest.raises(ValueError, match=r'prob \(2, C, 7, 10\) of the size'):
        affinity.propagate(prob[:, :, 1:])
    with pytest.raises(ValueError, match=r'present \(2, 4\) of bool, got'):
        affinity.propagate(prob, present=torch.ones(2, 3, dtype=torch.bool))
    with pytest.raises(ValueError, match='expected image'):
        pixel_affinity(image[0])
