import pytest
import torch
import torch.nn.functional as F

from mmseg_sparse.functional import pixel_adaptive_refine, pixel_affinity
from tests.helpers.dfr_cases import F64
from tests.helpers.measure import largest_tensor
from tests.helpers.par_cases import OPTIONS, close, make_case, slow


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


@pytest.mark.cuda
def test_runs_on_cuda():
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
        ('dilations', 'automatic', "dilations must .* 'auto', got"),
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
