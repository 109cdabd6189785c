import math

import pytest
import torch

from mmseg_sparse.functional.mmcv_ops import point_sample, sigmoid_focal_loss


def test_point_sample_by_hand():
    # Pixel centres of a 1 x 4 row lie at x = 1/8, 3/8, 5/8, 7/8.
    row = torch.tensor([[[[0.0, 10.0, 20.0, 40.0]]]])
    points = torch.tensor([[[0.375, 0.5], [0.75, 0.5]]])
    # x = 3/8 is the second pixel; 3/4 lies midway between 20 and 40.
    expected = torch.tensor([[[10.0, 30.0]]])
    torch.testing.assert_close(point_sample(row, points), expected)
    grid = points.view(1, 2, 1, 2)
    torch.testing.assert_close(
        point_sample(row, grid), expected.view(1, 1, 2, 1)
    )


def literal_focal(scores, target, gamma, alpha, weight):
    rows = []
    for row, label in zip(scores.tolist(), target.tolist(), strict=True):
        out = []
        for c, score in enumerate(row):
            p = 1 / (1 + math.exp(-score))
            if c == label:
                value = -alpha * (1 - p) ** gamma * math.log(p)
            else:
                value = -(1 - alpha) * p**gamma * math.log(1 - p)
            known = 0 <= label < len(row)
            factor = 1 if weight is None else weight[label] if known else 0
            out.append(value * factor)
        rows.append(out)
    return torch.tensor(rows, dtype=torch.float64)


@pytest.mark.parametrize('weight', [None, [0.5, 2.0, 3.0]])
def test_focal_loss_equals_its_formula(weight):
    scores = torch.randn(7, 3, dtype=torch.float64, requires_grad=True)
    target = torch.tensor([0, 1, 2, 3, 2, -1, 1])  # 3, -1: no class
    tensor = None if weight is None else torch.tensor(weight).double()
    expected = literal_focal(scores, target, 1.5, 0.3, weight)
    for reduction, value in {
        'none': expected,
        'sum': expected.sum(),
        'mean': expected.sum() / 7,
    }.items():
        loss = sigmoid_focal_loss(scores, target, 1.5, 0.3, tensor, reduction)
        torch.testing.assert_close(
            loss.detach(), value, rtol=1e-10, atol=1e-12
        )
    assert torch.autograd.gradcheck(
        lambda s: sigmoid_focal_loss(s, target, 1.5, 0.3, tensor, 'sum'),
        (scores,),
    )


def test_unknown_reduction_is_named():
    with pytest.raises(ValueError, match="'max'"):
        sigmoid_focal_loss(
            torch.zeros(1, 2), torch.zeros(1).long(), reduction='max'
        )
