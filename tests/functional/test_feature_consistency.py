import math

import pytest
import torch

from mmseg_sparse.functional import (
    feature_consistency,
    feature_distance,
    feature_regularization,
)
from tests.helpers.dfr_cases import F64, make_case
from tests.reference import dfr as reference


@pytest.mark.parametrize('radius', [1, 2, 5, 12])
@pytest.mark.parametrize('background', [0, 2, None])
def test_distance_equals_reference(radius, background):
    _, _, feature, labels, _ = make_case()
    options = dict(radius=radius, background=background)
    fast = feature_distance(feature, labels, **options)
    assert fast.dtype == F64
    slow = reference.feature_distance(feature, labels, **options)
    assert fast.item() == pytest.approx(slow, rel=1e-10)


@pytest.mark.parametrize('radius', [1, 2, 5, 12])
@pytest.mark.parametrize('padded', [False, True])
def test_regularization_equals_reference(radius, padded):
    _, guide, feature, labels, valid = make_case()
    options = dict(
        radius=radius, sigma_xy=2.3, valid=valid if padded else None
    )
    fast = feature_regularization(feature, guide, labels, **options)
    slow = reference.feature_regularization(feature, guide, labels, **options)
    assert fast.dtype == F64
    assert fast.item() == pytest.approx(slow, rel=1e-10)


def test_other_ignore_index_equals_reference():
    _, guide, feature, labels, _ = make_case()
    labels = labels.masked_fill(labels == 255, 9)
    fast = feature_distance(feature, labels, radius=2, ignore_index=9)
    slow = reference.feature_distance(
        feature, labels, radius=2, ignore_index=9
    )
    assert fast.item() == pytest.approx(slow, rel=1e-10)
    options = dict(radius=2, sigma_xy=3.0, ignore_index=9)
    fast = feature_regularization(feature, guide, labels, **options)
    slow = reference.feature_regularization(feature, guide, labels, **options)
    assert fast.item() == pytest.approx(slow, rel=1e-10)


def test_classes_beyond_255_and_255_itself():
    _, _, feature, labels, _ = make_case(classes=4)
    high = (labels * 200 + 55).masked_fill(labels == 255, -1)
    assert 255 in high
    assert 655 in high
    options = dict(radius=3, background=255, ignore_index=-1)
    fast = feature_distance(feature, high, **options)
    slow = reference.feature_distance(feature, high, **options)
    assert fast.item() == pytest.approx(slow, rel=1e-10)


def test_both_at_once_are_the_weighted_sum():
    _, guide, feature, labels, valid = make_case()
    feature.requires_grad_()
    both, distance, regularization = feature_consistency(
        feature,
        labels,
        guide=guide,
        radius=3,
        sigma_xy=2.0,
        background=1,
        valid=valid,
        distance_weight=0.7,
        regularization_weight=0.2,
    )
    first = feature_distance(feature, labels, radius=3, background=1)
    second = feature_regularization(
        feature, guide, labels, radius=3, sigma_xy=2.0, valid=valid
    )
    assert distance.item() == pytest.approx(first.item(), rel=1e-12)
    assert regularization.item() == pytest.approx(second.item(), rel=1e-12)
    assert not distance.requires_grad
    assert not regularization.requires_grad
    wanted = 0.7 * first + 0.2 * second
    assert both.item() == pytest.approx(wanted.item(), rel=1e-12)
    torch.testing.assert_close(
        torch.autograd.grad(both, feature),
        torch.autograd.grad(wanted, feature),
    )


def test_by_hand():
    # Three pixels in a row, two channels, reach 1; the first is of the
    # background, the others of class 3. d = 2.
    # Unlike pair: x = (|0 - 2| + |1 - 5|) / 2 = 3; alike: (1 + 0) / 2 = 1/2.
    # Foreground mean 1/2, no background pair, 2 * -log(1 - e^-3).
    feature = torch.tensor([[[[0.0, 2, 3]], [[1, 5, 5]]]], dtype=F64)
    labels = torch.tensor([[[0, 3, 3]]])
    loss = feature_distance(feature, labels, radius=1)
    wanted = 0.5 - 2 * math.log(1 - math.exp(-3))
    assert loss.item() == pytest.approx(wanted, rel=1e-14)
    # Of class 0 and class 3 alike: K = exp(-1/8) twice a pair, 3 pixels.
    guide = feature[:, :0]
    loss = feature_regularization(
        feature, guide, labels, radius=1, sigma_xy=2.0
    )
    wanted = 2 * math.exp(-1 / 8) * (3 + 0.5) / 3
    assert loss.item() == pytest.approx(wanted, rel=1e-14)


@pytest.mark.parametrize('background', [0, None])
def test_gradcheck(background):
    _, guide, feature, labels, valid = make_case(height=4, width=5, channels=2)
    feature.requires_grad_()

    def distance(feature):
        return 3 * feature_distance(
            feature, labels, radius=2, background=background
        )

    def regularization(feature):
        return 3 * feature_regularization(
            feature, guide, labels, radius=2, sigma_xy=1.7, valid=valid
        )

    assert torch.autograd.gradcheck(distance, (feature,))
    assert torch.autograd.gradcheck(regularization, (feature,))


def test_near_features_of_two_classes_go_on_as_a_tangent():
    labels = torch.tensor([[[0, 1]]])

    def loss(gap):
        return feature_distance(
            torch.stack([torch.zeros_like(gap), gap]).view(1, 1, 1, 2),
            labels,
            radius=1,
        )

    gap = torch.tensor(3e-5, dtype=F64, requires_grad=True)
    assert torch.autograd.gradcheck(loss, (gap,), eps=1e-7)
    values = [loss(torch.tensor(x, dtype=F64)).item() for x in (1e-4, 5e-5)]
    slope = torch.autograd.grad(loss(gap), gap)[0].item()
    edge = -2 * math.log(-math.expm1(-1e-4))
    assert values[0] == pytest.approx(edge, rel=1e-12)
    assert slope == pytest.approx(-2 / math.expm1(1e-4), rel=1e-12)
    assert values[1] == pytest.approx(edge - 5e-5 * slope, rel=1e-12)


def test_equal_features_neither_draw_nor_push():
    labels = torch.tensor([[[0, 0, 1, 1]]])
    feature = torch.ones(1, 3, 1, 4, dtype=F64, requires_grad=True)
    loss = feature_distance(feature, labels, radius=2)
    loss.backward()
    assert 10 < loss.item() < 30
    assert feature.grad.abs().sum() == 0


def test_guide_gets_no_gradient_nor_does_what_has_no_label():
    _, guide, feature, labels, valid = make_case()
    feature.requires_grad_()
    guide.requires_grad_()
    both, _, _ = feature_consistency(
        feature, labels, guide=guide, radius=2, sigma_xy=2.0, valid=valid
    )
    both.backward()
    assert guide.grad is None
    touched = feature.grad.abs().sum(1) > 0
    assert not touched[labels == 255].any()
    assert touched[labels != 255].float().mean() > 0.9
