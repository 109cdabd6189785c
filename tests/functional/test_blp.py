import itertools
import math

import pytest
import torch
import torch.nn.functional as F

from mmseg_sparse.functional import (
    annotation_loss,
    blp_loss,
    partial_focal_loss,
)
from tests.reference import blpseg as reference

F64 = torch.float64


def make_case(classes=4, dtype=F64):
    """Three images: labelled in part, padded at the right, no label."""
    logits = torch.randn(3, classes, 5, 7, dtype=F64) * 2
    scribble = torch.randn(3, classes + 1, 5, 7, dtype=F64) * 2
    labels = torch.full((3, 5, 7), 255)
    labels[0, 1:4, 2:6] = torch.randint(0, classes, (3, 4))
    labels[1, 0, :4] = classes - 1
    valid = torch.ones(3, 5, 7, dtype=torch.bool)
    valid[1, :, 5:] = False
    return logits.to(dtype), scribble.to(dtype), labels, valid


@pytest.mark.parametrize('normalizer', ['labels', 'weights'])
@pytest.mark.parametrize('gamma', [0.0, 0.7, 2.0])
@pytest.mark.parametrize('focal', [False, True])
@pytest.mark.parametrize('detach', [False, True])
def test_equals_reference(normalizer, gamma, focal, detach):
    logits, scribble, labels, _ = make_case()
    options = dict(gamma=gamma, normalizer=normalizer)
    if focal:
        fast = partial_focal_loss(
            logits, labels, detach_weight=detach, **options
        )
        scribble = None
    else:
        fast = blp_loss(
            logits, scribble, labels, detach_weight=detach, **options
        )
    assert fast.dtype == F64
    slow = reference.blp_loss(logits, scribble, labels, **options)
    assert fast.item() == pytest.approx(slow, rel=1e-10)


@pytest.mark.parametrize('padded', [False, True])
def test_annotation_loss_equals_reference(padded):
    _, scribble, labels, valid = make_case()
    fast = annotation_loss(
        scribble, labels, valid=valid if padded else None, empty_weight=0.3
    )
    everywhere = torch.ones_like(valid)
    slow = reference.annotation_loss(
        scribble, labels, valid if padded else everywhere, empty_weight=0.3
    )
    assert fast.dtype == F64
    assert fast.item() == pytest.approx(slow, rel=1e-10)


def test_by_hand():
    # Two labelled pixels. Pixel 1: p = 1/4 (scores 0 and ln 3), q = 1/2;
    # pixel 2: p = 1/2, q = 1/5. delta = (7/8)^2 and (9/10)^2.
    zero = torch.zeros(1, 2, 1, 2, dtype=F64)
    logits = zero.clone()
    logits[0, 1, 0, 0] = math.log(3)
    scribble = torch.zeros(1, 3, 1, 2, dtype=F64)
    scribble[0, 0, 0, 0] = math.log(2)
    scribble[0, 1, 0, 1] = math.log(3)
    labels = torch.zeros(1, 1, 2, dtype=torch.long)
    first, second = 49 / 64 * math.log(4), 81 / 100 * math.log(2)
    for name, divisor in (('labels', 2), ('weights', 49 / 64 + 81 / 100)):
        loss = blp_loss(logits, scribble, labels, normalizer=name)
        assert loss.item() == pytest.approx((first + second) / divisor)
    # The scribble branch: pixel 1 is labelled, pixel 2 is not, with
    # probabilities 1/2 and, of the last class, 1/5: over two pixels.
    labels[0, 0, 1] = 255
    loss = annotation_loss(scribble, labels)
    wanted = (math.log(2) + 0.02 * math.log(5)) / 2
    assert loss.item() == pytest.approx(wanted)


@pytest.mark.parametrize('normalizer', ['labels', 'weights'])
def test_delta_has_no_gradient(normalizer):
    """The gradient is that of a cross entropy with constant weights."""
    logits, scribble, labels, _ = make_case()
    for leaf in (logits, scribble):
        leaf.requires_grad_()
    blp_loss(logits, scribble, labels, normalizer=normalizer).backward()
    assert scribble.grad is None
    known = labels != 255
    target = labels.masked_fill(~known, 0)
    q, p = (
        m.detach().softmax(1).gather(1, target[:, None])[:, 0]
        for m in (scribble, logits)
    )
    weight = (1 - p * q).square() * known
    share = known.to(F64) if normalizer == 'labels' else weight
    weight = weight / share.sum((1, 2), keepdim=True).clamp(min=1e-9)
    again = logits.detach().requires_grad_()
    nll = F.cross_entropy(again, target, reduction='none')
    (nll * weight).sum().div(3).backward()
    torch.testing.assert_close(logits.grad, again.grad, rtol=1e-9, atol=1e-12)
    touched = logits.grad.abs().sum(1) > 0
    assert torch.equal(touched, known)


def test_gradcheck():
    logits, scribble, labels, valid = make_case(classes=3)
    logits.requires_grad_()
    scribble.requires_grad_()
    plain = dict(gamma=0.0, normalizer='labels')
    assert torch.autograd.gradcheck(
        lambda x: blp_loss(x, scribble.detach(), labels, **plain), (logits,)
    )
    assert torch.autograd.gradcheck(
        lambda x: annotation_loss(x, labels, valid=valid), (scribble,)
    )


@pytest.mark.parametrize('normalizer', ['labels', 'weights'])
@pytest.mark.parametrize('gamma', [0.7, 2.0])
def test_gradcheck_through_the_weight(normalizer, gamma):
    """As eq. 9 is printed, both probabilities of delta have a gradient."""
    logits, scribble, labels, _ = make_case(classes=3)
    options = dict(gamma=gamma, normalizer=normalizer, detach_weight=False)
    assert torch.autograd.gradcheck(
        lambda x, q: blp_loss(x, q, labels, **options),
        (logits.requires_grad_(), scribble.requires_grad_()),
    )
    assert torch.autograd.gradcheck(
        lambda x: partial_focal_loss(x, labels, **options), (logits,)
    )


def test_gamma_0_is_cross_entropy():
    logits, scribble, labels, _ = make_case()
    labels = labels[:1]
    loss = blp_loss(logits[:1], scribble[:1], labels, gamma=0.0)
    wanted = F.cross_entropy(logits[:1], labels, ignore_index=255)
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-12)


def test_an_image_without_a_label_counts_as_one_with_loss_0():
    logits, scribble, labels, _ = make_case()
    both = blp_loss(logits[:2], scribble[:2], labels[:2])
    three = blp_loss(logits, scribble, labels)
    assert three.item() == pytest.approx(both.item() * 2 / 3, rel=1e-12)


@pytest.mark.parametrize('normalizer', ['labels', 'weights'])
def test_nothing_labelled_is_zero_with_zero_gradient(normalizer):
    logits, scribble, labels, valid = make_case()
    labels = torch.full_like(labels, 255)
    for leaf in (logits, scribble):
        leaf.requires_grad_()
    loss = blp_loss(logits, scribble, labels, normalizer=normalizer)
    loss = loss + annotation_loss(
        scribble, labels, valid=torch.zeros_like(valid)
    )
    loss.backward()
    assert loss.item() == 0
    assert (logits.grad == 0).all()
    assert (scribble.grad == 0).all()


def test_sure_predictions_are_finite():
    _, _, labels, _ = make_case(dtype=torch.float32)
    one_hot = F.one_hot(labels % 5, 5).movedim(-1, 1).float()
    logits = (one_hot[:, :4] * 200).requires_grad_()
    for normalizer, detach, gamma in itertools.product(
        ('labels', 'weights'), (False, True), (0.5, 2.0)
    ):
        loss = blp_loss(
            logits, one_hot * 200, labels, normalizer=normalizer,
            detach_weight=detach, gamma=gamma,
        )  # fmt: skip
        loss.backward()
        assert torch.isfinite(loss)
        assert torch.isfinite(logits.grad).all()
    wrong = blp_loss(-logits, one_hot * 200, labels)
    assert wrong.item() > 50


@pytest.mark.parametrize('normalizer', ['labels', 'weights'])
def test_what_is_not_finite_without_a_label_does_not_count(normalizer):
    logits, scribble, labels, _ = make_case()
    spoilt = (labels == 255)[:, None]
    spoilt[:, :, :3] = False
    options = dict(normalizer=normalizer)
    wanted = blp_loss(logits, scribble, labels, **options)
    nan = (m.masked_fill(spoilt, math.nan) for m in (logits, scribble))
    assert blp_loss(*nan, labels, **options).item() == wanted.item()
    wanted = partial_focal_loss(logits, labels, **options)
    nan = logits.masked_fill(spoilt, math.nan)
    found = partial_focal_loss(nan, labels, **options)
    assert found.item() == wanted.item()


def test_padding_is_not_the_class_without_label():
    _, scribble, labels, valid = make_case()
    before = annotation_loss(scribble, labels, valid=valid)
    spoilt = scribble.masked_fill(~valid[:, None], math.nan).requires_grad_()
    other = labels.masked_fill(~valid, 1)
    after = annotation_loss(spoilt, other, valid=valid)
    assert after.item() == before.item()
    after.backward()
    # no gradient: nothing pulls padding towards "no label"
    assert torch.equal(spoilt.grad.nan_to_num(0).abs().sum(1) > 0, valid)


def test_other_ignore_index_and_one_class():
    logits, scribble, labels, valid = make_case(classes=1)
    other = labels.masked_fill(labels == 255, -100)
    for loss in (
        lambda y, i: blp_loss(logits, scribble, y, ignore_index=i),
        lambda y, i: partial_focal_loss(logits, y, ignore_index=i),
        lambda y, i: annotation_loss(scribble, y, valid=valid, ignore_index=i),
    ):
        assert loss(other, -100).item() == loss(labels, 255).item()
    assert blp_loss(logits, scribble, labels).item() == 0


def test_inputs_stay_as_they_were():
    tensors = [*make_case()]
    copies = [t.clone() for t in tensors]
    logits, scribble, labels, valid = tensors
    logits.requires_grad_()
    scribble.requires_grad_()
    loss = blp_loss(logits, scribble, labels)
    (loss + annotation_loss(scribble, labels, valid=valid)).backward()
    assert all(map(torch.equal, tensors, copies))


@pytest.mark.parametrize(
    ('dtype', 'tolerance'),
    [
        (torch.float32, 1e-5),
        (torch.bfloat16, 2e-2),
        (torch.float16, 2e-2),
    ],
)
def test_narrow_dtypes_give_float32_losses(dtype, tolerance):
    logits, scribble, labels, valid = make_case()
    narrow, other = logits.to(dtype), scribble.to(dtype)
    for found, wanted in (
        (blp_loss(narrow, other, labels), blp_loss(logits, scribble, labels)),
        (
            annotation_loss(other, labels, valid=valid),
            annotation_loss(scribble, labels, valid=valid),
        ),
    ):
        assert found.dtype == torch.float32
        assert found.item() == pytest.approx(wanted.item(), rel=tolerance)


def test_errors_name_what_is_wrong():
    logits, scribble, labels, valid = make_case()
    with pytest.raises(ValueError, match=r'labels \(N, H, W\), got \(3, 4'):
        blp_loss(logits, scribble, labels[:1])
    with pytest.raises(ValueError, match=r'scribble_logits \(3, 5, 5, 7\)'):
        blp_loss(logits, logits, labels)
    with pytest.raises(ValueError, match=r'gamma must .*, got -1'):
        blp_loss(logits, scribble, labels, gamma=-1)
    with pytest.raises(ValueError, match=r"normalizer must .*, got 'mean'"):
        partial_focal_loss(logits, labels, normalizer='mean')
    with pytest.raises(ValueError, match=r'scribble_logits \(N, K \+ 1'):
        annotation_loss(scribble, labels[:, 1:])
    with pytest.raises(ValueError, match=r'empty_weight must .*, got -0\.1'):
        annotation_loss(scribble, labels, empty_weight=-0.1)
    with pytest.raises(ValueError, match=r'valid \(3, 5, 7\) of bool, got'):
        annotation_loss(scribble, labels, valid=valid.float())
