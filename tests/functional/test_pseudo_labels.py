import pytest
import torch

from mmseg_sparse.functional.pseudo_labels import (
    labels_from_best,
    labels_from_margin,
    labels_from_scores,
    labels_from_two_scores,
    with_background,
)
from tests.reference import cam as reference

F64 = torch.float64
HIGH, LOW = 0.6, 0.25


@pytest.fixture
def cam():
    generator = torch.Generator().manual_seed(1)
    return torch.rand(3, 4, 6, 9, dtype=F64, generator=generator) ** 2


@pytest.fixture
def present():
    return torch.tensor(
        [[1.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0]]
    )


@pytest.mark.parametrize('background', [0, 2, 4, None])
def test_equals_eq4(cam, present, background):
    copies = cam.clone(), present.clone()
    found = labels_from_scores(
        cam, present, high=HIGH, low=LOW, background=background
    )
    expected = [
        reference.eq4(cam[n], present[n].tolist(), HIGH, LOW, background)
        for n in range(3)
    ]
    assert found.tolist() == expected
    assert torch.equal(cam, copies[0])
    assert torch.equal(present, copies[1])
    kinds = set(found[0].unique().tolist())
    assert 255 in kinds
    assert len(kinds) == (4 if background is None else 5)


def test_equal_scores_leave_no_doubt(cam, present):
    found = labels_from_scores(cam, present, high=0.4, low=0.4)
    assert not (found == 255).any()


def test_bounds_belong_to_the_labels():
    cam = torch.tensor([HIGH, LOW, 0.4], dtype=F64).view(1, 1, 1, 3)
    hot = torch.ones(1, 1)
    found = labels_from_scores(cam, hot, high=HIGH, low=LOW)
    assert found.tolist() == [[[1, 0, 255]]]


@pytest.mark.parametrize('background', [0, 2, 4, None])
def test_two_scores_equal_the_loop(cam, present, background):
    generator = torch.Generator().manual_seed(7)
    high, shown = with_background(cam, present, HIGH)
    low, _ = with_background(cam, present, LOW)
    # Refined maps: no longer the same classes with other backgrounds.
    high = high + 0.2 * torch.rand(high.shape, dtype=F64, generator=generator)
    low = low + 0.2 * torch.rand(low.shape, dtype=F64, generator=generator)
    found = labels_from_two_scores(high, low, shown, background=background)
    expected = [
        reference.two_scores(high[n], low[n], shown[n].tolist(), background)
        for n in range(3)
    ]
    assert found.tolist() == expected


@pytest.mark.parametrize('keep', [0.01, 0.37, 1.0])
def test_margins_equal_the_loop(cam, present, keep):
    scores, shown = with_background(cam, present, None)
    copies = scores.clone(), shown.clone()
    found = labels_from_margin(scores, shown, keep=keep)
    expected = [
        reference.margin(scores[n, 1:], present[n].tolist(), keep)
        for n in range(3)
    ]
    assert found.tolist() == expected
    assert (found[1] == 3).all()  # one class: all of it
    assert (found[2] == 255).all()  # none
    assert torch.equal(scores, copies[0])
    assert torch.equal(shown, copies[1])


def test_padding_has_no_say_in_the_margins(cam, present):
    scores, shown = with_background(cam, present, None)
    valid = torch.zeros(3, 6, 9, dtype=torch.bool)
    valid[:, :4, :7] = True
    found = labels_from_margin(scores, shown, keep=0.4, valid=valid)
    alone = labels_from_margin(scores[:, :, :4, :7], shown, keep=0.4)
    assert torch.equal(found[:, :4, :7], alone)
    assert (found[~valid] == 255).all()


def test_equal_margins_share_their_fate_and_none_is_no_label():
    maps = torch.tensor([[0.0] * 6, [3, 3, 3, 2, 1, 1], [1.0] * 6])
    shown = torch.tensor([[False, True, True]])
    # Margins of class 0: 2 2 2 1 0 0. Of six pixels, a share of 0.2 is two,
    # of which the second has a margin of 2, as the third does.
    for keep, wanted in ((0.2, [0] * 3), (0.6, [0] * 4), (1.0, [0] * 4)):
        found = labels_from_margin(maps.view(1, 3, 1, 6), shown, keep=keep)
        assert found.flatten().tolist() == wanted + [255] * (6 - len(wanted))


@pytest.mark.parametrize('softmax', [True, False])
@pytest.mark.parametrize('background', [0, 3, None])
def test_two_scores_without_refinement_are_eq4(
    cam, present, softmax, background
):
    maps = [
        with_background(cam, present, score, softmax=softmax)
        for score in (HIGH, LOW)
    ]
    found = labels_from_two_scores(
        maps[0][0], maps[1][0], maps[0][1], background=background
    )
    expected = labels_from_scores(
        cam, present, high=HIGH, low=LOW, background=background
    )
    assert torch.equal(found, expected)


def test_background_comes_first_and_absent_classes_are_zero(cam, present):
    prob, shown = with_background(cam, present, 0.45)
    assert shown[:, 0].all()
    assert torch.equal(shown[:, 1:], present > 0)
    assert torch.allclose(prob.sum(1), torch.ones(3, 6, 9, dtype=F64))
    assert not prob.masked_select(~shown[:, :, None, None]).any()
    ratio = (prob[0, 1] / prob[0, 0]).log()
    assert torch.allclose(ratio, cam[0, 0] - 0.45)
    plain, _ = with_background(cam, present, 0.45, softmax=False)
    assert (plain[:, 0] == 0.45).all()
    assert torch.equal(plain[0, 1], cam[0, 0])
    assert not plain[0, 2].any()


@pytest.mark.parametrize('softmax', [True, False])
def test_there_may_be_no_background(cam, present, softmax):
    maps, shown = with_background(cam, present, None, softmax=softmax)
    assert not shown[:, 0].any()
    assert not maps[:, 0].any()
    hot = (present > 0)[:, :, None, None]
    expected = cam * hot
    if softmax:
        expected = cam.exp() * hot
        expected = expected / expected.sum(1, keepdim=True).clamp(min=1e-9)
    assert torch.allclose(maps[:, 1:], expected)


def test_best_labels_every_pixel(cam, present):
    scores, shown = with_background(cam, present, 0.45)
    found = labels_from_best(scores, shown)
    expected = labels_from_scores(cam, present, high=0.45, low=0.45)
    assert torch.equal(found, expected)
    found = labels_from_best(scores, shown, background=None)
    hot = present > 0
    only = cam.masked_fill(~hot[:, :, None, None], -1).argmax(1)
    assert torch.equal(found[:2], only[:2])
    assert (found[2] == 255).all()


def test_padding_gets_no_label(cam, present):
    valid = torch.ones(3, 6, 9, dtype=torch.bool)
    valid[:, 5:] = valid[:, :, 7:] = False
    maps, shown = with_background(cam, present, 0.45)
    for labels in (
        labels_from_scores(cam, present, high=HIGH, low=LOW, valid=valid),
        labels_from_two_scores(maps, maps, shown, valid=valid),
        labels_from_best(maps, shown, valid=valid),
    ):
        assert (labels[~valid] == 255).all()
        assert (labels[valid] != 255).any()


def test_refuses(cam, present):
    with pytest.raises(ValueError, match=r'low=0\.7, high=0\.6'):
        labels_from_scores(cam, present, high=0.6, low=0.7)
    with pytest.raises(ValueError, match=r'background must lie in \[0, 4\]'):
        labels_from_scores(cam, present, high=HIGH, low=LOW, background=5)
    with pytest.raises(ValueError, match=r'present \(N, K\), got'):
        with_background(cam, present[:, :2], 0.4)
    maps, shown = with_background(cam, present, 0.45)
    with pytest.raises(ValueError, match=r'keep must lie in \(0, 1\], got 0'):
        labels_from_margin(maps, shown, keep=0.0)
    with pytest.raises(ValueError, match='high and low of one shape'):
        labels_from_two_scores(maps, maps[:, 1:], shown)
    with pytest.raises(ValueError, match=r'valid \(3, 6, 9\), got'):
        labels_from_best(maps, shown, valid=shown)
