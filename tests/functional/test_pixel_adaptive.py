import math

import pytest
import torch

from mmseg_sparse.functional import pixel_adaptive_refine, pixel_affinity
from mmseg_sparse.functional.pixel_adaptive import dilations_for
from tests.helpers.dfr_cases import F64, WAITING, Operators, as_if_elsewhere
from tests.helpers.par_cases import KERNEL, OPTIONS, close, make_case, slow


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


@pytest.mark.parametrize(
    ('size', 'wanted'),
    [
        ((60, 80), (1, 2, 4)),  # tiles, halved: 80 / 250 of 24 is 7.7
        ((187, 250), (1, 2, 4, 8, 12, 24)),  # VOC, halved: the paper's
        ((160, 160), (1, 2, 4, 8, 12)),
        ((512, 300), (1, 2, 4, 8, 12, 24)),
        ((3, 5), (1,)),
    ],
)
def test_automatic_dilations_reach_as_far_as_the_papers(size, wanted):
    assert dilations_for(size) == dilations_for(size[::-1]) == wanted
    if max(size) < 100:
        prob, image = make_case(1, 2, *size)
        found = pixel_adaptive_refine(prob, image, dilations='auto')
        same = pixel_adaptive_refine(prob, image, dilations=wanted)
        assert torch.equal(found, same)


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
