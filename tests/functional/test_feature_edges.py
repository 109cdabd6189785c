import math

import pytest
import torch

from mmseg_sparse.functional import (
    feature_consistency,
    feature_distance,
    feature_regularization,
)
from mmseg_sparse.functional.feature_consistency import mean_square_distance
from tests.helpers.dfr_cases import make_case
from tests.reference import dfr as reference


def both(feature, guide, labels, valid=None, radius=2):
    """Both losses on the pixels that are labelled and valid."""
    if valid is not None:
        labels = labels.masked_fill(~valid, 255)
    return feature_consistency(
        feature,
        labels,
        guide=guide,
        radius=radius,
        sigma_xy=2.0,
        valid=valid,
    )


def test_what_lies_in_padding_does_not_matter():
    _, guide, feature, labels, valid = make_case()
    before = both(feature, guide, labels, valid)
    hole = ~valid[:, None]
    changed = both(
        feature.masked_fill(hole, math.nan),
        guide.masked_fill(hole, 1e9),
        labels,
        valid,
    )
    assert [t.item() for t in changed] == [t.item() for t in before]
    # and labels there are none
    full = labels.masked_fill(~valid, 1)
    options = dict(radius=2, sigma_xy=2.0, valid=valid)
    first = feature_regularization(feature, guide, full, **options)
    second = feature_regularization(feature, guide, labels, **options)
    assert first.item() == second.item()


def test_images_do_not_meet():
    _, _, feature, labels, _ = make_case(n=2)
    batch = feature_distance(feature, labels, radius=12)
    turned = feature_distance(feature.flip(0), labels.flip(0), radius=12)
    assert batch.item() == pytest.approx(turned.item(), rel=1e-12)
    alone = labels.clone()
    alone[1] = 255
    first = feature_distance(feature, alone, radius=12)
    single = feature_distance(feature[:1], labels[:1], radius=12)
    assert first.item() == pytest.approx(single.item(), rel=1e-12)


@pytest.mark.parametrize('shape', [(1, 1), (1, 5), (6, 1)])
def test_thin_maps(shape):
    height, width = shape
    _, guide, feature, labels, _ = make_case(height=height, width=width)
    feature.requires_grad_()
    loss = feature_distance(feature, labels, radius=3)
    slow = reference.feature_distance(feature, labels, radius=3)
    assert loss.item() == pytest.approx(slow, rel=1e-10)
    (grad,) = torch.autograd.grad(both(feature, guide, labels)[0], feature)
    assert torch.isfinite(grad).all()


@pytest.mark.parametrize('case', ['none', 'single', 'one class', 'all'])
def test_few_or_many_labels(case):
    _, guide, feature, labels, _ = make_case()
    feature.requires_grad_()
    if case in ('none', 'single'):
        labels = torch.full_like(labels, 255)
    if case == 'single':
        labels[0, 3, 4] = labels[1, 0, 0] = 2
    elif case == 'one class':
        labels = torch.full_like(labels, 3)
    elif case == 'all':
        labels = labels.masked_fill(labels == 255, 0)
    total, distance, regularization = both(feature, guide, labels)
    total.backward()
    slow = reference.feature_distance(feature, labels, radius=2)
    assert distance.item() == pytest.approx(slow, rel=1e-10)
    assert torch.isfinite(feature.grad).all()
    empty = case in ('none', 'single')
    assert (total.item() == 0) == empty
    assert (regularization.item() == 0) == empty
    assert (feature.grad.abs().sum() == 0) == empty


def test_weights_of_zero_leave_out_a_loss():
    _, guide, feature, labels, _ = make_case()
    feature.requires_grad_()
    total, distance, regularization = feature_consistency(
        feature,
        labels,
        guide=guide,
        radius=2,
        sigma_xy=2.0,
        distance_weight=0.0,
        regularization_weight=0.0,
    )
    total.backward()
    assert total.item() == distance.item() == regularization.item() == 0
    assert feature.grad.abs().sum() == 0


def test_inputs_stay_as_they_were():
    _, guide, feature, labels, valid = make_case()
    tensors = [guide, feature, labels, valid]
    copies = [t.clone() for t in tensors]
    feature.requires_grad_()
    both(feature, guide, labels, valid)[0].backward()
    assert all(map(torch.equal, tensors, copies))


def test_features_beyond_the_range_of_exp():
    labels = torch.tensor([[[0, 1]]])
    feature = torch.tensor([[[[0.0, 300.0]]]], requires_grad=True)
    loss = feature_distance(feature, labels, radius=1)
    loss.backward()
    assert loss.item() == 0
    assert feature.grad.abs().sum() == 0


def test_no_second_derivative():
    _, guide, feature, labels, _ = make_case()
    feature.requires_grad_()
    total, _, _ = both(feature, guide, labels)
    with pytest.raises(RuntimeError, match='no second derivative'):
        torch.autograd.grad(total, feature, create_graph=True)


@pytest.mark.parametrize(
    ('dtype', 'tolerance'),
    [
        (torch.float32, 1e-5),
        (torch.bfloat16, 2e-2),
        (torch.float16, 2e-2),
    ],
)
def test_narrow_dtypes_give_float32_losses(dtype, tolerance):
    _, guide, feature, labels, valid = make_case()
    exact = both(feature, guide, labels, valid)
    narrow = feature.to(dtype).requires_grad_()
    losses = both(narrow, guide.to(dtype), labels, valid)
    losses[0].backward()
    assert narrow.grad.dtype == dtype
    for loss, wanted in zip(losses, exact, strict=True):
        assert loss.dtype == torch.float32
        assert loss.item() == pytest.approx(wanted.item(), rel=tolerance)


def test_autocast_computes_in_float32():
    _, guide, feature, labels, valid = make_case(dtype=torch.float32)
    plain = both(feature, guide, labels, valid)
    with torch.autocast('cpu', torch.bfloat16):
        cast = both(feature, guide, labels, valid)
    assert [t.item() for t in cast] == [t.item() for t in plain]


@pytest.mark.cuda
def test_runs_on_cuda():
    tensors = make_case(dtype=torch.float32)[1:]
    cpu = both(*tensors)
    gpu = both(*(t.cuda() for t in tensors))
    for first, second in zip(cpu, gpu, strict=True):
        assert first.item() == pytest.approx(second.item(), rel=1e-5)


def test_errors_name_what_is_wrong():
    _, guide, feature, labels, valid = make_case()
    with pytest.raises(ValueError, match=r'labels \(N, H, W\), got'):
        feature_distance(feature, labels[:1], radius=2)
    with pytest.raises(ValueError, match=r'radius must .* got -3'):
        feature_distance(feature, labels, radius=-3)
    options = dict(radius=2, sigma_xy=2.0)
    with pytest.raises(ValueError, match=r'guide \(N, D, H, W\)'):
        feature_regularization(feature, guide[..., 1:], labels, **options)
    with pytest.raises(ValueError, match=r'expected valid \(2, 7, 10\)'):
        feature_regularization(
            feature, guide, labels, valid=valid[..., 1:], **options
        )
    with pytest.raises(ValueError, match='sigma_xy must be positive, got 0'):
        feature_regularization(feature, guide, labels, radius=2, sigma_xy=0)


def test_pairs_are_counted_beyond_the_whole_numbers_of_float32():
    # 24 million pairs of one class and 35 of two, around one pixel.
    labels = torch.zeros(1, 640, 640, dtype=torch.int64)
    labels[0, 0, 0] = 1
    feature = torch.zeros(1, 1, 640, 640)
    feature[0, 0, 0, 0] = 1
    found = feature_distance(feature, labels, radius=5, background=None)
    # Every pair of two classes has x = 1, those of one have 0.
    wanted = -2 * math.log(1 - math.exp(-1))
    assert float(found) == pytest.approx(wanted, rel=1e-5)


def test_mean_square_distance_equals_all_pairs():
    maps = torch.randn(2, 3, 3, 4, dtype=torch.float64)
    valid = torch.rand(2, 3, 4) < 0.7
    for mask in (None, valid):
        found = mean_square_distance(maps, mask)
        wanted = reference.mean_square_distance(maps, mask)
        assert found.item() == pytest.approx(wanted, rel=1e-12)
    maps[~valid.unsqueeze(1).expand_as(maps)] = float('nan')
    assert torch.isfinite(mean_square_distance(maps, valid))
    assert mean_square_distance(maps, torch.zeros_like(valid)) == 0
    assert mean_square_distance(maps.bfloat16()).dtype == torch.float32
