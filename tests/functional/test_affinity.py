import math

import pytest
import torch

from mmseg_sparse.functional import (
    affinity_labels,
    affinity_loss,
    random_walk,
    window_mask,
)
from tests.helpers.dfr_cases import F64, WAITING, Operators
from tests.reference import afa as reference


def make_labels(n=2, height=5, width=7, classes=3, ignore_index=255):
    labels = torch.randint(classes, (n, height, width))
    labels[torch.rand(labels.shape) < 0.3] = ignore_index
    return labels


def make_affinity(n=2, height=5, width=7, dtype=F64):
    return torch.rand(n, height * width, height * width, dtype=dtype)


@pytest.mark.parametrize('radius', [0, 1, 2, 9])
@pytest.mark.parametrize('ignore_index', [255, -1])
def test_labels_equal_reference(radius, ignore_index):
    labels = make_labels(ignore_index=ignore_index)
    options = dict(radius=radius, ignore_index=ignore_index)
    with Operators() as operators:
        found = affinity_labels(labels, **options)
    assert not operators.names & set(WAITING)
    assert found.dtype == torch.int64
    slow = [reference.affinity_labels(one, **options) for one in labels]
    assert found.tolist() == slow


def test_labels_by_hand():
    # a row of 4: class 1, no label, class 1, class 0; reach 2
    labels = torch.tensor([[[1, 255, 1, 0]]])
    assert affinity_labels(labels, radius=2).tolist() == [
        [
            [1, 255, 1, 255],
            [255, 255, 255, 255],
            [1, 255, 1, 0],
            [255, 255, 0, 1],
        ]
    ]


def test_a_window_is_a_square():
    mask = window_mask((5, 6), 1)[2 * 6 + 3].view(5, 6)
    wanted = torch.zeros(5, 6, dtype=torch.bool)
    wanted[1:4, 2:5] = True
    assert torch.equal(mask, wanted)


@pytest.mark.parametrize('count_offset', [0.0, 1.0])
def test_loss_equals_reference(count_offset):
    affinity = make_affinity()
    target = affinity_labels(make_labels(), radius=2)
    found = affinity_loss(affinity, target, count_offset=count_offset)
    slow = reference.affinity_loss(affinity, target, count_offset=count_offset)
    assert [one.item() for one in found] == pytest.approx(slow, rel=1e-12)


def test_loss_by_hand():
    # positives 0.9 and 0.6: (0.1 + 0.4) / 2; one negative: 0.3
    affinity = torch.tensor([[[0.9, 0.3], [0.5, 0.6]]], dtype=F64)
    target = torch.tensor([[[1, 0], [255, 1]]])
    positive, negative = affinity_loss(affinity, target)
    assert positive.item() == pytest.approx(0.25)
    assert negative.item() == pytest.approx(0.3)


def test_loss_gradcheck():
    affinity = make_affinity(height=2, width=3).requires_grad_()
    target = affinity_labels(make_labels(height=2, width=3), radius=1)
    assert torch.autograd.gradcheck(
        lambda a: affinity_loss(a, target), (affinity,)
    )


@pytest.mark.parametrize('kind', [0, 1, 255])
def test_no_pairs_of_a_kind_give_a_connected_zero(kind):
    affinity = make_affinity().requires_grad_()
    target = torch.full(affinity.shape, kind)
    losses = affinity_loss(affinity, target)
    (losses[0] + losses[1]).backward()
    zero = [kind != 1, kind != 0]
    assert [one.item() == 0 for one in losses] == zero
    assert (affinity.grad.abs().sum() > 0) == (kind != 255)


def test_pairs_that_are_ignored_may_be_anything():
    affinity = make_affinity()
    target = affinity_labels(make_labels(), radius=2)
    plain = affinity_loss(affinity, target)
    broken = affinity.masked_fill(target == 255, math.nan).requires_grad_()
    found = affinity_loss(broken, target)
    assert found == plain
    sum(found).backward()
    assert torch.equal(broken.grad != 0, target != 255)


@pytest.mark.parametrize(
    ('dtype', 'tolerance'),
    [(torch.float32, 1e-5), (torch.bfloat16, 2e-2), (torch.float16, 2e-2)],
)
def test_narrow_dtypes(dtype, tolerance):
    affinity, cam = make_affinity(), torch.rand(2, 3, 5, 7, dtype=F64)
    target = affinity_labels(make_labels(), radius=2)
    losses = affinity_loss(affinity.to(dtype), target)
    assert {loss.dtype for loss in losses} == {torch.float32}
    wanted = affinity_loss(affinity, target)
    assert [float(v) for v in losses] == pytest.approx(
        [float(v) for v in wanted], rel=tolerance
    )
    walked = random_walk(cam.to(dtype), affinity.to(dtype))
    assert walked.dtype == dtype
    torch.testing.assert_close(
        walked.to(F64), random_walk(cam, affinity), rtol=tolerance, atol=0
    )


@pytest.mark.parametrize('alpha', [2.0, 0.7, 3])
def test_walk_equals_reference(alpha):
    cam, affinity = torch.randn(2, 3, 5, 7, dtype=F64), make_affinity()
    affinity[1, 4] = 0
    found = random_walk(cam, affinity, alpha=alpha)
    for n in range(2):
        slow = reference.random_walk(cam[n], affinity[n], alpha=alpha)
        torch.testing.assert_close(found[n], slow, rtol=1e-12, atol=1e-14)
    assert (found[1, :, 0, 4] == 0).all()


def test_walk_by_hand():
    # A^2 of the first row is (1/4, 1/16): it takes 4/5 and 1/5
    affinity = torch.tensor([[[0.5, 0.25], [0.0, 1.0]]], dtype=F64)
    cam = torch.tensor([[[[10.0, 5.0]]]], dtype=F64)
    assert random_walk(cam, affinity).tolist() == [[[[9.0, 5.0]]]]


def test_walk_in_a_window():
    cam, affinity = torch.rand(2, 3, 5, 7, dtype=F64), make_affinity()
    found = random_walk(cam, affinity, radius=2)
    masked = affinity * window_mask((5, 7), 2)
    assert torch.equal(found, random_walk(cam, masked))


def test_walk_stays_out_of_padding():
    cam, affinity = torch.rand(1, 3, 5, 7, dtype=F64), make_affinity(1)
    valid = torch.zeros(1, 5, 7, dtype=torch.bool)
    valid[:, :4, :5] = True
    inside = valid.flatten()
    alone = affinity[:, inside][:, :, inside]
    wanted = random_walk(cam[:, :, :4, :5], alone)
    cam[~valid[:, None].expand_as(cam)] = math.nan
    affinity[:, ~inside] = math.nan
    affinity[:, :, ~inside] = math.nan
    found = random_walk(cam, affinity, valid=valid)
    torch.testing.assert_close(found[:, :, :4, :5], wanted)
    assert (found[~valid[:, None].expand_as(found)] == 0).all()


def test_walk_gradcheck():
    cam = torch.rand(2, 2, 2, 3, dtype=F64, requires_grad=True)
    affinity = make_affinity(height=2, width=3).requires_grad_()
    assert torch.autograd.gradcheck(random_walk, (cam, affinity))


def test_one_pixel():
    target = affinity_labels(torch.tensor([[[2]]]), radius=3)
    assert target.tolist() == [[[1]]]
    affinity = torch.tensor([[[0.25]]])
    assert affinity_loss(affinity, target)[0].item() == 0.75
    cam = torch.tensor([[[[3.0]]]])
    assert random_walk(cam, affinity).item() == 3


def test_inputs_stay_as_they_were():
    labels, affinity = make_labels(), make_affinity()
    cam, valid = torch.rand(2, 3, 5, 7, dtype=F64), make_labels() != 255
    tensors = [labels, affinity, cam, valid]
    copies = [one.clone() for one in tensors]
    affinity_loss(affinity, affinity_labels(labels, radius=1))
    random_walk(cam, affinity, radius=1, valid=valid)
    assert all(map(torch.equal, tensors, copies))


def test_errors_name_what_is_wrong():
    labels, affinity = make_labels(), make_affinity()
    cam = torch.rand(2, 3, 5, 7, dtype=F64)
    with pytest.raises(ValueError, match=r'labels \(N, h, w\), got \(5, 7\)'):
        affinity_labels(labels[0], radius=1)
    for radius in (-1, 1.5, True):
        with pytest.raises(ValueError, match=f'radius must .* got {radius}'):
            affinity_labels(labels, radius=radius)
    with pytest.raises(ValueError, match='same shape, got'):
        affinity_loss(affinity, labels)
    with pytest.raises(ValueError, match=r'count_offset must .* got -1'):
        affinity_loss(affinity, affinity.long(), count_offset=-1)
    with pytest.raises(ValueError, match=r'affinity \(N, h \* w, h \* w\)'):
        random_walk(cam[:, :, 1:], affinity)
    with pytest.raises(ValueError, match='alpha must be positive, got 0'):
        random_walk(cam, affinity, alpha=0)
    with pytest.raises(ValueError, match=r'valid \(2, 5, 7\) of bool, got'):
        random_walk(cam, affinity, valid=labels)
